"""Changes of the rules, said in the languages of members' pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from router.core.catalogue import translator
from router.core.phrases import LANGUAGES, holes
from router.core.policy_directions import DIRECTIONS
from router.core.policy_words import limits_of, sentence_of
from router.policy_changes.sights import Change
from router.web.rule_words import say_change

NOW = datetime(2026, 11, 20, tzinfo=UTC)
WEEKDAYS = {"weekdays": "09:00-20:30", "saturday": "10:00-20:00", "sunday": "closed"}
DAILY = {"daily": "07:00-21:00"}
MONEY = {"purposes": ["fundraising"], "channels": ["sms", "whatsapp"]}


def change(rule: str, old: Any, new: Any, **rest: Any) -> Change:
    """One as the pages get it, among other rules that hold."""
    were = rest if old is None else {**rest, rule: old}
    become = rest if new is None else {**rest, rule: new}
    before, after = limits_of(rule, were, become)
    return Change(
        id=1, status="announced", sentence=sentence_of(rule, were, become), file="policy.toml", key="", rule=rule,
        old=old, new=new, before=before, after=after, announced_at=NOW, effective_at=NOW,
    )  # fmt: skip


def in_german(*of: Any, **rest: Any) -> str:
    return say_change(translator("de"), change(*of, **rest)).words


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_each_rule_with_a_direction_has_a_sentence_in_each_language(language: str) -> None:
    speak = translator(language)
    for rule, direction in DIRECTIONS.items():
        assert speak.knows(direction.says), rule
        assert holes(speak.gettext(direction.says)) == holes(direction.says), rule


def test_a_sentence_belongs_to_one_unit_for_its_translations_have_the_unit_in_them() -> None:
    units: dict[str, set[str]] = {}
    for direction in DIRECTIONS.values():
        units.setdefault(direction.says, set()).add(direction.unit)
    assert {says: kinds for says, kinds in units.items() if len(kinds) > 1} == {}


@pytest.mark.parametrize(
    ("rule", "old", "new", "said"),
    [
        ("policy.budget.overall.week", 3, 4, "Ein Mitglied darf in 7 Tagen öfter gefragt werden: 4-mal statt 3-mal."),
        ("policy.budget.overall.week", 3, None, "∞-mal statt 3-mal."),
        ("policy.budget.overall.gap_hours", 20, None, "wieder gefragt werden: 0 statt 20."),
        ("policy.budget.unanswered.widen_by", 2, 1.5, "auf das 1,5-Fache statt auf das 2-Fache."),
        ("policy.budget.channels.push.covers", ["fcm", "webpush"], ["fcm"],
         "(Benachrichtigung) werden zusammen weniger Kanäle angerechnet: Benachrichtigung unserer App statt "
         "Benachrichtigung unserer App und Benachrichtigung im Browser."),
        ("policy.guard.limits.opt_outs.email", 0.005, 0.0125, "nichts mehr hören will: 1,25% statt 0,5%."),
        ("policy.guard.limits.errors", 0.2, None, "nicht zugestellt werden kann: 100% statt 20%."),
        ("policy.guard.ramp.shares", [0.1, 0.4], [0.2, 0.5], "20% und 50% statt 10% und 40%."),
        ("policy.retry.dead_after_days", 14, 21, "erst nach mehr Tagen aufgegeben: 21 statt 14."),
        ("policy.spend.month.EUR", 900, None, "im Monat mehr kosten (EUR): ∞ statt 900."),
        ("policy.spend.month.EUR", 900.5, 1_250, "(EUR): 1.250 statt 900,5."),
        ("policy.stop_covers.sms", ["sms", "call"], ["sms"],
         "(SMS) bringt weniger zum Schweigen: SMS statt SMS und Telefon."),
        ("quiet_hours.channels.default", WEEKDAYS, DAILY,
         "kommen (jeder andere Kanal): Mo.–So. 07:00-21:00 statt "
         "Mo.–Fr. 09:00-20:30, Sa. 10:00-20:00 und So. geschlossen."),
        ("quiet_hours.channels.sms", DAILY, None, "(SMS): zu jeder Stunde statt Mo.–So. 07:00-21:00."),
        ("quiet_hours.fundraising", MONEY | DAILY | {"areas": {"US-CT": DAILY, "US-FL": DAILY}},
         MONEY | {"daily": "06:00-21:00", "areas": {"US-CT": DAILY, "US-FL": {"daily": "06:00-22:00"}}},
         "Mo.–So. 06:00-21:00 (SMS und WhatsApp); US-FL Mo.–So. 06:00-22:00 statt "
         "Mo.–So. 07:00-21:00 (SMS und WhatsApp); US-FL Mo.–So. 07:00-21:00."),
        ("quiet_hours.fundraising", MONEY | DAILY, None, "zu allen Stunden anderer Bitten statt Mo.–So."),
        ("quiet_hours.unknown.US", {"zone": "America/New_York", "window": "12:00-20:00"},
         {"zone": "America/New_York", "window": "11:00-20:00"},
         "(US), dürfen Nachrichten zu anderen Zeiten kommen: 11:00-20:00 (America/New_York) statt 12:00-20:00"),
        ("quiet_hours.unknown.default", {"zone": "UTC", "window": "16:00-19:00"}, None,
         "(jedes andere Land), dürfen Nachrichten zu anderen Zeiten kommen: in den Stunden, die seine Uhren"),
    ],
)  # fmt: skip
def test_values_stand_in_the_sentence_as_its_language_has_them(rule: str, old: Any, new: Any, said: str) -> None:
    assert said in in_german(rule, old, new)


def test_where_a_row_of_its_own_goes_the_default_is_what_holds() -> None:
    default = {"policy.guard.limits.opt_outs.default": 0.01}
    assert in_german("policy.guard.limits.opt_outs.email", 0.005, None, **default).endswith("1% statt 0,5%.")


def test_a_country_without_a_row_is_no_channel_in_english_either() -> None:
    said = change("quiet_hours.unknown.default", {"zone": "UTC", "window": "16:00-19:00"}, None).sentence
    assert said.startswith("where we do not know somebody's time zone (any other country), messages may arrive in the")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_language_of_a_sentence_is_said_with_it(language: str) -> None:
    said = say_change(translator(language), change("policy.inbox.reply_share", 0.14, 0.1))
    assert said.language == language
    assert said.words.endswith(".")
