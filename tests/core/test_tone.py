"""The tone guard: what it finds, what it leaves alone, and that it marks the very words."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from channels import SPECS
from router.core.ask import Ask
from router.core.content_check import find_problems
from router.core.data import data_folder
from router.core.errors import BadInput
from router.core.model import AskKind
from router.core.tone import ToneFinding, find_tone, judge_text
from router.core.tone_shapes import count_emoji, hides_host
from router.core.tone_table import ToneTable
from router.settings import load_settings, load_toml

FILE = tomllib.loads((data_folder("config") / "tone.toml").read_text("utf-8"))
TABLE = ToneTable.from_toml(load_toml("tone", load_settings()))
ORGANIZATION = "Tenants Together"


def judge(text: str, **options: Any) -> list[ToneFinding]:
    return judge_text(text, TABLE, place="texts.en.sms.text", **options)


def marked(text: str, **options: Any) -> set[tuple[str, str]]:
    """Kind and words of each finding."""
    return {(found.kind.value, found.words) for found in judge(text, **options)}


# fmt: off
BAD = [
    ("en", "FINAL NOTICE about your membership", {("shouting", "FINAL NOTICE"), ("urgency", "FINAL NOTICE")}),
    ("en", "It's your last\nchance, act now", {("urgency", "last\nchance"), ("urgency", "act now")}),
    ("en", "It is your\nlast\nchance", {("urgency", "last\nchance")}),
    ("en", "This offer expires tonight", {("urgency", "expires tonight")}),
    ("en", "Only 3 hours left", {("urgency", "Only 3 hours left")}),
    ("en", "It is urgent!!! Come", {("urgency", "urgent"), ("marks", "!!!")}),
    ("en", "Don’t let us down. We're begging.", {("guilt", "Don’t let us down"), ("guilt", "We're begging")}),
    ("en", "After all we've done", {("guilt", "After all we've done")}),
    ("en", "And you haven't signed", {("guilt", "you haven't signed")}),
    ("en", "Your ACCOUNT has been suspended", {("misleading", "ACCOUNT has been suspended")}),
    ("en", "An official notice", {("misleading", "official notice")}),
    ("en", "Warning: Payment incomplete.", {("misleading", "Payment incomplete")}),
    ("en", "Give now: 600% match, [7X-MATCHED] $15", {("matching", "600% match"), ("matching", "7X-MATCHED")}),
    ("en", "Your gift will be matched", {("matching", "gift will be matched")}),
    ("en", "WE MUST STOP THEM TODAY", {("shouting", "WE MUST STOP THEM TODAY")}),
    ("en", "Come 🔥🔥🔥 🔥 now", {("emoji", "🔥🔥🔥 🔥")}),
    ("en", "What?! Come", {("marks", "?!")}),
    ("en", "Sign at bit.ly/3xYz or bit.ly.", {("hidden_link", "bit.ly")}),
    ("en", "Sign (at https://t.co/x).", {("hidden_link", "https://t.co/x")}),
    ("es", "Última oportunidad: no nos falles", {("urgency", "Última oportunidad"), ("guilt", "no nos falles")}),
    ("es", "ultima oportunidad", {("urgency", "ultima oportunidad")}),
    ("es", "¡URGENTE! Ven", {("urgency", "URGENTE")}),
    ("es", "Tu cuenta ha sido suspendida", {("misleading", "cuenta ha sido suspendida")}),
    ("es", "Duplicaremos tu donación", {("matching", "Duplicaremos tu donación")}),
    ("es", "NUESTRA LUCHA SIGUE", {("shouting", "NUESTRA LUCHA SIGUE")}),
    ("fr", "Dernière chance, n’attendez plus", {("urgency", "Dernière chance"), ("urgency", "n’attendez plus")}),
    ("fr", "Ne nous abandonnez pas", {("guilt", "Ne nous abandonnez pas")}),
    ("fr", "Votre don sera doublé", {("matching", "Votre don sera doublé")}),
    ("fr", "Votre compte sera bloqué", {("misleading", "compte sera bloqué")}),
    ("fr", "URGENT !! Venez", {("urgency", "URGENT"), ("marks", "!!")}),
    ("de", "Letzte Mahnung! Handeln Sie jetzt", {("urgency", "Letzte Mahnung"), ("urgency", "Handeln Sie jetzt")}),
    ("de", "Lassen Sie uns nicht im Stich", {("guilt", "Lassen Sie uns nicht im Stich")}),
    ("de", "Jede Spende wird verdoppelt", {("matching", "Jede Spende wird verdoppelt")}),
    ("de", "Ihr Konto wurde gesperrt", {("misleading", "Konto wurde gesperrt")}),
    ("de", "ALLE AUF DIE STRASSE", {("shouting", "ALLE AUF DIE STRASSE")}),
    ("pt", "Última chance, não perca tempo", {("urgency", "Última chance"), ("urgency", "não perca tempo")}),
    ("pt", "Não nos abandone", {("guilt", "Não nos abandone")}),
    ("pt", "Sua conta será bloqueada", {("misleading", "conta será bloqueada")}),
    ("pt", "Sua doação será dobrada", {("matching", "doação será dobrada")}),
    ("pt", "aja ja\u0301, sim", {("urgency", "aja ja\u0301")}),
    ("ar", "الفُرصة الأخيرة، لا تخذلونا", {("urgency", "الفُرصة الأخيرة"), ("guilt", "لا تخذلونا")}),
    ("ar", "الفرصه", set()),
    ("ar", "عاجل: تم إيقاف حسابك", {("urgency", "عاجل"), ("misleading", "تم إيقاف حسابك")}),
    ("ar", "سنضاعف تبرعك؟؟", {("matching", "سنضاعف تبرعك"), ("marks", "؟؟")}),
    ("el", "ΤΕΛΕΥΤΑΙΑ ΕΥΚΑΙΡΙΑ", {("shouting", "ΤΕΛΕΥΤΑΙΑ ΕΥΚΑΙΡΙΑ")}),
    ("uk", "ТЕРМІНОВО ДОПОМОЖІТЬ", {("shouting", "ТЕРМІНОВО ДОПОМОЖІТЬ")}),
    ("en", "“ＡＣＴ ＮＯＷ”", {("urgency", "ＡＣＴ ＮＯＷ")}),
    ("en", "act\u00a0now, a\u200bct now", {("urgency", "act\u00a0now"), ("urgency", "a\u200bct now")}),
]
GOOD = [
    ("en", "Tenants Together: the hearing on your rent is Tuesday at 9 am. Can you come? Reply YES."),
    ("en", "Reply YES, HOST or STOP. Reply HELP for help. Text RENT STRIKE to 12345."),
    ("en", "Thank you! 214 of you came, and the council voted 7 to 2 for us. 🎉"),
    ("en", "The UAW, SEIU, AFL-CIO and NATO met in NYC; Title VII and Pope John XXIII."),
    ("en", "We came last. Chance of rain on Friday; bring an umbrella. It is urgent that we talk."),
    ("en", "Can 3 of you match my shift? The 2026 match is at 7PM, the account of the meeting is below."),
    ("en", "Official results come at 8. It isn't over: the vote is next week, so we have time."),
    ("en", "Read it all at https://example.org/LAST-CHANCE-ACT-NOW?x=FINAL_NOTICE_TODAY."),
    ("es", "Hola {{ first_name }}, la asamblea es el martes a las 19:00. ¿Puedes venir? Responde con SÍ o NO."),
    ("es", "¡Gracias! ¿Nos vemos el jueves en la plaza? Es urgente hablar con el casero."),
    ("fr", "Bonjour ! La réunion a lieu mardi à 19 h. Répondez OUI si vous venez. Merci à toutes et à tous."),
    ("fr", "Il est urgent de parler au bailleur ; la dernière réunion fut longue."),
    ("de", "Hallo, die Versammlung ist am Dienstag um 19 Uhr im SPD-Haus. Antworte mit JA, wenn du kommst."),
    ("de", "Es ist dringend nötig, schnell mit der Hausverwaltung zu sprechen."),
    ("pt", "Olá! A assembleia é terça às 19h. Você pode vir? Responda SIM."),
    ("pt", "Obrigada! É urgente falar com o senhorio."),
    ("ar", "مرحبا {{ first_name }}، الاجتماع يوم الثلاثاء الساعة 7 مساء. هل يمكنك الحضور؟ أجب بنعم."),
    ("ar", "شكرا لكم! الأمر عاجل ونحتاج إلى متطوعين."),
    ("he", "שלום, האסיפה ביום שלישי בשבע. אפשר להגיע?"),
    ("hi", "नमस्ते! बैठक मंगलवार को शाम 7 बजे है। क्या आप आ सकते हैं?"),
    ("zh", "您好！会议在星期二晚上七点。您能来吗？"),
    ("ja", "こんにちは。集会は火曜日の19時です。来られますか？"),
    ("ka", "გამარჯობა, კრება სამშაბათს 7 საათზეა."),
    ("en", "👨‍👩‍👧‍👦🏳️‍🌈🇺🇸"),
    ("en", "Come ‼️"),
    ("en", "We came last\r\n\r\nChance of rain"),
    ("en", "We came last\n\nChance of rain"),
    ("en", ""),
]
# fmt: on


@pytest.mark.parametrize(("locale", "text", "expected"), BAD)
def test_what_harms_is_marked(locale: str, text: str, expected: set[tuple[str, str]]) -> None:
    assert marked(text, locale=locale) == expected


@pytest.mark.parametrize(("locale", "text"), GOOD)
def test_plain_words_are_left_alone(locale: str, text: str) -> None:
    assert marked(text, locale=locale) == set()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Come to the CITY HALL TUESDAY", "CITY HALL TUESDAY"),
        ("THEY WON'T STOP HELP US TODAY", "THEY WON'T STOP HELP US TODAY"),
        ("MARCH 5 TUESDAY", "MARCH 5 TUESDAY"),
        ("JOIN TODAY: ASSEMBLY TONIGHT", "ASSEMBLY TONIGHT"),
        ("STOP EVICTIONS NOW TOGETHER STOP", "EVICTIONS NOW TOGETHER"),
        ("ÉCOUTEZ NOTRE COLÈRE", "ÉCOUTEZ NOTRE COLÈRE"),
        ("FRIEDLICHER SPAẞ heute", "FRIEDLICHER SPAẞ"),
        ("ACT NOW", ""),
        ("The NAACP UNICEF UNESCO meeting", ""),
        ("Chapters XVII XVIII MMXXVI", ""),
        ("WHEN: Tuesday. WHERE: Hall.", ""),
        ("JOIN\n\nTUESDAY", ""),
        ("THANKS الجميع FRIENDS", ""),
        ("Text UNION JOIN ALAMEDA to 12345", ""),
        ("ROOM B12 FLOOR", "ROOM B12 FLOOR"),
        ("Send a reply. JUSTICE TODAY", "JUSTICE TODAY"),
        ("The NSPCC HMRCS march", ""),
        ("Text THEM BEFORE NIGHT FALLS", "THEM BEFORE NIGHT FALLS"),
        ("I AM A TENANT", ""),
    ],
)
def test_what_shouts(text: str, words: str) -> None:
    assert [found.words for found in judge(text) if found.kind.value == "shouting"] == [words] * bool(words)


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("Re: our meeting", "Re:"),
        ("  RE: your gift", "RE:"),
        ("Re[2]: your gift", "Re[2]:"),
        ("Fwd : look", "Fwd :"),
        ("FW：look", "FW："),
        ("AW: Spende", "AW:"),
        ("RV: aviso", "RV:"),
        ("Res: aviso", "Res:"),
        ("TR: réunion", "TR:"),
        ("رد: اجتماع", "رد:"),
        ("إعادة توجيه: اجتماع", "إعادة توجيه:"),
        ("转发：会议", "转发："),
        ("Rent: the hearing", ""),
        ("Regarding rent", ""),
        ("The vote: Re: rent", ""),
        ("Re", ""),
        (":", ""),
    ],
)
def test_subjects_that_pretend_to_answer(subject: str, words: str) -> None:
    def found(**options: bool) -> list[str]:
        return [one.words for one in judge(subject, **options) if one.kind.value == "fake_reply"]

    assert found(is_subject=True) == [words] * bool(words)
    assert found(is_subject=True, is_answer=True) == [], "the answer to a question is an answer"
    assert found(is_subject=False) == []


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("Last chance to sign", "medium"),
        ("Last chance: hearing 9 am", "low"),
        ("On 12 May: last chance", "low"),
        ("Last chance: {{ deadline }}", "low"),
        ("Last chance: {{ title }}", "medium"),
        ("Last chance\nMeeting at 9", "medium"),
        ("Last chance for a 600% raise of $15, not 1,500", "medium"),
        ("Final notice", "high"),
        ("Final notice: hearing 9 am", "medium"),
    ],
)
def test_a_line_that_says_when_is_likely_true(text: str, severity: str) -> None:
    assert [found.severity.value for found in judge(text)] == [severity]


@pytest.mark.parametrize(
    ("address", "hides"),
    [
        ("https://example.org/page?x=1#y", False),
        ("HTTPS://WWW.EXAMPLE.ORG:443", False),
        ("www.example.org", False),
        ("https://t.co/x", True),
        ("https://www.BIT.ly./x", True),
        ("https://best.co/x", False),
        ("https://example.org@evil.example.net/", True),
        ("https://evil.example.net/@friend", False),
        ("http://203.0.113.5/x", True),
        ("http://3405803781/x", True),
        ("http://0xCB007105", True),
        ("http://[2001:db8::1]/x", True),
        ("https://xn--80ak6aa92e.example/", True),
        ("https://www.google.com/url?q=https://example.net", True),
        ("https://www.google.com/url?q=https%3A%2F%2Fexample.net", True),
        ("http://[", True),
        ("https://", False),
    ],
)
def test_addresses_that_hide_their_host(address: str, hides: bool) -> None:
    assert hides_host(address) is hides


@pytest.mark.parametrize(
    ("run", "count"),
    [
        ("🔥", 1),
        ("🔥🔥", 2),
        ("👍🏽👍🏿", 2),
        ("👨‍👩‍👧‍👦", 1),
        ("🇺🇸🇲🇽", 2),
        ("❤️‍🔥", 1),
        ("⭐ ⭐", 2),
        ("", 0),
        ("🏴󠁧󠁢󠁳󠁣󠁴󠁿", 1),
    ],
)
def test_emoji_are_counted_as_a_reader_sees_them(run: str, count: int) -> None:
    assert count_emoji(run) == count


def test_a_subject_bears_one_emoji() -> None:
    assert marked("Come 🔥🔥", is_subject=True) == {("emoji", "🔥🔥")}
    assert marked("Come 🔥🔥") == set()


def ask(texts: dict[str, Any], **fields: Any) -> Ask:
    return Ask.model_validate({"title": "Hearing on Tuesday", "texts": texts, **fields})


def found_in(one: Ask, **options: Any) -> set[tuple[str, str, str]]:
    findings = find_tone(one, TABLE, SPECS, organization=ORGANIZATION, **options)
    return {(found.kind.value, found.place, found.words) for found in findings}


def test_every_text_of_an_ask_is_read_and_every_finding_knows_its_place() -> None:
    button = {"label": "ACT NOW", "reply": "UNION POWER"}
    one = ask(
        {
            "en": {
                "default": {"text": "Tenants Together: come", "subject": "Re: rent", "buttons": [button]},
                "sms": {"text": "Tenants Together: LAST CHANCE {{ first_name }}"},
                "whatsapp": {"text": "Come", "template": "HX1", "variables": {"1": "act now", "2": "button:ACT NOW"}},
            },
            "es": {"default": {"text": "{{ organization }}: UNION POWER, no nos falles"}},
        },
        title="Final notice",
        link="https://example.org@example.net/x",
    )
    assert found_in(one) == {
        ("urgency", "title", "Final notice"),
        ("hidden_link", "link", "https://example.org@example.net/x"),
        ("fake_reply", "texts.en.default.subject", "Re:"),
        ("urgency", "texts.en.default.buttons.0.label", "ACT NOW"),
        ("urgency", "texts.en.sms.text", "LAST CHANCE"),
        ("shouting", "texts.en.sms.text", "LAST CHANCE"),
        ("urgency", "texts.en.whatsapp.variables.1", "act now"),
        ("guilt", "texts.es.default.text", "no nos falles"),
    }
    answer = one.model_copy(update={"kind": AskKind.REPLY})
    assert found_in(one) - found_in(answer) == {("fake_reply", "texts.en.default.subject", "Re:")}


def test_findings_are_sorted_and_do_not_depend_on_the_order_of_the_texts() -> None:
    words = {"text": "Act now! FINAL NOTICE TODAY!! Don't let us down"}
    one = ask({"en": {"default": words, "sms": words}, "fr": {"default": words}})
    other = ask({"fr": {"default": words}, "en": {"sms": words, "default": words}})
    findings = find_tone(one, TABLE, SPECS)
    assert findings == find_tone(other, TABLE, SPECS) != []
    assert findings == sorted(findings, key=lambda found: (found.place, found.start, found.end, found.kind))


@pytest.mark.parametrize(
    ("texts", "channels", "places"),
    [
        ({"sms": {"text": "Come"}, "default": {"text": "Come"}}, [], ["texts.en.sms.text"]),
        ({"default": {"text": "Come"}}, [], ["texts.en.default.text"]),
        ({"default": {"text": "Come"}}, ["email", "telegram"], []),
        ({"default": {"text": "tenants together asks you to come"}}, [], []),
        ({"default": {"text": "This is Maria with {{ organization }}"}}, [], []),
        ({"default": {"text": "{{ title }}"}}, [], ["texts.en.default.text"]),
        ({"default": {"text": "{{ nonsense }}"}}, [], []),
    ],
)
def test_a_text_message_names_its_sender(texts: dict[str, Any], channels: list[str], places: list[str]) -> None:
    one = ask({"en": texts}, channels=channels)
    findings = find_tone(one, TABLE, SPECS, organization=ORGANIZATION)
    assert [(found.place, found.words) for found in findings if found.kind.value == "no_sender"] == [
        (place, "") for place in places
    ]
    assert find_tone(one, TABLE, SPECS, organization=" ") == [], "a house without a name has none to give"


@pytest.mark.parametrize(
    ("name", "is_somebody"),
    [
        ("Maria", True),
        ("Maria Lopez", True),
        ("Tenants Together", False),
        ("Maria, Tenants Together", False),
        ("Maria (TENANTS)", False),
        ("TT", False),
        ("TenantsTogether News", False),
        ("", False),
        ("!", False),
    ],
)
def test_a_from_line_names_the_organization(name: str, is_somebody: bool) -> None:
    one = ask({"en": {"email": {"text": "Come"}}}, channels=["email"])
    expected = {("personal_sender", "from_names.email", name)} if is_somebody else set()
    assert found_in(one, from_names={"email": name}) == expected


@pytest.mark.parametrize(
    ("name", "organization", "is_somebody"),
    [("Duke of York", "Union of Tenants", True), ("The UK team", "UK ME", False), ("Maria", "UAW", True)],
)
def test_small_words_of_a_name_say_nothing_beside_long_ones(name: str, organization: str, is_somebody: bool) -> None:
    one = ask({"en": {"email": {"text": "Come"}}}, channels=["email"])
    findings = find_tone(one, TABLE, SPECS, organization=organization, from_names={"email": name})
    assert [found.kind.value for found in findings] == ["personal_sender"] * is_somebody


def test_the_organizations_own_capitals_are_its_name() -> None:
    words = {"text": "From TENANTS TOGETHER with thanks"}
    assert found_in(ask({"en": {"default": words}})) == set()
    assert marked(words["text"]) == {("shouting", "TENANTS TOGETHER")}


def test_it_blocks_nothing() -> None:
    one = ask({"en": {"default": {"text": "FINAL NOTICE!!! Don't let us down", "subject": "Re: you"}}})
    assert find_tone(one, TABLE, SPECS)
    assert find_problems(one, SPECS) == []


@pytest.mark.parametrize("section", ["published", "ours"])
def test_every_phrase_of_the_table_can_be_found(section: str) -> None:
    for row in FILE[section]:
        for written in row["words"]:
            words = written.replace("#", "3")
            is_prefix = row["kind"] == "fake_reply"
            text = f"{words}:" if is_prefix else f"{words}!" if row.get("when") else words
            found = [one for one in judge(text, locale=row["locale"], is_subject=is_prefix) if one.kind == row["kind"]]
            assert [one.words.removesuffix(":") for one in found] == [words], (row["kind"], written)
            assert section == "ours" or found[0].source == row["source"], written


def test_the_locale_names_the_row() -> None:
    def source(locale: str) -> str:
        return judge("URGENTE!", locale=locale)[0].source

    assert source("es") == source("es-MX") != source("pt-BR")
    assert source("xx") in (source("es"), source("pt"))


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    data = copy.deepcopy(FILE)
    change(data)
    return data


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (changed(lambda d: d["kinds"].pop("guilt")), "tone.toml: kinds"),
        (changed(lambda d: d["kinds"]["guilt"].update(why="")), "tone.toml: kinds.guilt.why"),
        (changed(lambda d: d["kinds"].update(nonsense={})), "tone.toml: kinds.nonsense.[key]"),
        (changed(lambda d: d["runs"].update(marks=1)), "tone.toml: runs.marks"),
        (changed(lambda d: d["published"][0].pop("source")), "tone.toml: published.0.source"),
        (changed(lambda d: d["published"][0].update(severity="grave")), "tone.toml: published.0.severity"),
        (changed(lambda d: d["published"][0].update(kind="shouting")), "tone.toml: published.0.kind"),
        (changed(lambda d: d["published"][0].update(words=["!?"])), "tone.toml: published.0.words"),
        (changed(lambda d: d["ours"][0].update(words=["Act--NOW"])), "tone.toml: ours.0.words"),
        (changed(lambda d: d["ours"][0].update(when="always")), "tone.toml: ours.0.when"),
        ({}, "tone.toml: kinds"),
    ],
)
def test_a_file_that_cannot_be_meant(data: dict[str, Any], place: str) -> None:
    with pytest.raises(BadInput) as refused:
        ToneTable.from_toml(data)
    assert refused.value.place == place
    assert refused.value.sentence
