"""What an email looks like: text, page, subject and foot, and nothing that anybody typed as a tag."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.ask import Ask
from router.core.content import Renderer
from router.core.content_render import Footer, MessageTemplates
from router.core.model import Member
from tests.support.words import ANA, EMAIL, LINK, STOP, TEMPLATES, ask, renderer


class Page(HTMLParser):
    """What an email's HTML holds: tags in order, links, visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.html_tag: dict[str, str | None] = {}
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "a":
            self.links.append(dict(attrs)["href"])
        if tag == "html":
            self.html_tag = dict(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def email(of: Ask, member: Member = ANA, organization: str = "Tenants United") -> Any:
    return renderer(of, organization).render(member, "email", EMAIL, link=LINK, unsubscribe_url=STOP)


def test_an_email_has_text_page_subject_and_foot() -> None:
    of = ask("Hi {{ first_name }},\n\nsee https://example.org/a?b=1&c=2.\nOr {{ link }}", link="https://example.org")
    got = email(of)
    assert got.subject == "Rents"
    assert got.text == (
        "Hi Ana,\n\nsee https://example.org/a?b=1&c=2.\nOr "
        + LINK
        + "\n\n-- \nTenants United\n1 Main St\nSpringfield\n\n"
        "You get this email because you agreed to hear from Tenants United.\nUnsubscribe: " + STOP + "\n"
        "What we hold of you, and your wishes: " + STOP + "/door\n"
    )
    page = Page(got.html)
    assert page.links == ["https://example.org/a?b=1&c=2", LINK, STOP, f"{STOP}/door"]
    assert page.html_tag == {"lang": "en", "dir": "ltr"}
    assert page.tags.count("p") == 2 + 4
    assert all(line in page.text for line in ("Hi Ana,", "1 Main St", "Springfield", "Tenants United", "Unsubscribe"))


EVIL = '<b><script>alert(1)</script>"&\'<a href="https://evil.example">'


def test_what_people_typed_is_escaped_and_brings_no_tag_and_no_header() -> None:
    calm = Page(email(ask("Hi {{ first_name }} {{ attribute.a }}")).html)
    text = "Hi {{ first_name }} {{ attribute.a }}"
    of = ask(texts={"en": {"email": {"text": text, "subject": "For {{ attribute.a }}"}}}, channels=["email"])
    got = email(of, Member(id=1, first_name=EVIL[:35], attributes={"a": "x\r\nBcc: all@example.org " + EVIL}))
    page = Page(got.html)
    assert [tag for tag in page.tags if tag != "a"] == [tag for tag in calm.tags if tag != "a"]
    assert "\n" not in got.subject
    assert "\r" not in got.subject
    assert "<script>" in page.text


def test_an_organizations_name_cannot_break_the_page() -> None:
    got = email(ask("Hi"), organization="A & B <i>\x00subject\x00</i>")
    assert "A & B <i> subject </i>" in Page(got.html).text
    assert "i" not in Page(got.html).tags


@pytest.mark.parametrize(
    ("locale", "direction", "unsubscribe"),
    [("ar", "rtl", "إلغاء الاشتراك"), ("he-IL", "rtl", "Unsubscribe"), ("pt-BR", "ltr", "Cancelar a subscrição")],
)
def test_an_email_speaks_and_runs_as_its_locale_does(locale: str, direction: str, unsubscribe: str) -> None:
    of = ask(texts={locale: {"default": {"text": "x"}}}, default_locale=locale)
    got = email(of, Member(id=1, locale=locale))
    assert Page(got.html).html_tag == {"lang": locale, "dir": direction}
    assert unsubscribe in got.html
    assert f"{unsubscribe}: {STOP}" in got.text


@given(
    st.text(st.sampled_from("ab<>&\"' \n.,:/)http"), max_size=60), st.text(st.sampled_from("<>&\"'a:/\n"), max_size=20)
)
def test_no_text_brings_a_tag_of_its_own(text: str, name: str) -> None:
    of = ask("{% raw %}https://x" + text + "{% endraw %} {{ attribute.n }}")
    page = Page(email(of, Member(id=1, attributes={"n": name})).html)
    assert set(page.tags) <= {"html", "head", "meta", "title", "style", "body", "div", "p", "br", "a", "strong"}
    assert all(link and re.match(r"https?://[^\s<>\"]+$", link) for link in page.links)


def test_every_packaged_footer_is_whole() -> None:
    assert {"en", "es", "fr", "de", "pt", "ar"} <= set(TEMPLATES.footers)
    for footer in TEMPLATES.footers.values():
        assert "{organization}" in footer.why
        assert footer.unsubscribe
        assert footer.door


def test_a_language_without_a_footer_has_the_english_one() -> None:
    only = MessageTemplates(
        email_html="{{ why }}", footers={"en": Footer(why="why {organization}", unsubscribe="stop", door="mine")}
    )
    of = Renderer(ask("x"), organization="O", postal_address="", templates=only)
    assert of.render(Member(id=1, locale="de"), "email", EMAIL, link="", unsubscribe_url="u").html == "why O"
