"""The certain tier: wishes to stop in the normal language of people (47 CFR 64.1200(a)(10), CTIA 5.1.3)."""

from __future__ import annotations

import pytest

from router.core.keywords import classify

STOPS = {
    "en": """
        stop texting me
        Please stop texting me.
        PLEASE STOP TEXTING ME
        stop texting me about the gala
        STOP TEXTING ME!!! I never signed up for this
        Stop messaging us
        please stop sending me messages
        stop sending these political texts
        quit texting me
        Stop all messages
        Hi, we moved to Ohio, so please take me off your list. Thanks!
        Can you take me off your list?
        take me off this list
        remove me from your list
        Remove me from all your lists
        Please remove my number from your list
        get me off this list
        remove me
        delete my number
        lose my number
        remove my name
        leave me alone
        Leave me the f*** alone
        Unsubscribe me
        I want to unsubscribe
        I'd like to opt out please
        How do I unsubscribe?
        How do I opt out?
        I want to opt out of these texts
        I'd like to be removed from your list
        I don't remember you, I want to be removed
        Please unsubscribe me from all of it
        please unsubscribe me from this
        opt me out
        I opt out
        I do not want to receive any more texts
        I don't want your messages
        I no longer wish to receive messages
        I don't want to be contacted
        I don't want to hear from you
        no more texts please
        No more messages!
        don't text me
        Don’t text me again
        do not text me anymore
        never text me again
        do not contact me
        Don't ever contact me again
        don't send me any more emails
        cease and desist all communications
        I revoke my consent
        block me
        STOP. Who is this?
        Stop. I never signed up for this.
        The noise is unbearable. STOP
        I told you to stop texting me
        I don't live there anymore take me off your list
        Not interested please remove me from your list
        I am not interested, stop texting me
        No, stop texting me
        No. Stop.
        who is this? take me off your list
        Why are you texting me? Take me off your list
        I did not sign up for these texts
        reported you as spam
        Please discontinue
        please cease all messages
        I'm not interested. Don't text.
        STOP THIS CRAP
        enough already
        remove me now or I'll sue
        Get this number off your list
        Cancel all texts
        Stop sending me stuff
        Stop w the texts
        I SAID STOP!!!
        How many times do I have to say stop
        remove from your list
        this number belongs to someone else
    """,
    "en, the wrong person": """
        wrong number
        Wrong number!
        Sorry, wrong number
        WRONG PERSON
        you have the wrong number
        I think you have the wrong number, sorry
        this is the wrong number
        Wrong number. This is not Maria.
    """,
    "en, hostile": """
        f*** off
        F**k off!
        fuck off
        FUCK YOU
        f*ck you
        fck off
        go to hell
        piss off
        Go fuck yourself
        shut up
        stop fucking texting me
        Stop f***ing texting me
        screw you
        go away
        Fuck you. Take this number off.
    """,
    "es": """
        baja
        Darme de baja por favor
        Quiero darme de baja
        Dejen de escribirme
        por favor dejen de mandarme mensajes, gracias: dejen de escribirme
        no me manden más mensajes
        ya no quiero recibir mensajes
        No quiero recibir más mensajes
        quítenme de su lista
        borren mi número
        déjenme en paz
        número equivocado
        Se equivocó de número
        vete a la mierda
        basta ya
        Hola, no me escriban más por favor
        No, dejen de escribirme
        No me interesa, no me escriban
    """,
    "fr": """
        ARRÊTEZ
        arrêtez de m'envoyer des messages
        Arrêtez de m’écrire svp
        Désabonnez-moi svp
        je ne veux plus recevoir de sms
        Je souhaite me désabonner
        ne m'écrivez plus
        laissez-moi tranquille
        supprimez mon numéro
        retirez-moi de votre liste
        mauvais numéro
        vous avez le mauvais numéro
        va te faire foutre
        Merci de ne plus m'envoyer de messages
        merci de me retirer de la liste
    """,
    "de": """
        bitte abmelden
        Ich möchte mich abmelden
        keine SMS mehr bitte
        Bitte keine Nachrichten mehr
        Hört auf mir zu schreiben
        Löschen Sie bitte meine Nummer
        nehmt mich von der Liste
        Bitte tragen Sie mich aus
        Schreiben Sie mir nicht mehr
        Lasst mich in Ruhe
        falsche Nummer
        Sie haben die falsche Nummer
        verpiss dich
        Bitte keine weiteren Nachrichten
    """,
    "pt": """
        SAIR
        pare de me mandar mensagem
        não quero mais receber mensagens
        me tirem da lista
        apaguem meu número
        Quero cancelar a inscrição
        me deixem em paz
        número errado
        vai tomar no cu
    """,
    "it": """
        cancellami
        basta messaggi
        smettetela di scrivermi
        non voglio più ricevere messaggi
        cancellate il mio numero
        toglietemi dalla lista
        lasciatemi in pace
        numero sbagliato
        vaffanculo
    """,
    "nl": """
        afmelden
        Stop met mij te sms'en
        haal me van de lijst
        geen berichten meer
        Ik wil me afmelden
        laat me met rust
        verkeerd nummer
        rot op
    """,
    "pl": """
        wypisz mnie
        proszę przestać do mnie pisać
        nie piszcie do mnie więcej
        usuńcie mój numer
        Nie chcę otrzymywać więcej wiadomości
        dajcie mi spokój
        pomyłka
        spierdalaj
    """,
    "ru": """
        отпишите меня
        Прекратите мне писать
        больше не пишите мне
        не пишите мне больше
        удалите мой номер
        Удалите меня из списка
        не хочу получать ваши сообщения
        вы ошиблись номером
        оставьте меня в покое
        отвали
        иди нахуй
    """,
    "uk": """
        відпишіть мене від розсилки
        не пишіть мені більше
        Припиніть мені писати
        видаліть мій номер
        ви помилилися номером
        відваліть
    """,
    "el": """
        σταματήστε να μου στέλνετε μηνύματα
        διαγράψτε με από τη λίστα
        Δεν θέλω άλλα μηνύματα
        λάθος αριθμός
    """,
    "tr": """
        bana mesaj atmayın
        numaramı listeden çıkarın
        Artık mesaj almak istemiyorum
        beni rahat bırakın
        yanlış numara
        siktir git
    """,
    "ar": """
        إلغاء الاشتراك
        توقفوا عن إرسال الرسائل
        لا ترسلوا لي رسائل
        لا أريد المزيد من الرسائل
        احذفوا رقمي من فضلكم
        لا تزعجوني
        رقم خاطئ
        النمرة غلط
    """,
    "he": """
        אנא הסר
        תפסיקו לשלוח לי הודעות
        תסירו אותי מהרשימה
        אל תשלחו לי יותר הודעות
        תמחקו את המספר שלי
        תעזבו אותי בשקט
        מספר שגוי
    """,
    "fa": """
        لغو ۱۱
        لغو11
        لطفا دیگر پیام نفرستید
        مرا از لیست حذف کنید
        مزاحم نشوید
        شماره اشتباه
    """,
    "hi": """
        मुझे मैसेज मत भेजो
        मैसेज भेजना बंद करो
        कृपया मेरा नंबर हटा दें
        गलत नंबर
        msg mat karo
    """,
    "bn": """
        মেসেজ পাঠাবেন না
        মেসেজ পাঠানো বন্ধ করুন
        আমার নম্বর মুছে ফেলুন
        ভুল নম্বর
    """,
    "ur": """
        مجھے میسج مت کرو
        میسج بھیجنا بند کریں
        میرا نمبر ہٹا دیں
        غلط نمبر
    """,
    "zh": """
        请退订
        請停止
        TD
        不要再发短信给我
        请把我从名单中删除
        別再傳給我了
        我不想再收到你们的短信
        打错了
        滚
    """,
    "ja": """
        もう送らないでください
        メッセージを送信しないでください
        配信停止をお願いします。配信を停止してください
        リストから外してください
        やめてください
        番号間違いです
    """,
    "ko": """
        문자 보내지 마세요
        그만 보내세요
        제발 연락하지 마세요
        번호 삭제해 주세요
        잘못 보내셨습니다
    """,
    "vi": """
        dừng lại
        đừng gửi tin nhắn cho tôi nữa
        Tôi không muốn nhận tin nhắn
        hủy đăng ký
        nhầm số
    """,
    "tl": """
        itigil na po
        huwag na kayong magtext sa akin
        pakitanggal po: tanggalin niyo na ako sa listahan
        maling numero po
    """,
    "id": """
        jangan kirim sms lagi
        tolong berhenti mengirim pesan
        tolong hapus nomor saya
        salah sambung
        UNREG
    """,
    "sw": """
        acheni kunitumia ujumbe
        niondoe kwenye orodha
        futa namba yangu
        umekosea namba
    """,
    "ro": """
        nu îmi mai trimiteți mesaje
        ștergeți-mă din listă
        vreau să mă dezabonez
        număr greșit
    """,
    "sv, nb, da, fi": """
        sluta smsa mig
        ta bort mig från listan
        fel nummer
        slutt å sende meg meldinger
        slett nummeret mitt
        stop med at skrive til mig
        fjern mig fra listen
        älkää lähettäkö minulle viestejä
        poistakaa numeroni
        väärä numero
    """,
    "cs, hu, ht, th": """
        přestaňte mi psát
        smažte moje číslo
        ne küldjenek több üzenetet
        hagyjanak békén
        sispann voye mesaj
        pa ekri m ankò
        หยุดส่งข้อความ
        ผิดเบอร์
    """,
}
ROWS = [(language, text) for language, block in STOPS.items() for line in block.splitlines() if (text := line.strip())]


@pytest.mark.parametrize(("language", "text"), ROWS)
def test_a_reasonable_person_hears_a_wish_to_stop(language: str, text: str) -> None:
    for written in (text, text.upper(), f"{text} 🙏", f"\n {text} !!"):
        found = classify(written)
        assert (found.kind, found.certain) == ("stop", True), (language, written)


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        ("stop texting, email me instead", "email"),
        ("Don't text me, email me instead", "email"),
        ("Stop. WhatsApp me instead", "whatsapp"),
        ("please stop texting me. Telegram instead", "telegram"),
    ],
)
def test_a_wish_for_another_channel_is_still_a_stop_here_and_is_handed_to_a_person(text: str, channel: str) -> None:
    found = classify(text)
    assert (found.kind, found.suggestion, found.value) == ("stop", "channel", channel)


def test_the_last_sentence_of_a_very_long_message_is_heard() -> None:
    assert classify("We were at the hearing and nobody spoke for us. " * 60 + "STOP").kind == "stop"
    assert classify("blah " * 700 + ". Unsubscribe").kind == "stop"
    assert classify("blah " * 700 + " stop").kind == "none"
