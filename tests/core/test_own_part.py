"""A member's own part in words of their language, offered to report-backs and to nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.ask import Ask
from router.core.channel import ChannelSpec, Idempotency
from router.core.content import find_problems
from router.core.own_part import EXAMPLE, LENGTHS, Done, OwnPart, part_of, say_part
from router.core.phrases import LANGUAGES
from router.core.sms import count_segments

SPECS = {
    "sms": ChannelSpec(
        name="sms",
        address_kind="phone",
        max_length=1600,
        receipts=True,
        inbound=True,
        idempotency=Idempotency.NONE,
        settings=(),
        counts_segments=True,
    )
}


@pytest.mark.parametrize(
    ("locale", "others", "amount", "action"),
    [
        ("en", "4,311", "€30.00", "you gave €30.00"),
        ("de", "4.311", "30,00 €", "Sie haben 30,00 € gespendet"),
        ("fr-CH", "4 311", "30,00 €", "vous avez donné 30,00 €"),
        ("es", "4.311", "30,00 €", "donaste 30,00 €"),
        ("tlh", "4,311", "€30.00", "you gave €30.00"),  # a stranger to us reads English
    ],
)
def test_numbers_and_money_are_written_as_people_write_them(locale: str, others: str, amount: str, action: str) -> None:
    said = {name: say_part(name, EXAMPLE, locale) for name in LENGTHS}
    assert said == {"others": others, "my_amount": amount, "my_action": action}


def test_a_currency_without_cents_has_none() -> None:
    assert say_part("my_amount", OwnPart(others=1, kind="gave", amount=3000, currency="JPY"), "en") == "¥3,000"


@pytest.mark.parametrize(
    ("done", "kind", "amount", "currency"),
    [
        ([], "", 0, ""),
        ([Done("signed"), Done("hosted"), Done("shared")], "hosted", 0, ""),
        ([Done("gave", 3000, "EUR"), Done("yes")], "gave", 3000, "EUR"),
        ([Done("gave", 3000, "EUR"), Done("refund", 3000, "EUR")], "gave", 0, ""),
        ([Done("gave", 3000, "EUR"), Done("refund", 1000, "EUR")], "gave", 2000, "EUR"),
        ([Done("gave", 100, "USD"), Done("gave", 3000, "EUR")], "gave", 3000, "EUR"),
        ([Done("signed_by_hand")], "", 0, ""),
    ],
)
def test_the_largest_thing_that_somebody_did_is_told(done: list[Done], kind: str, amount: int, currency: str) -> None:
    assert part_of(done, others=3) == OwnPart(others=3, kind=kind, amount=amount, currency=currency)


def test_who_acted_alone_has_no_others_and_who_gave_nothing_no_amount() -> None:
    alone = part_of([Done("signed")], others=-1)
    assert [say_part(name, alone, "en") for name in LENGTHS] == ["0", "", "you signed"]


@given(
    st.sampled_from(LANGUAGES),
    st.sampled_from(["", "hosted", "gave", "came", "called", "volunteered", "signed", "shared", "yes"]),
    st.integers(0, 10**9),
    st.sampled_from([(0, ""), (10**11, "EUR"), (10**11, "IDR"), (5, "KWD")]),
)
def test_no_part_is_longer_than_the_check_of_a_text_reckons(
    locale: str, kind: str, others: int, given_: tuple[int, str]
) -> None:
    part = OwnPart(others=others, kind=kind, amount=given_[0], currency=given_[1])
    for name, most in LENGTHS.items():
        assert len(say_part(name, part, locale)) <= most


@pytest.mark.parametrize("locale", [language for language in LANGUAGES if language != "ar"])
def test_it_fits_the_cheap_alphabet_of_text_messages(locale: str) -> None:
    for kind in ("hosted", "gave", "came", "called", "volunteered", "signed", "shared", "yes", ""):
        part = OwnPart(others=4311, kind=kind, amount=3000, currency="EUR")
        assert count_segments(" ".join(say_part(name, part, locale) for name in LENGTHS)).encoding == "GSM-7", kind


def _ask(text: str, **more: Any) -> Ask:
    return Ask.model_validate({"title": "Rents", "texts": {"en": {"default": {"text": text}}}, **more})


@pytest.mark.parametrize("name", LENGTHS)
def test_it_is_offered_to_report_backs_only_and_refused_with_its_place(name: str) -> None:
    text = f"Thank you.\nYou and {{{{ {name} }}}}."
    assert find_problems(_ask(text, kind="report_back", about=7), SPECS) == []
    for more in ({}, {"kind": "reminder", "about": 7}):
        [problem] = find_problems(_ask(text, **more), SPECS)
        assert problem.place == "texts.en.default.text, line 2 column 12"
        assert f"{{{{ {name} }}}} is offered to report-backs only" in problem.sentence
