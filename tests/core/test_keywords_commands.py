"""Words that hold at any time: LESS, MORE, PAUSE, EMAIL ME INSTEAD, WHY, JOIN, PROPOSE, SECOND, REPORT."""

from __future__ import annotations

from datetime import date

import pytest

from router.core.keywords import classify
from router.core.keywords_values import pause_days


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("LESS", "less"), ("less please", "less"), ("too many texts", "less"), ("Fewer messages!", "less"),
        ("menos", "less"),
        ("weniger", "less"), ("moins de messages", "less"), ("реже", "less"), ("too often", "less"),
        ("MORE", "more"), ("more please", "more"), ("más", "more"), ("mehr", "more"), ("more info", "help"),
        ("WHY", "why"), ("why?", "why"), ("Why me", "why"), ("Why am I getting this?", "why"),
        ("why are you texting me", "why"),
        ("How did you get my number?", "why"), ("Hey who gave you my number", "why"), ("por qué", "why"),
        ("pourquoi ?", "why"),
        ("почему", "why"), ("为什么", "why"), ("why is the rent so high", "none"), ("more rent control now", "none"),
    ],
)  # fmt: skip
def test_words_that_stand_alone(text: str, kind: str) -> None:
    assert classify(text).kind == kind


@pytest.mark.parametrize(
    ("text", "locale", "value"),
    [
        ("PAUSE 2 WEEKS", None, "14"), ("pause two weeks", None, "14"), ("pause 2w", None, "14"),
        ("pause 14 days", None, "14"),
        ("Pause me for a month please", None, "30"), ("pause for a week", None, "7"),
        ("pause a couple of weeks", None, "14"),
        ("snooze 3 days", None, "3"), ("pause a fortnight", None, "14"), ("pausa 2 semanas", None, "14"),
        ("pausa dos semanas", "es", "14"),
        ("Pause 2 Wochen", "de", "14"), ("pause deux semaines", "fr", "14"), ("пауза 2 недели", None, "14"),
        ("暂停2周", None, "14"),
        ("一時停止 2週間", None, "14"), ("إيقاف مؤقت أسبوعين", "ar", "14"), ("pauza 3 tygodnie", None, "21"),
        ("pause", None, ""), ("Pause please", None, ""), ("mute me", None, ""), ("take a break", None, ""),
        ("إيقاف مؤقت", None, ""),
        ("PAUSE UNTIL JANUARY", None, "--01"), ("pause until 15 March", None, "--03-15"),
        ("pause until march 15th", None, "--03-15"),
        ("Pause till Jan 1", None, "--01-01"), ("Pause bis Januar", "de", "--01"),
        ("pausa hasta enero", "es", "--01"),
    ],
)  # fmt: skip
def test_a_pause_and_how_long(text: str, locale: str | None, value: str) -> None:
    found = classify(text, locale)
    assert (found.kind, found.value, found.certain) == ("pause", value, True)


@pytest.mark.parametrize("text", ["pause 10 years", "pause forever", "pause 0 days", "pause 9999 weeks"])
def test_a_pause_that_is_none_is_flagged(text: str) -> None:
    found = classify(text)
    assert (found.kind, found.certain) == ("pause", False)


@pytest.mark.parametrize(
    "text", ["pause the eviction", "pause the march", "pause until they go", "pause until 40 March"]
)
def test_what_else_may_be_paused(text: str) -> None:
    assert classify(text).kind == "none"


@pytest.mark.parametrize(
    ("value", "today", "days"),
    [
        ("14", date(2026, 11, 22), 14), ("", date(2026, 11, 22), None), ("x", date(2026, 11, 22), None),
        ("--01", date(2026, 11, 22), 40), ("--11", date(2026, 11, 22), 344), ("--11-23", date(2026, 11, 22), 1),
        ("--11-22", date(2026, 11, 22), 365), ("--02-29", date(2026, 11, 22), 99), ("--04-31", date(2027, 4, 1), 30),
        ("--12-31", date(2026, 12, 31), 365), ("--01-01", date(2026, 12, 31), 1),
    ],
)  # fmt: skip
def test_the_days_of_a_pause(value: str, today: date, days: int | None) -> None:
    assert pause_days(value, today) == days


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("EMAIL ME INSTEAD", "email"), ("email instead please", "email"), ("Can you email me instead?", "email"),
        ("I prefer email", "email"),
        ("by email only", "email"), ("email me", "email"), ("TEXT ME INSTEAD", "sms"), ("switch me to sms", "sms"),
        ("text me", "sms"),
        ("switch me to whatsapp", "whatsapp"), ("WhatsApp me instead", "whatsapp"), ("telegram instead", "telegram"),
        ("use slack instead", "slack"), ("mejor por correo", "email"), ("lieber per Mail", "email"),
        ("plutôt par mail", "email"),
    ],
)  # fmt: skip
def test_another_channel(text: str, value: str) -> None:
    found = classify(text)
    assert (found.kind, found.value) == ("channel", value)


@pytest.mark.parametrize("text", ["email me the flyer", "I will text my friends", "don't email me instead"])
def test_what_only_names_a_channel(text: str) -> None:
    assert classify(text).kind != "channel"


@pytest.mark.parametrize(
    ("text", "kind", "value", "certain"),
    [
        ("JOIN RENT1", "join", "RENT1", True), ("join rent1", "join", "RENT1", True),
        ("JOIN ab-12!", "join", "AB-12", True),
        ("Join renters", "join", "RENTERS", False), ("JOIN", "join", "", True),
        ("join “RENT1”", "join", "RENT1", True),
        ("SECOND R17", "second", "R17", True), ("I second R17", "second", "R17", True),
        ("second", "second", "", True),
        ("PROPOSE march on city hall", "propose", "march on city hall", True),
        ("propose: a vote on the Rent Strike!", "propose", "a vote on the Rent Strike", True),
        ("Propose a walk", "propose", "a walk", False), ("REPORT", "report", "", True),
        ("REPORT somebody collects money", "report", "somebody collects money", True),
        ("report: harassment", "report", "harassment", True),
        ("report back from dinner", "report", "back from dinner", False),
    ],
)  # fmt: skip
def test_commands_with_something_along(text: str, kind: str, value: str, certain: bool) -> None:
    found = classify(text)
    assert (found.kind, found.value, found.certain) == (kind, value, certain)


@pytest.mark.parametrize(
    "text", ["join us", "Join the march tonight", "second thoughts about tonight", "one second", "we propose nothing"]
)
def test_everyday_sentences_with_such_a_word(text: str) -> None:
    assert classify(text).kind == "none"


def test_a_long_proposal_is_kept_up_to_one_character_beyond_its_limit() -> None:
    """So that nobody takes what was cut for the whole."""
    assert classify("PROPOSE " + "x y " * 2_000).value == ("x y " * 2_000)[:1_001]
