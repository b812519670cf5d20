"""Somebody's own words: quoted mails, signatures and reactions say nothing."""

from __future__ import annotations

import pytest

from router.core.keywords import classify, default_table

BELOW = [
    "\n\nSent from my iPhone",
    "\nGet Outlook for Android",
    "\n\nSent from Yahoo Mail on Android",
    "\nEnvoyé de mon iPhone",
    "\nVon meinem iPhone gesendet",
    "\nEnviado desde mi iPhone",
    "\nInviato da iPhone",
    "\nОтправлено с iPhone",
    "\niPhoneから送信",
    "\n发自我的iPhone",
    "\n-- \nMaria Lopez\nTenants Union, YES we can",
    "\n--\nstop the war",
    "\n> Dinner at 7? Reply YES, NO or STOP to end",
    "\n\n> On Monday you wrote:\n> please take me off your list",
    "\n\nOn Mon, Jan 5, 2026 at 3:04 PM Tenants <hello@example.org> wrote:\n\nReply STOP to end.\nSTOP",
    "\n\nOn Mon, Jan 5, 2026 at 3:04 PM Tenants Together\n<hello@example.org> wrote:\nSTOP",
    "\n\nAm 05.01.2026 um 15:04 schrieb Tenants <hello@example.org>:\nSTOP",
    "\n\nLe lun. 5 janv. 2026 à 15:04, Tenants <hello@example.org> a écrit :\nSTOP",
    "\n\nEl lun, 5 ene 2026 a las 15:04, Tenants (<hello@example.org>) escribió:\nSTOP",
    "\n\n-----Original Message-----\nFrom: hello@example.org\nSTOP",
    "\n\n---------- Forwarded message ---------\nSTOP",
    "\n\nFrom: Tenants <hello@example.org>\nSent: Monday, January 5, 2026\nSTOP",
    "\n________________________________\nSTOP",
    "\n[05/01/2026, 18:05] Tenants: reply STOP to end",
    "\n05/01/2026, 18:05 - Tenants: STOP",
]


@pytest.mark.parametrize("below", BELOW)
@pytest.mark.parametrize(
    ("text", "kind"), [("YES", "yes"), ("Please take me off your list.", "stop"), ("which bus?", "none")]
)
def test_what_stands_below_the_own_words_says_nothing(text: str, kind: str, below: str) -> None:
    assert classify(text + below).kind == kind
    assert classify((text + below).replace("\n", "\r\n")).kind == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("> Reply STOP to end\nYes", "yes"),
        ("> please stop texting me\n> or else\nNo", "no"),
        ("On Mon, Jan 5, 2026 Tenants <hello@example.org> wrote:\n> Reply STOP to end\n\nYes", "yes"),
        ("[05/01/2026, 18:05] Tenants: come to dinner?\nunsubscribe me", "stop"),
        ("----------\nSTOP", "stop"),
        ("--\nSTOP", "stop"),
        ("Sent from my iPhone\nSTOP", "stop"),
        ("STOP\nJohn", "stop"),
        ("Stop\nThanks, Maria Lopez", "stop"),
    ],
)
def test_answers_below_a_quotation(text: str, kind: str) -> None:
    assert classify(text).kind == kind


@pytest.mark.parametrize(
    "text",
    [
        "Liked “Reply STOP to end”",
        "Loved “please stop texting me”",
        "Laughed at “STOP”",
        "Disliked “Take me off your list”",
        "Emphasized “Unsubscribe me”",
        "Removed a heart from “STOP”",
        "👍 to “Reply STOP to end”",
        "Reacted ❤️ to “please stop texting me”",
        "A aimé «STOP»",
        "> STOP",
        "> please stop texting me\n> stop",
        "05/01/2026, 18:05 - Tenants: STOP",
    ],
)
def test_a_reaction_or_a_quotation_alone_opts_nobody_out(text: str) -> None:
    assert classify(text).kind == "none"


@pytest.mark.parametrize(
    "text",
    ["I liked “STOP”, please stop texting me", "“Please stop texting me”", "STOP “now”", "Ana wrote: stop texting me"],
)
def test_but_quotation_marks_take_no_wish_away(text: str) -> None:
    assert classify(text).kind == "stop"


def test_a_table_without_cuts_reads_everything() -> None:
    assert default_table().classify("no\n> stop").kind == "no"
