"""Answers to the last ask: its keywords, how many will come, postcodes, amounts."""

from __future__ import annotations

import pytest

from router.core.keywords import classify
from router.core.keywords_slips import one_slip

RSVP = ("YES", "NO")


@pytest.mark.parametrize(
    ("text", "guests"),
    [
        ("YES", None), ("yes!!", None), ("Yes please", None), ("yesssss", None), ("sí", None), ("RSVP YES", None),
        ("yes I'll be there", None), ("Yes I can come", None), ("ok yes", None), ("Yes count me in", None),
        ("Yes, looking forward to it", None), ("Sí, allí estaré", None), ("Oui je viens", None),
        ("Ja, bin dabei", None),
        ("yes 4", 4), ("YES 4 people", 4), ("yes, 4 of us", 4), ("Yes for 2", 2), ("RSVP 3", 3), ("yes - 5", 5),
        ("4", 4), ("four", 4), ("two", 2), ("just 2", 2), ("2 🙂", 2), ("٣", 3), ("we'll be 3", 3),
        ("We will be 3!", 3),
        ("there will be 4 of us", 4), ("3 of us", 3), ("both of us", 2), ("table for 2", 2), ("Yes 2 adults", 2),
        ("somos 4", 4), ("Oui, nous serons 3", 3), ("wir sind 3", 3), ("siamo in 4", 4), ("нас будет 5", 5),
        ("yes +1", 2), ("+1", 2), ("me +1", 2), ("yes plus one", 2), ("Yes and bringing 2 friends", 3),
        ("yes and 3 kids", 4),
    ],
)  # fmt: skip
def test_a_yes_and_how_many_they_will_be(text: str, guests: int | None) -> None:
    found = classify(text, offered=RSVP)
    assert (found.kind, found.guests, found.certain) == ("yes", guests, True)


@pytest.mark.parametrize(
    ("text", "locale", "guests"),
    [
        ("dos", "es", 2),
        ("somos tres", "es-MX", 3),
        ("zwei", "de", 2),
        ("deux", "fr", 2),
        ("dwie", "pl", 2),
        ("два", "ru", 2),
    ],
)
def test_numbers_are_read_in_the_members_language(text: str, locale: str, guests: int) -> None:
    assert classify(text, locale, offered=RSVP).guests == guests


@pytest.mark.parametrize("text", ["yes 99", "99", "RSVP 99", "yes 0", "1000", "yes 21", "yes +20"])
def test_a_number_that_nobody_brings_is_flagged(text: str) -> None:
    found = classify(text, offered=RSVP)
    assert (found.kind, found.certain) == ("yes", False)
    assert found.guests is not None
    assert not 1 <= found.guests <= 20


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("Yes but can I bring my dog?", "yes"), ("Yes 2 adults and 1 kid", "yes"), ("yes at 7pm", "yes"),
        ("yes 1000000", "yes"),
        ("yes I am a vegetarian", "yes"), ("no 3", "no"), ("Can I come?", ""), ("7pm", ""), ("10 AM", "number"),
        ("12/12", ""),
        ("2025550123", ""), ("ok", ""), ("👍", "yes"), ("👎", "no"), ("fine", ""),
    ],
)  # fmt: skip
def test_what_an_answer_leaves_open_goes_to_a_person(text: str, suggestion: str) -> None:
    found = classify(text, offered=RSVP)
    assert (found.kind, found.suggestion) == ("none", suggestion)


@pytest.mark.parametrize(
    "text",
    ["no", "NO.", "no thanks", "No sorry can't make it", "No, I have to work", "Nein, leider nicht", "not this time"],
)
def test_a_no(text: str) -> None:
    assert classify(text, offered=RSVP).kind == "no"


@pytest.mark.parametrize(
    ("text", "offered", "kind", "value"),
    [
        ("HOST", ("HOST", "YES"), "host", ""), ("host!", ("HOST",), "host", ""),
        ("host please", ("HOST",), "host", ""),
        ("I want to host", ("HOST", "YES"), "host", ""), ("Yes I can host", ("HOST",), "host", ""),
        ("HOST 12", ("HOST",), "host", "12"), ("I can host 12", ("HOST",), "host", "12"),
        ("HOST 94110", ("HOST",), "host", "94110"),
        ("host sw1a 1aa", ("HOST",), "host", "SW1A 1AA"), ("CALL", ("CALL", "DONE"), "call", ""),
        ("I'll call", ("CALL",), "call", ""),
        ("done", ("CALL", "DONE"), "done", ""), ("Done!", ("DONE",), "done", ""), ("all done", ("DONE",), "done", ""),
        ("I'm done", ("DONE",), "done", ""), ("GIVE 25", ("GIVE",), "give", "25"),
        ("give $25", ("GIVE",), "give", "25.00 $"),
        ("GIVE 25.50", ("GIVE",), "give", "25.50"), ("GIVE 25,50 €", ("GIVE",), "give", "25.50 EUR"),
        ("bring food", ("BRING FOOD", "YES"), "bring_food", ""),
        ("I'll bring food", ("BRING FOOD",), "bring_food", ""),
        ("yes 94110", ("YES",), "yes", "94110"), ("OUI", ("OUI", "NON"), "yes", ""),
        ("basta", ("BASTA",), "basta", ""),
        ("WRONG NUMBER", ("WRONG NUMBER", "DONE"), "wrong_number", ""), ("MORE", ("MORE",), "more", ""),
        ("2", ("1", "2", "3"), "2", ""), ("two", ("1", "2", "3"), "2", ""), ("option 2", ("1", "2"), "2", ""),
        ("2!", ("1", "2"), "2", ""), ("1️⃣", ("1", "2"), "1", ""), ("２", ("1", "2"), "2", ""),
    ],
)  # fmt: skip
def test_the_keywords_of_the_ask(text: str, offered: tuple[str, ...], kind: str, value: str) -> None:
    found = classify(text, offered=offered)
    assert (found.kind, found.value, found.certain) == (kind, value, True)


@pytest.mark.parametrize(
    ("text", "offered", "suggestion"),
    [
        ("cancel 2", ("CANCEL",), "stop"), ("cancel my RSVP", ("CANCEL", "YES"), "stop"),
        ("no host", ("HOST", "NO"), "no"),
        ("can I host?", ("HOST",), "host"), ("can't host", ("HOST",), "host"), ("call mom", ("CALL",), "call"),
        ("I called, done", ("DONE",), "done"), ("4", ("1", "2", "3"), "number"), ("five", ("1", "2"), ""),
    ],
)  # fmt: skip
def test_a_keyword_inside_other_words_is_only_suggested(text: str, offered: tuple[str, ...], suggestion: str) -> None:
    found = classify(text, offered=offered)
    assert (found.kind, found.suggestion) == ("none", suggestion)


@pytest.mark.parametrize(
    ("text", "offered", "kind"),
    [
        ("hots", ("HOST", "YES"), "host"), ("hosst", ("HOST",), "host"), ("hst", ("HOST",), "host"),
        ("hodt please", ("HOST",), "host"),
        ("cal", ("CALL", "DONE"), "call"), ("callk", ("CALL",), "call"), ("doen", ("DONE",), "done"),
        ("gvie", ("GIVE",), "give"),
        # too short, too far, between two words, or near a stop
        ("yse", ("YES",), "none"), ("house", ("HOST",), "none"), ("cold", ("HOST",), "none"),
        ("hall", ("CALL", "HALL"), "hall"),
        ("call", ("BALL", "MALL"), "none"), ("sop", ("SHOP",), "none"), ("stp", ("STEP",), "none"),
        ("quti", ("QUIZ",), "stop"),
        # the exact word is never bent: neither into the STOP family nor out of it
        ("stop", ("SHOP",), "stop"), ("STOP", ("STEP",), "stop"), ("stpo", ("SHOP",), "stop"),
        ("shop", ("SHOP",), "shop"),
        ("step", ("STEP",), "step"), ("cancel", ("CANCEL",), "stop"), ("END", ("END",), "stop"),
        ("stopp", ("SHOPP",), "stop"),
        ("help", ("HELD",), "help"), ("YES please stop texting me", RSVP, "stop"),
        ("wrong number", ("DONE",), "stop"),
    ],
)  # fmt: skip
def test_slips_of_the_thumb(text: str, offered: tuple[str, ...], kind: str) -> None:
    found = classify(text, offered=offered)
    assert found.kind == kind
    exact = text.upper() in offered or kind in ("stop", "help")
    assert found.certain == exact


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("94110", "94110"), ("my zip is 94110", "94110"), ("I live in 94110", "94110"), ("94110-1234", "94110-1234"),
        ("٩٤١١٠", "94110"), ("９４１１０", "94110"), ("zip: 94110!", "94110"), ("10115", "10115"),
        ("D-10115", "10115"),
        ("PLZ 10115", "10115"), ("F-75011", "75011"), ("mon code postal est 75011", "75011"),
        ("código postal 28013", "28013"),
        ("SW1A 1AA", "SW1A 1AA"), ("sw1a1aa", "SW1A 1AA"), ("Postcode: N1 9GU", "N1 9GU"), ("ec1a 1bb", "EC1A 1BB"),
        ("M1 1AE", "M1 1AE"), ("cr2 6xh", "CR2 6XH"), ("dn551pt", "DN55 1PT"), ("W1A 0AX", "W1A 0AX"),
        ("k1a 0b1", "K1A 0B1"), ("K1A0B1", "K1A 0B1"), ("V6B-1A1", "V6B 1A1"),
        ("1012 AB", "1012 AB"), ("1012ab", "1012 AB"), ("mijn postcode is 3511 lx", "3511 LX"),
    ],
)  # fmt: skip
def test_postcodes(text: str, value: str) -> None:
    found = classify(text, offered=RSVP)
    assert (found.kind, found.value, found.certain) == ("postcode", value, True)
    unasked = classify(text)
    assert (unasked.kind, unasked.suggestion, unasked.value) == ("none", "postcode", value)


@pytest.mark.parametrize(
    "text",
    [
        "D1A 0B1",
        "K1O 0B1",
        "9411",
        "941100",
        "94110 94607",
        "QQ1 1AA",
        "1030 AM",
        "1012 SS",
        "$94110",
        "94110 is mine, come",
    ],
)
def test_what_is_no_postcode(text: str) -> None:
    assert classify(text, offered=RSVP).kind != "postcode"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$25", "25.00 $"), ("25 €", "25.00 EUR"), ("€25", "25.00 EUR"), ("25€", "25.00 EUR"),
        ("25,50 €", "25.50 EUR"),
        ("1.250,50 €", "1250.50 EUR"), ("$1,250", "1250.00 $"), ("$1,250.5", "1250.50 $"), ("25 dollars", "25.00 $"),
        ("25 bucks", "25.00 $"), ("£10", "10.00 GBP"), ("10 pounds", "10.00 GBP"), ("USD 25", "25.00 USD"),
        ("US$25", "25.00 USD"),
        ("25 euros", "25.00 EUR"), ("R$ 50", "50.00 BRL"), ("50 zł", "50.00 PLN"), ("₹500", "500.00 INR"),
        ("500 円", "500.00 JPY"),
        ("I'll give $25", "25.00 $"), ("yes $25", "25.00 $"), ("＄２５", "25.00 $"), ("20 CHF please", "20.00 CHF"),
    ],
)  # fmt: skip
def test_amounts(text: str, value: str) -> None:
    found = classify(text, offered=("GIVE", "YES"))
    assert (found.kind, found.value) == ({"yes": "yes", "I'll": "give"}.get(text.split()[0], "amount"), value)
    if found.kind == "amount":
        assert classify(text).suggestion == "amount"
        assert classify(text, offered=("YES",)) == found


@pytest.mark.parametrize("text", ["$0", "$5 and $10", "$99999999", "25 % off", "rent went up $300 this month"])
def test_what_is_no_amount_to_act_on(text: str) -> None:
    assert classify(text, offered=("GIVE",)).kind == "none"


def test_without_an_open_ask_bare_numbers_mean_nothing() -> None:
    for text in ("2", "two", "1️⃣", "94110", "$25", "+1"):
        assert classify(text).kind == "none"
    assert classify("2").guests == 2
    assert classify("yes 4").guests == 4, "the caller knows what the yes is for"
    assert classify("25", offered=("GIVE",)).kind == "number"


@pytest.mark.parametrize(
    ("typed", "word", "near"),
    [
        ("stop", "stop", True), ("stpo", "stop", True), ("tsop", "stop", True), ("sto", "stop", True),
        ("stopp", "stop", True),
        ("shop", "stop", True), ("step", "stop", True), ("sotp", "stop", True), ("otsp", "stop", False),
        ("st", "stop", False),
        ("stoppp", "stop", False), ("spot", "stop", False), ("", "a", True), ("", "ab", False), ("ab", "ba", True),
        ("abc", "cba", False),
    ],
)  # fmt: skip
def test_the_distance_of_damerau(typed: str, word: str, near: bool) -> None:
    assert one_slip(typed, word) is near
    assert one_slip(word, typed) is near
