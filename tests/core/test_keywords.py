"""What a reply means, and what it must not be taken for."""

from __future__ import annotations

import time
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.data import data_folder
from router.core.errors import BadInput
from router.core.keywords import KeywordTable, classify, default_table, fold

FILE = tomllib.loads((data_folder("config") / "keywords.toml").read_text("utf-8"))

# fmt: off
STOPS = [
    # Twilio's defaults and the FCC's words
    "STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT", "opt out", "Opt-Out", "OPT OUT.",
    # the same word, as thumbs write it
    "stop", "Stop", "sToP", " STOP\n", "STOP!!!", "stop.", "“Stop”", "«STOP»", "'stop'", "*stop*",
    "STOP 🛑", "🛑🛑STOP",
    "S.T.O.P.", "s t o p", "stop\u200b", "\ufeffstop", "STOP\u00a0", "ＳＴＯＰ", "ⓈⓉⓄⓅ", "stop all",
    "STOP ALL", "STOP😡",
    # everyday language
    "please stop", "Stop, please!", "stop texting me", "Please stop texting me.", "unsubscribe me", "remove me",
    "Remove me from your list!", "take me off your list", "don't text me", "don’t text me", "DONT TEXT ME",
    # other languages and scripts
    "ARRET", "Arrêt", "arrête", "ALTO", "PARAR", "BAJA", "no más", "STOPP", "Abbruch", "abbestellen", "abmelden",
    "disiscrivi", "annulla", "sair", "afmelden", "avsluta", "avmeld", "lopeta", "rezygnuję", "REZYGNUJE", "iptal",
    "İPTAL", "dur", "стоп", "СТОП!", "отписаться", "досить", "στοπ", "ΔΙΑΚΟΠΗ", "διακοπή", "إلغاء", "الغاء", "إِلْغَاء",
    "توقف",
    "הסר", "لغو", "बंद करें", "停止", "退订", "退訂", "ストップ", "ｽﾄｯﾌﾟ", "수신거부", "huỷ", "hủy", "dừng", "sispann",
]
NOT_STOPS = [
    "what time does it stop?", "I will stop by at 6", "stop the eviction!", "Don't stop", "bus stop", "nonstop",
    "stopped",
    "the end", "end rent hikes", "I can't cancel work", "can I cancel my shift", "stop and frisk", "STOP2END", "sto",
    "stopp!n",
    "", "   ", "🛑", "?", "1️⃣", "ok", "STOP " * 500, "स्टेशन", "\x00",
]
# fmt: on


@pytest.mark.parametrize("text", STOPS)
def test_stop_in_any_dress(text: str) -> None:
    assert classify(text).kind == "stop"
    assert classify(text, "pl").kind == "stop", "a stop holds whatever the member's language is"


@pytest.mark.parametrize("text", NOT_STOPS)
def test_a_message_that_only_contains_the_word_is_no_stop(text: str) -> None:
    assert classify(text).kind == "none"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("START", "start"),
        ("unstop", "start"),
        ("Opt in", "start"),
        ("Yes", "yes"),
        ("YES!", "yes"),
        ("Sí", "yes"),
        ("oui", "yes"),
        ("Ja", "yes"),
        ("да", "yes"),
        ("はい", "yes"),
        ("No", "no"),
        ("nein", "no"),
        ("não", "no"),
        ("لا", "no"),
        ("HELP", "help"),
        ("help?", "help"),
        ("info", "help"),
        ("AIDE", "help"),
        ("Hilfe", "help"),
        ("ayuda", "help"),
        ("hjælp", "help"),
        ("yardım", "help"),
        ("YARDIM", "help"),
        ("помощь", "help"),
        ("who is this?", "help"),
    ],
)
def test_the_other_words(text: str, kind: str) -> None:
    assert classify(text).kind == kind


def test_the_locale_decides_where_languages_disagree() -> None:
    assert classify("Tak", "pl").kind == "yes"
    assert classify("Tak", "pl-PL").kind == "yes"
    assert classify("Tak", "da").kind == "thanks"
    assert classify("Tak").kind == classify("Tak", "fr").kind == "none"


def test_an_intent_says_which_word_decided_it() -> None:
    found = classify("ARRÊT !")
    assert (found.kind, found.locale, found.word) == ("stop", "fr", "arret")


@pytest.mark.parametrize("row", [*FILE["published"], *FILE["ours"]], ids=lambda row: f"{row['intent']}-{row['locale']}")
def test_every_word_of_the_file_means_what_its_row_says(row: dict[str, Any]) -> None:
    for word in row["words"]:
        assert classify(word, row["locale"]).kind == row["intent"], word
        assert classify(f"  “{word.upper()}”! 🙂 ", row["locale"]).kind == row["intent"], word


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


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({}, "keywords.toml: published"),
        ({"published": []}, "keywords.toml: published"),
        (_data({"intent": "stop", "words": ["x"]}), "keywords.toml: published.1.source"),
        (_data({"intent": "STOP!", "source": "x", "words": ["x"]}), "keywords.toml: published.1.intent"),
        (_data({"intent": "stop", "source": "x", "words": [""]}), "keywords.toml: published.1.words.0"),
        (_data({"intent": "stop", "source": "x", "words": ["🛑"]}), "keywords.toml: published.1.words"),
        (_data({"intent": "yes", "source": "x", "words": ["Halt!"]}), "keywords.toml: published.1.words"),
        (_data({"intent": "yes", "source": "x", "words": "halt"}), "keywords.toml: published.1.words"),
        (_data({"intent": "yes", "locale": "??", "source": "x", "words": ["a"]}), "keywords.toml: published.1.locale"),
        (_data(ours=[{"intent": "yes", "words": []}]), "keywords.toml: ours.0.words"),
        (_data(others=[]), "keywords.toml: others"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(data: dict[str, Any], place: str) -> None:
    with pytest.raises(BadInput) as caught:
        KeywordTable.from_toml(data)
    assert caught.value.place == place


@given(st.text(max_size=300), st.sampled_from([None, "", "en", "es-MX", "xx"]))
def test_any_text_has_an_intent(text: str, locale: str | None) -> None:
    assert classify(text, locale).kind in {"stop", "start", "help", "yes", "no", "thanks", "none"}


@given(st.text(max_size=80))
def test_folding_folds_nothing_more_the_second_time(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(
    st.sampled_from(["stop", "arrêt", "стоп", "إلغاء", "停止"]),
    st.text(alphabet=" .,!?\"'“”*-_()🛑🙂\u200d\ufe0f", max_size=9),
)
def test_what_stands_around_a_word_does_not_matter(word: str, around: str) -> None:
    assert classify(around + word + around).kind == "stop"


def test_the_longest_message_costs_no_more_than_its_length() -> None:
    hardest = ["a" * 1_600, "é" * 1_600, "\u0301" * 1_600, "ﷺ" * 1_600, "stop " * 320, "🛑" * 1_600, "x" * 10_000_000]
    started = time.perf_counter()
    for text in hardest:
        classify(text)
    assert time.perf_counter() - started < 2.0
