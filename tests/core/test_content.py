"""Message texts: what is refused when an ask is saved, and what its members read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.ask import Ask
from router.core.content import check_ask, find_problems, sample_member
from router.core.content_check import shorteners_in
from router.core.content_render import CONTROLS, longest_deadline, say_deadline
from router.core.content_syntax import fill, longest, read_template
from router.core.errors import BadInput
from router.core.giving import LONGEST_SUM
from router.core.model import Member
from tests.support.words import ANA, CHAT, EMAIL, LINK, SMS, SPECS, STOP, ask, problems, renderer, slot, sms

# ── what is refused ───────────────────────────────────────────────────────────────────────────────────────────────

REFUSED = [
    # text, where, what the sentence holds
    ("Hi {{ frist_name }}", "line 1 column 7", "did you mean first_name?"),
    ("Hi\n\n  {{ zzz }}", "line 3 column 6", "offered are first_name, last_name, place"),
    ("link: {{ first_name }} {{ lnk }}", "line 1 column 27", "did you mean link?"),
    ("name: {{ name }}", "line 1 column 10", "is not offered"),
    ("{{ first_name|uper }}", "line 1 column 15", "did you mean upper?"),
    ("{{ first_name|e }}", "line 1 column 15", "the filter e is not offered"),
    ("{{ first_name|default }}", "line 1 column 15", 'as in default("friend")'),
    ("{{ first_name|default(3) }}", "line 1 column 15", 'as in default("friend")'),
    ("{{ first_name|default(last_name) }}", "line 1 column 15", 'as in default("friend")'),
    ("{{ first_name|default('a', true) }}", "line 1 column 15", 'as in default("friend")'),
    ("{{ first_name|truncate(true) }}", "line 1 column 15", "as in truncate(20)"),
    ("{{ first_name|truncate(0) }}", "line 1 column 15", "from 1 to 1000"),
    ("{{ first_name|truncate(length=5) }}", "line 1 column 15", "as in truncate(20)"),
    ("{{ first_name|upper(1) }}", "line 1 column 15", "takes nothing in brackets"),
    ("{{ first_name|upper|lower|upper|lower|upper|lower }}", "line 1 column 1", "at most 5 filters"),
    ("{{ first_name.__class__ }}", "line 1 column 4", "is not offered"),
    ("{{ attribute.__class__ }}", "line 1 column 4", "is not offered"),
    ("{{ attribute }}", "line 1 column 4", "{{ attribute.branch }}"),
    ("{{ attribute['a'] }}", "line 1 column 1", "only one variable"),
    ("{{ member.first_name }}", "line 1 column 4", "did you mean first_name?"),
    ("{{ ''.__class__.__mro__ }}", "line 1 column 1", "only one variable"),
    ("{{ first_name() }}", "line 1 column 1", "only one variable"),
    ("{{ first_name ~ last_name }}", "line 1 column 1", "only one variable"),
    ("{{ 7 * 7 }}", "line 1 column 1", "only one variable"),
    ("{{ first_name if place else title }}", "line 1 column 1", "only one variable"),
    ("{{ first_name is defined }}", "line 1 column 1", "only one variable"),
    ("{{ first_name[0] }}", "line 1 column 1", "only one variable"),
    ("{{ 'a' * 1000000000 }}", "line 1 column 1", "only one variable"),
    ("a {% if first_name %}b{% endif %}", "line 1 column 3", "{% … %} is not offered"),
    ("{% for x in range(10**9) %}{{ x }}{% endfor %}", "line 1 column 1", "{% … %} is not offered"),
    ("{% set x = 1 %}", "line 1 column 1", "{% … %} is not offered"),
    ("{% macro m() %}{% endmacro %}", "line 1 column 1", "{% … %} is not offered"),
    ("{% include '/etc/passwd' %}", "line 1 column 1", "{% … %} is not offered"),
    ("{% import 'x' as y %}", "line 1 column 1", "{% … %} is not offered"),
    ("{% filter upper %}x{% endfilter %}", "line 1 column 1", "{% … %} is not offered"),
    ("{% while %}", "line 1 column 1", "cannot be read"),
    ("Hi\n{{ first_name", "line 2 column 1", "cannot be read"),
    ("{{ first_name }", "line 1 column 1", "cannot be read"),
    ("{{ " + "(" * 5_000 + "first_name" + ")" * 5_000 + " }}", "", "cannot be read"),
    ("{{ " + "9" * 5_000 + " }}", "", "cannot be read"),
    ("   \n ", "", "is empty"),
    ("{{ attribute.branch }}", "", "is empty"),
    ("a\x07b", "", "control character"),
    ('{{ first_name|default("a\\x07b") }}', "", "control character"),
    ("see https://bit.ly/3abc", "", "bit.ly is a public link shortener"),
    ("see BIT.LY/3abc and www.t.co.", "", "t.co is a public link shortener"),
    ("{{ link }}", "", "set link"),
    ("By {{ deadline }}", "", "set deadline"),
    ("x" * 1601, "", "can come to 1,601 characters, but sms carries 1,600"),
    ("x" * 1561 + "{{ first_name }}", "", "can come to 1,601 characters"),
    ("x" * 1481 + "{{ first_name|upper }}", "", "can come to 1,601 characters"),
]


@pytest.mark.parametrize(("text", "where", "what"), REFUSED, ids=[case[0][:30] for case in REFUSED])
def test_what_cannot_work_is_refused_with_its_place(text: str, where: str, what: str) -> None:
    found = problems(text)
    assert any(p.startswith(f"texts.en.default.text{', ' + where if where else ''}: ") and what in p for p in found), (
        found
    )
    with pytest.raises(BadInput) as error:
        check_ask(ask(text), SPECS)
    assert str(error.value) == found[0]


FINE = [
    "Hi {{ first_name }}, {{first_name|default('friend')|upper}} {# a note #}",
    "{{ last_name|title }} {{ place|lower }} {{ organization|capitalize }} {{ title|truncate(10) }}!",
    '{{ attribute.branch|default("your branch") }}: {{ attribute.shirt_size }}',
    "{% raw %}{{ not a variable }}{% endraw %} {{ '{{' }}",
    "chat.com rabbit.ly.example.org my-bit.ly-notes at.com cost.co",
    "Two\r\nlines\tand a tab. مرحبا 👩🏽‍🌾",
    "x" * 1560 + "{{ first_name }}",
    "x" * 1580 + "{{ first_name|truncate(20) }}",
]


@pytest.mark.parametrize("text", FINE)
def test_what_is_offered_is_accepted(text: str) -> None:
    assert problems(text) == []


def test_a_link_and_a_deadline_may_be_used_where_they_are_set() -> None:
    more: dict[str, Any] = {"link": "https://example.org/?ref=t.co", "deadline": datetime(2026, 12, 1, 18, tzinfo=UTC)}
    assert problems("By {{ deadline }}: {{ link }}", **more) == []


def test_a_link_to_pass_on_needs_no_link_and_is_refused_in_what_nobody_passes_on() -> None:
    text = "Come. {{ forward }}"
    assert problems(text) == []
    assert ["only an ask is passed on" in problem for problem in problems(text, kind="receipt", about=1)] == [True]
    rendered = renderer(ask(text)).render(ANA, "sms", SMS, link="", unsubscribe_url="", forward=LINK)
    assert rendered.text == f"Tenants United: Come. {LINK}"
    assert renderer(ask(text)).shows_forward
    assert not renderer(ask("Come. {{ link }}", link="https://example.org")).shows_forward
    too_long = "x" * (1600 - len("Tenants United: ") - len(LINK) + 1)
    assert "can come to 1,601" in str(
        find_problems(ask(too_long + "{{ forward }}"), SPECS, organization="Tenants United", link=LINK)
    )


@pytest.mark.parametrize(
    ("link", "what"),
    [
        ("https://bit.ly/abc", "leads through bit.ly"),
        ("http://user@www.tinyurl.com:80/x", "leads through tinyurl.com"),
        ("https:///path", "no web address"),
        ("https://[oops", "no web address"),
        ("https://example.org/\x00", "control character"),
    ],
)
def test_a_link_that_cannot_be_used_is_refused(link: str, what: str) -> None:
    assert any(p.startswith("link: ") and what in p for p in problems("Come", link=link))


def test_unknown_channels_are_named() -> None:
    found = [str(p) for p in find_problems(ask(channels=["sms", "fax"], texts={"en": {"smss": {"text": "a"}}}), SPECS)]
    assert "channels: there is no channel 'fax'; known are email, sms" in found
    assert "texts.en: has no text for sms, which channels names; add one or a default" in found
    assert "texts.en.smss: there is no channel 'smss'; known are email, sms; default stands for all" in found


def test_a_locale_without_any_text_is_refused() -> None:
    found = [str(p) for p in find_problems(ask(texts={"en": {"default": {"text": "a"}}, "es": {}}), SPECS)]
    assert found == ["texts.es: has no text; add texts.es.default or take it out"]


def test_the_limit_is_that_of_each_channel_that_reads_the_text() -> None:
    long = "x" * 301
    assert problems(long, SPECS) == []
    assert problems(long, {**SPECS, "chat": CHAT}) == [
        "texts.en.default.text: can come to 301 characters, but chat carries 300; "
        "shorten it or give texts.en.chat words of its own"
    ]
    own = {"en": {"default": {"text": long}, "chat": {"text": "short"}}}
    assert find_problems(ask(texts=own), {**SPECS, "chat": CHAT}) == []
    assert problems(long, {**SPECS, "chat": CHAT}, channels=["sms"]) == []


def test_the_sender_that_is_put_first_counts_in_the_limit() -> None:
    assert find_problems(ask("x" * 1590), SPECS, organization="Union") == []
    assert len(find_problems(ask("x" * 1590), SPECS, organization="Tenants United")) == 1


@pytest.mark.parametrize("key", ["title", "subject"])
def test_a_line_break_in_what_becomes_a_header_is_refused(key: str) -> None:
    evil = "Hi\r\nBcc: a@example.org"
    saved = ask(title=evil) if key == "title" else ask(texts={"en": {"default": {"text": "a", "subject": evil}}})
    assert ["line break" in str(problem) for problem in find_problems(saved, SPECS)] == [True]


def test_every_problem_of_an_ask_is_listed() -> None:
    assert len(problems("{{ a }} {{ b }}\n{{ c }} bit.ly", link="https://t.co/x")) == 5


def test_shorteners_are_found_where_they_hide() -> None:
    assert shorteners_in("go to ｂｉｔ.ly/x, a.b.is.gd?x or t.co") == ["bit.ly", "is.gd", "t.co"]
    assert shorteners_in("rabbit.ly bit.lyrics t.com is.gdx example.org/bit.ly.html") == []


# ── what members read ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_text_message_names_its_sender_once() -> None:
    assert sms(ask("Come, {{ first_name }}"), ANA) == "Tenants United: Come, Ana"
    assert sms(ask("Come, {{ first_name }}. tenants united"), ANA) == "Come, Ana. tenants united"
    assert sms(ask("{{ organization }} here"), ANA) == "Tenants United here"
    assert sms(ask("{{ title }}!", title="Tenants United meets"), ANA) == "Tenants United meets!"
    assert sms(ask("Come"), ANA, organization="") == "Come"
    chat = renderer(ask("Come")).render(ANA, "chat", CHAT, link="", unsubscribe_url="")
    assert (chat.text, chat.subject, chat.html) == ("Come", "", "")


@pytest.mark.parametrize(
    ("text", "member", "read"),
    [
        ("Hi {{ first_name|default('friend') }}", Member(id=1), "Hi friend"),
        ("Hi {{ first_name|default('friend') }}", Member(id=1, first_name="  "), "Hi friend"),
        ("{{ first_name|upper }}", Member(id=1, first_name="josé"), "JOSÉ"),
        ("{{ place|truncate(8) }}", Member(id=1, place="Newcastle"), "Newca..."),
        ("{{ place|truncate(9) }}", Member(id=1, place="Newcastle"), "Newcastle"),
        ("{{ last_name|title }}", Member(id=1, last_name="o'brien-smith"), "O'brien-Smith"),
        ("a{{ attribute.branch }}b", Member(id=1, attributes={"branch": "North"}), "aNorthb"),
        ("a{{ attribute.other }}b", Member(id=1, attributes={"branch": "North"}), "ab"),
        ("a\r\nb\rc", Member(id=1), "a\nb\nc"),
        # what a member typed cannot forge lines, hide text, or carry a web address in a name
        ("Hi {{ first_name }}!", Member(id=1, first_name="Ana\r\nSTOP\x00\u2028x\u202e"), "Hi Ana STOP x!"),
        ("Hi {{ first_name|default('you') }}", Member(id=1, first_name="win at evil.example/x"), "Hi you"),
        ("Hi {{ first_name|default('you') }}", Member(id=1, first_name="HTTPS://evil.example"), "Hi you"),
        ("Hi {{ first_name }}", Member(id=1, first_name="J. R. / Dr. Ana-María"), "Hi J. R. / Dr. Ana-María"),
        ("Hi {{ first_name }}", Member(id=1, first_name="می\u200cخواهم"), "Hi می\u200cخواهم"),
        ("Hi {{ first_name }}", Member(id=1, first_name="x" * 200), "Hi " + "x" * 40),
    ],
)
def test_what_is_shown_of_a_member(text: str, member: Member, read: str) -> None:
    assert sms(ask(text), member, organization="") == read


@pytest.mark.parametrize(
    ("zone", "locale", "read"),
    [
        ("America/New_York", "en", "Tue 1 Dec, 13:00"),
        ("Asia/Tokyo", "en-GB", "Wed 2 Dec, 03:00"),
        ("Asia/Tokyo", "es", "mié 2 dic, 03:00"),
        ("Europe/Berlin", "sv", "Tue 1 Dec, 19:00"),
        ("", "en", "Tue 1 Dec, 18:00 UTC"),
        ("Nowhere/Land", "en", "Tue 1 Dec, 18:00 UTC"),
        ("../etc", "en", "Tue 1 Dec, 18:00 UTC"),
        ("America", "en", "Tue 1 Dec, 18:00 UTC"),
    ],
)
def test_a_deadline_is_by_the_members_own_clock(zone: str, locale: str, read: str) -> None:
    deadline = datetime(2026, 12, 1, 18, tzinfo=UTC)
    assert say_deadline(deadline, zone, locale) == read
    assert len(read) <= longest_deadline(locale)
    of = ask(texts={locale: {"default": {"text": "{{ deadline }}"}}}, default_locale=locale, deadline=deadline)
    assert sms(of, Member(id=1, zone=zone, locale=locale), organization="") == read


LOCALES = {
    "en": {"default": {"text": "hello"}, "email": {"text": "hello mail"}},
    "es": {"default": {"text": "hola"}},
    "es-MX": {"email": {"text": "qué onda"}},
    "zh-Hant": {"sms": {"text": "你好"}},
}


@pytest.mark.parametrize(
    ("locale", "channel", "text", "read_in", "is_default"),
    [
        ("en", "sms", "hello", "en", False),
        ("en-GB", "sms", "hello", "en", False),
        ("EN_gb", "sms", "hello", "en", False),
        ("es", "sms", "hola", "es", False),
        ("es-mx", "email", "qué onda", "es-MX", False),
        ("es-MX", "sms", "hola", "es", False),
        ("zh-Hant-TW", "sms", "你好", "zh-Hant", False),
        ("zh-Hant-TW", "email", "hello mail", "en", True),
        ("fr", "sms", "hello", "en", True),
        ("", "sms", "hello", "en", True),
    ],
)
def test_each_member_reads_their_own_language(
    locale: str, channel: str, text: str, read_in: str, is_default: bool
) -> None:
    of = renderer(ask(texts=LOCALES), organization="")
    got = of.render(Member(id=1, locale=locale), channel, SPECS[channel], link=LINK, unsubscribe_url=STOP)
    assert (got.text.split("\n")[0], got.locale, got.is_default_locale) == (text, read_in, is_default)
    assert of.has_words(locale, channel)


def test_a_channel_without_words_is_an_error_that_routing_can_foresee() -> None:
    of = renderer(ask(channels=["sms"], texts={"en": {"sms": {"text": "hello"}}}))
    assert not of.has_words("en", "email")
    with pytest.raises(BadInput, match=r"texts\.en: there is no text for email"):
        of.render(ANA, "email", EMAIL, link="", unsubscribe_url="")


names = st.text(max_size=60)


@given(
    st.lists(st.one_of(st.text("ab \n", max_size=5), slot), max_size=5).map("".join),
    st.builds(
        Member,
        id=st.just(1),
        first_name=names,
        last_name=names,
        place=names,
        zone=st.sampled_from(["", "Asia/Tokyo", "America/Caracas"]),
        attributes=st.fixed_dictionaries({"branch": st.text(max_size=200)}),
    ),
    st.sampled_from(["en", "fr", "ar", "pt-BR"]),
)
def test_no_member_makes_a_message_longer_than_was_checked(text: str, member: Member, locale: str) -> None:
    deadline = datetime(2026, 7, 27, 23, 59, tzinfo=UTC)
    of = Ask.model_validate(
        {"title": "t", "texts": {locale: {"sms": {"text": text + "."}}}, "default_locale": locale, "channels": ["sms"]}
        | {"link": "https://example.org", "deadline": deadline, "goal": {"measure": "gave", "target": 1}}
    )
    read = sms(of, member)
    lengths = {
        "link": len(LINK),
        "forward": len(LINK),
        "deadline": longest_deadline(locale),
        "organization": 14,
        "title": 1,
        "total": LONGEST_SUM,
    }
    pieces, _ = read_template(text + ".", "x")
    bound = len("Tenants United: ") + longest(pieces, lengths)
    assert len(read) <= bound
    if bound <= SMS.max_length:
        assert find_problems(of, SPECS, organization="Tenants United", link=LINK) == []
    assert not CONTROLS.search(read.replace("\n", ""))
    assert read.count("\n") == fill(pieces, {}).count("\n")


def test_the_sample_member_has_all_that_the_ask_speaks_of() -> None:
    of = ask(
        "{{ first_name }} {{ attribute.shirt_size }}", texts=LOCALES | {"fr": {"sms": {"text": "{{ attribute.b }}"}}}
    )
    member = sample_member(of, "fr")
    assert (len(member.first_name), member.locale, dict(member.attributes)) == (20, "fr", {"b": "(b)"})
