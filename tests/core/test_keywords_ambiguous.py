"""The ambiguous tier: the word is there, but it may mean something else. A person looks; nobody is opted in or out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.keywords import classify

SUGGESTED = """
    stop line 3
    don't stop
    Please don't stop
    non-stop
    non stop party
    one stop shop
    which bus stop?
    is 5th street the last stop
    can't stop, running late
    The bus doesn't stop here
    full stop
    I won't quit
    quit my job so I can volunteer now
    end rent hikes now
    End the war
    the end
    let's end this
    When does the meeting end?
    I support the budget. End.
    cancel my appointment Tuesday?
    cancel my RSVP for Saturday
    can I cancel my shift
    I can't cancel work
    Will you cancel if it rains?
    I told you to stop by at six
    We should cancel. The timing is wrong.
    stop the eviction!
    Stop the pipeline
    stop and frisk must end
    Stop by at 6?
    I will stop by at 6
    what time does it stop?
    We will never stop fighting
    never stop organizing
    we stop at nothing
    I'm not going to stop you
    can you stop the truck?
    Stop? What do you mean
    STOP John Smith
    STOP LOCAL 12
    no stop
    yes stop
    Let's remove the mayor
    Can you remove the sign? Thanks.
    revoke his license
    Revoke the permit now!
    Tell Exxon: stop
    My ex says stop texting him
    Please don't take me off your list
    don't remove me from the list
    why did you take me off your list?
    Did you take me off your list?
    If you take me off your list I won't know about the strike
    I don't want to unsubscribe
    please do not stop texting me
    I never asked to be taken off: don't unsubscribe me
    my landlord won't stop calling me
    you don't text me anymore :(
    I get no more texts from you, what happened?
    don't text me tonight, I'm at work
    Don't text me before 9
    stop texting me so late
    don't text me again tonight
    Stop texting me about galas but keep me on for protests
    Remove me from the list for Saturday's dinner
    take me off the list for the potluck please
    How many people unsubscribe each month?
    please unsubscribe my mother
    opt out of military testing, great idea
    I want to opt out of the gas contract, who can help?
    How do I opt out of data collection by my landlord?
    I need to be removed from the lease
    Es gibt keine Nachrichten mehr über den Streik
    tell the landlord to fuck off
    you gave me the wrong number for the senator
    I called but wrong number
    Reply STOP to end
    Dinner tonight at 7. Reply YES to come, STOP to end
    🛑
    no pare, sigue sigue
    no dejen de escribirme
    no quiero cancelar
    alto el fuego ya
    baja la renta
    arrêtez l'expulsion
    ne vous arrêtez pas
    Bitte nicht abmelden
    Keine Nachrichten aus Berlin
    Ich bekomme keine Nachrichten mehr
    não parem
    parem o despejo
    non fermatevi
    stop de sloop
    стоп машина на Ленина
    توقف الحافلة اين
    停止拆迁
    不要停止
    立ち退きを停止させよう
    配信停止しないで
    강제철거 중지하라
    dừng trục xuất
    huwag itigil ang laban
    berhenti di halte mana?
    nu vă opriți
    sluta aldrig kämpa
    ikke slutt
    pa sispann
    ne hagyják abba
"""
NOTHING_IN_IT = """
    weekend plans?
    Fuck the landlord
    stopped by, nobody home
    la parada de bus, cual es?
    fermata del bus?
    не останавливайтесь
    公交站
    durak nerede
    älkää luovuttako
    Halt the demolition
    We are not stopping
    the cancellation fee is wrong
    it was unstoppable
    Don't forget to bring the banner
    text me when you get there
    I never received your email about Thursday
    You have the wrong date on the flyer
    fuck yeah I'm in, fuck Amazon
    Your list is missing my building
    Is my name on your list?
    add me to the list
    How do I get off at the right station?
    Acha, kal milte hain
    Wann hört das auf?
"""


def _lines(block: str) -> list[str]:
    return [text for line in block.splitlines() if (text := line.strip())]


@pytest.mark.parametrize("text", _lines(SUGGESTED))
def test_a_person_is_shown_that_it_may_be_a_stop(text: str) -> None:
    for written in (text, text.upper(), f"  {text}  "):
        found = classify(written)
        assert (found.kind, found.suggestion, found.certain) == ("none", "stop", False), written


@pytest.mark.parametrize("text", _lines(NOTHING_IN_IT))
def test_everyday_words_suggest_nothing(text: str) -> None:
    found = classify(text)
    assert (found.kind, found.suggestion) == ("none", "")


_WORDS = ["hello", "really", "tomorrow", "maybe", "dinner", "tenants", "we", "think", "rent", "march", "bus", "friday"]
NEUTRAL = st.lists(st.sampled_from(_WORDS), max_size=6).map(" ".join)


@given(st.sampled_from(_lines(SUGGESTED)), NEUTRAL, NEUTRAL)
def test_more_words_around_it_make_it_no_certain_stop(text: str, before: str, after: str) -> None:
    assert classify(f"{before} {text} {after}").kind in ("none", "maybe")  # a sign beside the keyword MAYBE


@given(st.sampled_from(_lines(SUGGESTED)), NEUTRAL)
def test_but_an_explicit_opt_out_beside_it_does(text: str, before: str) -> None:
    assert classify(f"{before} {text}. Please take me off your list.").kind == "stop"
