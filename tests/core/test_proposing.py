"""Ideas: which words can be one, what carries it, what holds it, what staff may and may not do about it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.policy import read_policy
from router.core.proposal_policy import ProposalPolicy
from router.core.proposal_rules import (
    KEPT,
    Decision,
    Standing,
    has_earned,
    is_binding,
    is_due,
    is_lifted,
    is_new_crowd,
    votes_needed,
    why_not,
)
from router.core.proposing import Fault, find_fault, is_moderated, name_languages, same, tidy, with_its_end
from router.settings import load_settings, load_toml

POLICY: ProposalPolicy = read_policy(load_toml("policy", load_settings())).proposals
IDEA = "Let us plant trees in the harbour street"


def with_(**changes: object) -> ProposalPolicy:
    return POLICY.model_copy(update=changes)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (IDEA, None),
        ("", Fault.EMPTY),
        ("🌳", Fault.SHORT),
        ("🌳" * 400, Fault.SHORT),
        ("yes", Fault.SHORT),
        ("- . , ! ? ; : ( ) [ ] { } / + * # & % $ @", Fault.SHORT),
        ("x" * 500, None),
        ("x" * 501, Fault.LONG),
        ("x" * 4_000, Fault.LONG),
        ("https://example.org/a/very/long/address/of/a/page", Fault.LINKS),
        ("look: www.example.org/trees-in-the-harbour-street", Fault.LINKS),
        ("buy.example.org/cheap best-offers.example.com/now", Fault.LINKS),
        (f"{IDEA}, as in https://example.org/trees", None),
        ("Plantemos árboles en la calle del puerto, ¡ya!", None),
        ("لنزرع الأشجار في شارع الميناء القديم", None),
        ("Давайте посадим деревья на набережной", Fault.LANGUAGE),
        ("让我们在港口街上种植更多的树木并且修建一条自行车道", Fault.LANGUAGE),
        ("Ας φυτέψουμε δέντρα στον δρόμο του λιμανιού", Fault.LANGUAGE),
        ("Let us name the harbour street after Ada Лав, who lived there", None),
        ("Let us plant trees: Давайте посадим деревья на набережной", Fault.LANGUAGE),
        ("𝐋𝐞𝐭 𝐮𝐬 𝐩𝐥𝐚𝐧𝐭 𝐭𝐫𝐞𝐞𝐬 𝐢𝐧 𝐭𝐡𝐞 𝐡𝐚𝐫𝐛𝐨𝐮𝐫 𝐬𝐭𝐫𝐞𝐞𝐭", None),
        ("Let us shut 12 h a day for cars: 1st, 2nd and 3rd street", None),
        ("00000000000000000000", None),
    ],
)
def test_what_can_be_an_idea(words: str, fault: Fault | None) -> None:
    assert find_fault(tidy(words), POLICY) is fault


@pytest.mark.parametrize(
    ("languages", "words", "fault"),
    [
        (["ar"], IDEA, Fault.LANGUAGE),
        (["ru"], "Давайте посадим деревья на набережной", None),
        (["ja"], "港通りに木を植えてベンチを置いて車を止めましょう", None),
        (["sr"], "Zasadimo drveće u ulici, засадимо дрвеће", None),
        (["ko"], "항구 거리에 나무를 심고 벤치를 더 놓고 자동차를 막읍시다", None),
    ],
)
def test_a_language_is_known_by_its_letters(languages: list[str], words: str, fault: Fault | None) -> None:
    assert find_fault(tidy(words), with_(languages=languages)) is fault


@pytest.mark.parametrize(
    ("locale", "moderated"), [("en", True), ("es-MX", True), ("PT-br", True), ("", True), ("tr", False), ("ru", False)]
)
def test_a_locale_is_moderated_or_not(locale: str, moderated: bool) -> None:
    assert is_moderated(locale, POLICY) is moderated


def test_languages_are_named_in_their_own_words() -> None:
    assert name_languages(with_(languages=["en", "ar", "mi"])) == "English, العربية, mi"


@pytest.mark.parametrize(
    ("words", "tidied"),
    [
        ("  two\r\nlines\tand\u2028a third ", "two lines and a third"),
        ("a\u202eb\u200bc\ufeff\x00d\x1be", "abc d e"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("cafe\u0301", "café"),
        ("\ud800x", "x"),
    ],
)
def test_an_idea_is_one_line_of_what_can_be_seen(words: str, tidied: str) -> None:
    assert tidy(words) == tidied


@given(st.text(max_size=300))
def test_tidying_twice_changes_nothing_and_leaves_no_control_character(words: str) -> None:
    once = tidy(words)
    assert tidy(once) == once
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in once)
    find_fault(once, POLICY)


@pytest.mark.parametrize(
    ("value", "text", "whole"),
    [
        ("a vote on rents", "PROPOSE: a vote on rents!", "a vote on rents!"),
        ("a vote?! yes", "PROPOSE a vote?! yes", "a vote?! yes"),
        ("a vote", "PROPOSE (a vote)", "a vote"),
        ("", "PROPOSE ...", ""),
        ("a (b", "PROPOSE a (b...", "a (b..."),
        ("gone", "PROPOSE", "gone"),
    ],
)
def test_the_end_of_a_sentence_belongs_to_it(value: str, text: str, whole: str) -> None:
    assert with_its_end(value, text) == whole


def test_the_same_words_are_the_same_idea() -> None:
    assert same("Plant  TREES, now!", "plant trees now")
    assert not same("Plant trees now", "Plant trees later")


OPEN = Standing(status="open", stage="", group_id=0, seconds=0)
OWN = OPEN._replace(group_id=9)


@pytest.mark.parametrize(
    ("idea", "in_group", "earned"),
    [
        (OPEN._replace(seconds=24), 0, False),
        (OPEN._replace(seconds=25), 0, True),
        (OPEN._replace(seconds=24), 24, False),
        (OWN._replace(seconds=4), 4, False),
        (OWN._replace(seconds=5), 5, True),
        (OWN._replace(seconds=10), 4, False),
        (OWN._replace(seconds=24, stage="group"), 24, False),
        (OWN._replace(seconds=25, stage="group"), 0, True),
        (OPEN._replace(seconds=99, stage="test"), 0, False),
        (OPEN._replace(seconds=99, stage="region"), 0, False),
    ],
)
def test_what_seconds_carry(idea: Standing, in_group: int, earned: bool) -> None:
    assert has_earned(idea, in_group, POLICY) is earned
    assert is_due(idea, in_group, POLICY) is earned


def test_a_step_that_has_its_time_is_left_there_but_for_the_second_that_brings_it_before_the_movement() -> None:
    scheduled = OWN._replace(is_scheduled=True, stage="group")
    assert not is_due(OWN._replace(is_scheduled=True, seconds=6), 6, POLICY)
    assert is_due(scheduled._replace(seconds=25), 0, POLICY)
    assert not is_due(scheduled._replace(seconds=26), 0, POLICY)


@pytest.mark.parametrize(
    ("seconds", "new", "held"), [(9, 9, False), (10, 4, False), (10, 5, True), (11, 5, False), (100, 50, True)]
)
def test_a_crowd_that_is_too_new_is_looked_at_once(seconds: int, new: int, held: bool) -> None:
    idea = OPEN._replace(seconds=seconds)
    assert is_new_crowd(idea, new, POLICY) is held
    assert not is_new_crowd(idea._replace(reason=KEPT), new, POLICY)


REFUSED = OPEN._replace(status="refused", rule="false")


@pytest.mark.parametrize(
    ("idea", "lifted"),
    [
        (REFUSED._replace(objections=49), False),
        (REFUSED._replace(objections=50), True),
        (REFUSED._replace(objections=5_000, rule="law"), False),
        (REFUSED._replace(objections=50, status="open"), False),
        (REFUSED._replace(objections=50, rule="gone"), True),
    ],
)
def test_objections_lift_what_does_not_bind(idea: Standing, lifted: bool) -> None:
    assert is_lifted(idea, POLICY) is lifted


HELD = OPEN._replace(status="held", reason="reports")
WIDE = OPEN._replace(seconds=25)
K, M, R = Decision.KEEP, Decision.REMOVE, Decision.REFUSE


@pytest.mark.parametrize(
    ("decision", "rule", "idea", "sentence"),
    [
        (K, "", OPEN, "it stands"),
        (K, "", HELD, ""),
        (K, "", REFUSED, ""),
        (M, "", HELD, ""),
        (M, "", HELD._replace(group_id=9, stage="group"), ""),
        (M, "", OPEN, "name the published rule"),
        (M, "trade", OPEN, ""),
        (M, "harm", OWN, "members carry it"),
        (M, "harm", WIDE, "members carry it"),
        (M, "harm", OPEN._replace(stage="test"), "members carry it"),
        (M, "harm", REFUSED, "refused already"),
        (R, "", WIDE, "by a published rule"),
        (R, "dislike", WIDE, "no such rule"),
        (R, "money", WIDE, ""),
        (R, "money", OPEN, "no wider ask is due"),
        (R, "law", OWN._replace(seconds=24), "no wider ask is due"),
        (R, "law", OWN._replace(seconds=24, stage="group"), ""),
        (R, "false", OPEN._replace(stage="region"), ""),
        (R, "false", OPEN._replace(stage="all"), "everybody was asked"),
        (R, "false", HELD, "decide about that first"),
        (R, "money", WIDE._replace(rule="false"), "members lifted"),
        (R, "law", WIDE._replace(rule="false"), ""),
        *[(each, "law", OPEN._replace(status=over), "nothing more") for each in Decision
          for over in ("removed", "withdrawn", "done")],
    ],
)  # fmt: skip
def test_what_organizers_may_decide(decision: Decision, rule: str, idea: Standing, sentence: str) -> None:
    said = why_not(decision, rule, idea, POLICY)
    assert sentence in said if sentence else said == ""


@given(
    st.sampled_from(Decision),
    st.sampled_from(["", "gone", *POLICY.rules]),
    st.builds(
        Standing,
        status=st.sampled_from(["open", "held", "refused", "removed", "withdrawn", "done"]),
        stage=st.sampled_from(["", "group", "test", "region", "all"]),
        group_id=st.sampled_from([0, 9]),
        seconds=st.integers(0, 60),
        objections=st.integers(0, 60),
        rule=st.sampled_from(["", *POLICY.rules]),
        reason=st.sampled_from(["", KEPT, "reports"]),
        is_scheduled=st.booleans(),
    ),
)
def test_staff_cannot_end_what_members_carry(decision: Decision, rule: str, idea: Standing) -> None:
    """Whatever its state: without members' reports nothing that earned a step is taken away, no refusal is without a
    published rule, and none comes back by a rule that members may lift."""
    if why_not(decision, rule, idea, POLICY):
        return
    assert idea.status in ("open", "held", "refused")
    if decision is Decision.REMOVE and idea.status == "open":
        assert rule
        assert not has_earned(idea, 10**6, POLICY)
        assert not idea.group_id
    if decision is Decision.REFUSE:
        assert idea.status == "open"
        assert rule in POLICY.rules
        assert idea.stage in ("group", "test", "region") or idea.seconds >= POLICY.public_seconds
        assert not idea.rule or is_binding(rule, POLICY)


@pytest.mark.parametrize(("organizers", "needed"), [(0, 1), (1, 1), (2, 2), (3, 2), (50, 2)])
def test_two_must_agree_where_there_are_two(organizers: int, needed: int) -> None:
    assert votes_needed(organizers, POLICY) == needed
    assert votes_needed(organizers, with_(organizers=3)) == max(1, min(3, organizers))
