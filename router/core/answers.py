"""What we answer to STOP, START and HELP where the provider does not answer itself, and to the member's dial.

CTIA Messaging Principles 5.1: one confirmation of an opt-out and no more; HELP names the program and a contact.
"""

from __future__ import annotations

from collections.abc import Mapping

NO_CHANNEL = "no_channel"
"""For ``channel`` where we have no address of theirs there that we may use."""

ANSWERED = ("stop", "start", "help", "less", "more", "pause", "channel", NO_CHANNEL)
"""Intents that get an answer."""

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "stop": "{organization}: you are unsubscribed and will get no more messages here. Reply START to come back.",
        "start": "{organization}: welcome back. Reply STOP at any time to end, HELP for help.",
        "help": "{organization}: for help see {contact}. Message and data rates may apply. Reply STOP to end.",
        "less": "{organization}: you will hear from us at most once a week. MORE undoes it, STOP ends all.",
        "more": "{organization}: you will hear everything again. LESS for less, STOP ends all messages.",
        "pause": "{organization}: nothing from us for {days} days. MORE ends the pause, STOP ends all messages.",
        "channel": "{organization}: from now on we write to you by {channel} first. STOP ends all messages here.",
        NO_CHANNEL: "{organization}: we have no confirmed {channel} address of yours. Give us one: {contact}",
    },
    "es": {
        "stop": "{organization}: te has dado de baja y no recibirás más mensajes aquí. Responde START para volver.",
        "start": "{organization}: te damos la bienvenida de nuevo. Responde STOP para salir, HELP para ayuda.",
        "help": "{organization}: ayuda en {contact}. Pueden aplicarse tarifas de mensajes. Responde STOP para salir.",
        "less": "{organization}: ahora recibirás como mucho un mensaje por semana. MORE lo deshace, STOP termina todo.",
        "more": "{organization}: volverás a recibir todo. LESS para menos, STOP termina todo.",
        "pause": "{organization}: sin mensajes durante {days} días. MORE termina la pausa, STOP termina todo.",
        "channel": "{organization}: a partir de ahora te escribimos primero por {channel}. STOP termina todo aquí.",
        NO_CHANNEL: "{organization}: no tenemos ninguna dirección tuya confirmada para {channel}. Danos una: {contact}",
    },
    "fr": {
        "stop": "{organization} : vous êtes désinscrit et ne recevrez plus de messages ici. START pour revenir.",
        "start": "{organization} : heureux de vous revoir. STOP pour arrêter, HELP pour de l'aide.",
        "help": "{organization} : aide sur {contact}. Coût d'un SMS selon votre opérateur. STOP pour arrêter.",
        "less": "{organization} : au plus un message par semaine. MORE pour revenir en arrière, STOP arrête tout.",
        "more": "{organization} : vous recevrez de nouveau tout. LESS pour moins, STOP pour tout arrêter.",
        "pause": "{organization} : aucun message pendant {days} jours. MORE met fin à la pause, STOP arrête tout.",
        "channel": "{organization} : désormais nous vous écrivons d'abord par {channel}. STOP arrête tout ici.",
        NO_CHANNEL: "{organization} : pas d'adresse {channel} confirmée de vous. Donnez-la ici : {contact}",
    },
    "de": {
        "stop": "{organization}: Sie sind abgemeldet und erhalten hier nichts mehr. Mit START kommen Sie zurück.",
        "start": "{organization}: schön, dass Sie wieder da sind. STOP beendet, HELP hilft.",
        "help": "{organization}: Hilfe unter {contact}. Es gelten die SMS-Preise Ihres Anbieters. STOP beendet.",
        "less": "{organization}: höchstens eine Nachricht pro Woche. MORE macht es rückgängig, STOP beendet alles.",
        "more": "{organization}: Sie hören wieder alles. LESS für weniger, STOP beendet alles.",
        "pause": "{organization}: {days} Tage lang nichts von uns. MORE beendet die Pause, STOP beendet alles.",
        "channel": "{organization}: ab jetzt schreiben wir Ihnen zuerst per {channel}. STOP beendet hier alles.",
        NO_CHANNEL: "{organization}: uns fehlt eine bestätigte Adresse von Ihnen für {channel}. Hier: {contact}",
    },
    "pt": {
        "stop": "{organization}: sua inscrição foi cancelada; não enviaremos mais mensagens aqui. START para voltar.",
        "start": "{organization}: que bom ter você de volta. STOP para sair, HELP para ajuda.",
        "help": "{organization}: ajuda em {contact}. Podem aplicar-se tarifas de mensagens. STOP para sair.",
        "less": "{organization}: agora no máximo uma mensagem por semana. MORE desfaz, STOP termina tudo.",
        "more": "{organization}: você voltará a receber tudo. LESS para menos, STOP termina tudo.",
        "pause": "{organization}: nenhuma mensagem por {days} dias. MORE encerra a pausa, STOP termina tudo.",
        "channel": "{organization}: a partir de agora escrevemos primeiro por {channel}. STOP termina tudo aqui.",
        NO_CHANNEL: "{organization}: não temos um endereço seu confirmado para {channel}. Informe aqui: {contact}",
    },
    "ar": {
        "stop": "{organization}: تم إلغاء اشتراكك ولن تصلك رسائل أخرى هنا. أرسل START للعودة.",
        "start": "{organization}: أهلا بعودتك. أرسل STOP للإيقاف أو HELP للمساعدة.",
        "help": "{organization}: للمساعدة {contact}. قد تطبق رسوم الرسائل. أرسل STOP للإيقاف.",
        "less": "{organization}: ستصلك رسالة واحدة في الأسبوع على الأكثر. MORE للتراجع، STOP لإيقاف الكل.",
        "more": "{organization}: ستصلك كل الرسائل من جديد. LESS لتقليلها، STOP لإيقاف الكل.",
        "pause": "{organization}: لا رسائل لمدة {days} يوما. MORE لإنهاء التوقف، STOP لإيقاف الكل.",
        "channel": "{organization}: سنراسلك من الآن أولا عبر {channel}. أرسل STOP لإيقاف الكل هنا.",
        NO_CHANNEL: "{organization}: ليس لدينا عنوان مؤكد لك على {channel}. أضفه هنا: {contact}",
    },
}


_CHANNELS: Mapping[str, str] = {
    "sms": "SMS",
    "email": "email",
    "whatsapp": "WhatsApp",
    "telegram": "Telegram",
    "slack": "Slack",
    "webpush": "push",
}
"""What people call them, in all of these languages."""


def answer(kind: str, *, locale: str, organization: str, contact: str, days: int = 0, channel: str = "") -> str:
    """The words for one of `ANSWERED` in a member's language, English where we have none.

    `days` is a pause's, `channel` what they asked for, `contact` where there is help or a form to fill in.
    """
    words = _WORDS.get(locale.partition("-")[0].lower(), _WORDS["en"])
    named = _CHANNELS.get(channel, channel)
    return words[kind].format(organization=organization, contact=contact, days=days, channel=named)
