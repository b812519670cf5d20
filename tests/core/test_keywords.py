"""What a reply means: the words of the table, however they are written, and the file that holds them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from router.core.data import data_folder
from router.core.errors import BadInput
from router.core.keywords import Intent, KeywordTable, classify, default_table
from router.core.keywords_phrases import spell_out

FILE = tomllib.loads((data_folder("config") / "keywords.toml").read_text("utf-8"))
ROWS = [*FILE["published"], *FILE["ours"]]

# fmt: off
STOPS = [
    # Twilio's defaults, the FCC's words and other providers'
    "STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT", "opt out", "Opt-Out", "OPT OUT.",
    "stop all", "STOP ALL", "REMOVE", "TD", "UNSUB", "stop2quit",
    # the same word, as thumbs write it
    "stop", "Stop", "sToP", " STOP\n", "STOP!!!", "stop.", "“Stop”", "«STOP»", "'stop'", "*stop*", "(stop)", "#stop",
    "STOP 🛑", "🛑🛑STOP", "STOP😡", "S.T.O.P.", "s t o p", "STOP?", "stop, stop, STOP", "Stop stop stop stop",
    "STOPSTOP STOP",
    "stop\u200b", "\ufeffstop", "STOP\u00a0", "st\u00adop", "\u202eSTOP\u202c", "\u200fSTOP\u200f",
    "\u2066stop\u2069",
    "ＳＴＯＰ", "ⓈⓉⓄⓅ", "𝐒𝐓𝐎𝐏", "🅂🅃🄾🄿", "S\u0336T\u0336O\u0336P\u0336", "stóp", "stop\x00", "Stopppp", "STOOOOOP",
    # what people say around it
    "please stop", "Stop, please!", "pls stop", "ok stop", "stop now", "STOP thank you", "Hi, stop please. Thanks!",
    "stop it",
    # slips of the thumb
    "stpo", "sotp", "sttop", "st0p", "unsubcribe", "Unsuscribe", "unsubscrib", "unsubsribe", "UNSUBSCRIBED",
    "ubsubscribe",
    "cancle", "cancell", "qiut", "revok", "please stpo texting me",
    # other languages and scripts
    "ARRET", "Arrêt", "arrête", "ALTO", "PARAR", "BAJA", "no más", "STOPP", "Abbruch", "abbestellen", "abmelden",
    "disiscrivi", "annulla", "sair", "afmelden", "avsluta", "avmeld", "lopeta", "rezygnuję", "REZYGNUJE", "iptal",
    "İPTAL", "dur", "стоп", "СТОП!", "отписаться", "досить", "στοπ", "ΔΙΑΚΟΠΗ", "διακοπή", "إلغاء", "الغاء",
    "إِلْغَاء",
    "توقف", "توقــف", "הסר", "הָסֵר", "لغو", "बंद करें", "বন্ধ করুন", "بند کریں", "停止", "退订", "退訂",
    "ストップ", "ｽﾄｯﾌﾟ",
    "수신거부", "huỷ", "hủy", "dừng", "sispann", "itigil", "berhenti", "dezabonare", "leiratkozás", "odhlásit",
    "หยุด", "நிறுத்து", "አቁም",
]
NOT_STOPS = [
    "what time does it stop?", "I will stop by at 6", "stop the eviction!", "Don't stop", "bus stop", "nonstop",
    "stopped", "the end", "end rent hikes", "I can't cancel work", "can I cancel my shift", "stop and frisk", "sto",
    "", "   ", "🛑", "?", "1️⃣", "ok", "स्टेशन", "\x00", "cancer", "quite", "quiet", "evoke", "top", "shop", "step",
    "stoop",
]
# fmt: on


@pytest.mark.parametrize("text", STOPS)
def test_stop_in_any_dress(text: str) -> None:
    assert classify(text).kind == "stop"
    assert classify(text, "pl").kind == "stop", "a stop holds whatever the member's language is"
    assert classify(text).certain


@pytest.mark.parametrize("text", NOT_STOPS)
def test_a_message_that_only_contains_the_word_is_no_stop(text: str) -> None:
    found = classify(text)
    assert (found.kind, found.certain) == ("none", False)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("START", "start"), ("unstop", "start"), ("Opt in", "start"), ("start please", "start"), ("début", "start"),
        ("Yes", "yes"), ("YES!", "yes"), ("Sí", "yes"), ("oui", "yes"), ("Ja", "yes"), ("да", "yes"), ("はい", "yes"),
        ("yesss", "yes"), ("Yes please", "yes"), ("evet", "yes"), ("हाँ", "yes"), ("ndiyo", "yes"), ("예", "yes"),
        ("כן", "yes"),
        ("No", "no"), ("nein", "no"), ("não", "no"), ("لا", "no"), ("No thanks", "no"), ("いいえ", "no"),
        ("hayır", "no"), ("不是", "no"),
        ("HELP", "help"), ("help?", "help"), ("info", "help"), ("AIDE", "help"), ("Hilfe", "help"), ("ayuda", "help"),
        ("hjælp", "help"), ("yardım", "help"), ("YARDIM", "help"), ("помощь", "help"), ("who is this?", "help"),
        ("please help", "help"), ("help help", "help"), ("msaada", "help"), ("도움말", "help"), ("tulong", "help"),
        ("maybe", "maybe"), ("not sure yet", "maybe"),
        ("I want to help", "none"), ("don't start", "none"), ("start a union", "none"), ("thanks!", "none"),
    ],
)  # fmt: skip
def test_the_other_words(text: str, kind: str) -> None:
    assert classify(text).kind == kind


@pytest.mark.parametrize(
    ("text", "locale", "kind"),
    [
        ("Tak", "pl", "yes"), ("Tak", "pl-PL", "yes"), ("Tak", "da", "thanks"), ("Tak", None, "none"),
        ("Tak", "fr", "none"),
        # ordinary words elsewhere: bound to their language
        ("fine", None, "none"), ("Fine!", "en-US", "none"), ("FINE", "it", "stop"), ("Fine", "it-IT", "stop"),
        ("tc", "en", "none"), ("TC", "vi", "stop"), ("off", None, "none"), ("OFF", "id", "stop"),
        ("uit", "nl", "stop"),
        ("fin", None, "none"), ("fin", "fr", "stop"), ("Ende", "de", "stop"), ("konec", "cs", "stop"),
        ("acha", "hi", "none"),
        ("acha", "sw", "stop"), ("T", "zh-CN", "stop"), ("T", "en", "none"), ("slut", "sv", "stop"),
        ("slut", None, "none"),
        ("seis", "es", "none"), ("seis", "fi", "stop"), ("hindi", "tl", "no"), ("hindi", None, "none"),
        ("nu", "ro", "no"),
        ("plus", "fr", "more"), ("plus", None, "none"), ("có", "vi", "yes"),
    ],
)  # fmt: skip
def test_the_locale_decides_where_languages_disagree(text: str, locale: str | None, kind: str) -> None:
    assert classify(text, locale).kind == kind


def test_an_intent_says_which_words_decided_it() -> None:
    found = classify("ARRÊT !")
    assert (found.kind, found.locale, found.word) == ("stop", "fr", "arret")
    assert classify("We moved, so please take me off your list. Thanks!").word == "takemeoffyourlist"
    assert classify("STOP. Who are you people?").word == "stop"
    assert Intent("stop") == Intent("stop", "", "", "", None, "", True)


def variants(written: str) -> Iterator[str]:
    """A row's word as it is, or each of its choices at least once."""
    if "(" not in written:
        yield written
        return
    for slots in spell_out(written):
        for turn in range(max(len(slot) for slot in slots)):
            yield " ".join(sorted(slot)[turn % len(slot)] for slot in slots)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['intent']}-{row.get('locale', '')}")
def test_every_word_of_the_file_means_what_its_row_says(row: dict[str, Any]) -> None:
    locale = row.get("locale")
    for text in (text for word in row["words"] for text in variants(word)):
        assert classify(text, locale).kind == row["intent"], text
        if row["intent"] == "stop" and not row.get("bound"):
            assert classify(text).kind == "stop", text
        if "value" in row:
            assert classify(text, locale).value == row["value"], text
    for word in (word for word in row["words"] if "(" not in word):
        assert classify(f"  “{word.upper()}”! 🙂 ", locale).kind == row["intent"], word


def test_stop_is_known_in_more_than_thirty_languages_and_normal_language_in_more_than_twenty() -> None:
    stops = [row for row in ROWS if row["intent"] == "stop"]
    assert len({row["locale"] for row in stops}) > 30
    assert len({row["locale"] for row in stops if row.get("where") == "anywhere"}) > 20
    for kind in ("yes", "no", "help", "start"):
        assert len({row["locale"] for row in ROWS if row["intent"] == kind}) > 20


def test_every_row_has_a_public_source_or_lies_apart_with_a_reason() -> None:
    for row in FILE["published"]:
        assert "https://" in row["source"] or "http://" in row["source"], row
    assert all(len(row["reason"]) > 5 and "source" not in row for row in FILE["ours"])
    for section in ("series", "unit", "filler", "guard", "cut"):
        assert all(("source" in row) != ("reason" in row) for row in FILE[section])


def _data(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"published": [{"intent": "stop", "source": "x", "words": ["halt"]}, *rows], **more}


def test_a_table_of_ones_own() -> None:
    table = KeywordTable.from_toml(_data({"intent": "rsvp", "locale": "en", "source": "x", "words": ["I'm in"]}))
    assert classify("HALT", table=table).kind == "stop"
    assert classify("im in", table=table).kind == "rsvp"
    assert classify("stop", table=table).kind == "none"
    assert default_table() is default_table()


def test_stop_wins_over_another_language() -> None:
    table = KeywordTable.from_toml(_data({"intent": "yes", "locale": "xx", "source": "x", "words": ["halt"]}))
    assert table.classify("halt", "xx").kind == "stop"


def test_a_phrase_with_choices_holds_for_each_of_them() -> None:
    row = {"intent": "yes", "source": "x", "words": ["count (me|us both) (in|)"], "where": "anywhere"}
    table = KeywordTable.from_toml(_data(row))
    for text in ("count me", "Count me in", "count us both in", "and please count me in for Friday"):
        assert table.classify(text).kind == "yes", text
    for text in ("count", "count us in", "count both in"):
        assert table.classify(text).kind == "none", text


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({}, "keywords.toml: published"),
        ({"published": []}, "keywords.toml: published"),
        (_data({"intent": "stop", "words": ["x"]}), "keywords.toml: published.1.source"),
        (_data({"intent": "STOP!", "source": "x", "words": ["x"]}), "keywords.toml: published.1.intent"),
        (_data({"intent": "stop", "source": "x", "words": [""]}), "keywords.toml: published.1.words.0"),
        (_data({"intent": "stop", "source": "x", "words": ["🛑"]}), "keywords.toml: published.1.words"),
        (_data({"intent": "stop", "source": "x", "words": ["(🛑|)"]}), "keywords.toml: published.1.words"),
        (_data({"intent": "yes", "source": "x", "words": ["Halt!"]}), "keywords.toml: published.1.words"),
        (_data({"intent": "yes", "source": "x", "words": "halt"}), "keywords.toml: published.1.words"),
        (_data({"intent": "yes", "locale": "??", "source": "x", "words": ["a"]}), "keywords.toml: published.1.locale"),
        (_data({"intent": "yes", "where": "here", "source": "x", "words": ["a"]}), "keywords.toml: published.1.where"),
        (_data(ours=[{"intent": "yes", "words": [], "reason": "x"}]), "keywords.toml: ours.0.words"),
        (_data(ours=[{"intent": "yes", "words": ["a"]}]), "keywords.toml: ours.0.reason"),
        (_data(filler=[{"words": ["please"]}]), "keywords.toml: filler.0"),
        (_data(filler=[{"words": ["please"], "reason": "x", "source": "y"}]), "keywords.toml: filler.0"),
        (_data(others=[]), "keywords.toml: others"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(data: dict[str, Any], place: str) -> None:
    with pytest.raises(BadInput) as caught:
        KeywordTable.from_toml(data)
    assert caught.value.place == place
