"""Members' pages in six languages: the catalogues are whole, and each page speaks its reader's language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient
from babel.messages import Catalog
from jinja2 import Environment

from router.community.event_model import EventIn
from router.community.events import create_in
from router.core.catalogue import translator
from router.core.event_links import guest_token
from router.core.phrases import LANGUAGES
from router.runtime import Runtime
from router.web.languages import house_language
from tests.support.catalogues import TEMPLATES, TRANSLATED, brought_up_to_date, path_of, read_catalogue, template
from tests.support.runtime import Clock

HOLE = re.compile(r"%\((\w+)\)s|\{(\w+)\}")


def holes(words: str) -> set[str]:
    return {one or other for one, other in HOLE.findall(words)}


@pytest.fixture(scope="module")
def said() -> Catalog:
    """Every sentence that the pages say."""
    return template()


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_every_sentence_translated_with_the_same_holes_and_all_plural_forms(
    language: str, said: Catalog
) -> None:
    catalogue = read_catalogue(language)
    assert {one.id for one in catalogue if one.id} == {one.id for one in said if one.id}, "run: make catalogues"
    for one in [one for one in catalogue if one.id]:
        assert not one.fuzzy, one.id
        if isinstance(one.id, str):
            assert one.string, one.id
            assert holes(one.string) == holes(one.id), one.string
        else:
            assert len(one.string) == catalogue.num_plurals, one.id
            assert all(one.string), one.id
            for form in one.string:  # "once" needs no number
                assert holes(one.id[1]) - {"num"} <= holes(form) <= holes(one.id[1]), form
    assert path_of(language).read_bytes() == brought_up_to_date(language), "run: make catalogues"


def bare_words(source: str) -> Iterator[str]:
    """What a template says outside of ``_()`` and ``{% trans %}``."""
    inside, shown = False, []
    for _, kind, value in Environment(extensions=["jinja2.ext.i18n"]).lex(source):
        if kind == "name" and value in ("trans", "endtrans"):
            inside = value == "trans"
        if kind == "data" and not inside:
            shown.append(value)
    text = re.sub(r"<[^>]*>?|[^<]*>", " ", re.sub(r"<[^>]*>", " ", " \0 ".join(shown)))
    yield from re.findall(r"[^\W\d_]{2,}", re.sub(r"\bJOIN\b", "", text))


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_a_page_says_nothing_that_no_catalogue_could_translate(path: Path) -> None:
    assert list(bare_words(path.read_text("utf-8"))) == []


def test_words_that_nobody_marked_are_found() -> None:
    source = '<p class="x">{{ _("Marked") }} left <b title="{{ y }}">out</b>{% trans %}Marked{% endtrans %}</p>'
    assert list(bare_words(source)) == ["left", "out"]


def test_every_count_has_its_form() -> None:
    forms = "%(num)s seat", "%(num)s seats"
    arabic = {n: translator("ar").ngettext(*forms, n) for n in (0, 1, 2, 3, 10, 11, 99, 100)}
    assert arabic[3] == "3 مقاعد"
    assert arabic[11] == "11 مقعدا"
    assert arabic[100] == "100 مقعد"
    assert len({re.sub(r"\d+", "", words) for words in arabic.values()}) == 6
    assert translator("fr").ngettext(*forms, 0) == "0 place"
    assert translator("de").ngettext(*forms, 1200) == "1.200 Plätze"


async def event(runtime: Runtime, clock: Clock, guest: str) -> tuple[str, str]:
    """An open dinner: its page for everybody, and that of its host, a member with the locale `guest`."""
    [number] = await runtime.store.take_ids(1)
    async with runtime.store.write() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO member (id, first_name, locale, joined_at, created_at, updated_at)"
            f" VALUES (1, 'Yasmin', '{guest}', 0, 0, 0)"
        )
        about = EventIn(
            title="Dinner", area="Camden", address="12 High Street", country="GB", postcode="NW17JR",
            zone="Europe/London", seats=3, starts_at_local=datetime.fromisoformat("2026-12-03T19:00"),
        )  # fmt: skip
        made = await create_in(
            connection, runtime, about, number=number, by="ana", host_id=1, trusted=True, now=clock()
        )
    return f"/e/{made.id}", f"/e/{made.id}/{guest_token(runtime.key, made.id, 1)}"


async def speech(client: TestClient, path: str, accept: str = "", status: int = 200) -> tuple[str, str]:
    """The language that a page names, and the page."""
    async with client.get(path, headers={"Accept-Language": accept}) as response:
        assert response.status == status
        page = await response.text()
        named = re.search(r'<html lang="(\w+)"', page)
        assert named is not None
        assert response.headers["Content-Language"] == named[1]
        return named[1], page


async def test_a_stranger_is_spoken_to_in_their_own_language(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    public, own = await event(runtime, clock, "de-AT")
    for path, words in ((public, "Plazas libres"), ("/ideas", "Ideas de los miembros"), ("/open", "Lo que pedimos"),
                        ("/door", "Envíenme mi enlace")):  # fmt: skip
        language, page = await speech(client, path, "tlh, fr;q=0.2, es-MX;q=0.8, de;q=0")
        assert (language, words in page) == ("es", True), path
        for code in LANGUAGES:
            assert (f'href="?lang={code}"' in page) is (code != "es"), path
        assert (await speech(client, f"{path}?lang=ar", "es"))[0] == "ar"
        assert (await speech(client, f"{path}?lang=tlh", "xx, *;q=x"))[0] == "en"
    assert "jue, 3 dic 19:00" in (await speech(client, public, "es"))[1]
    language, page = await speech(client, own, "es")
    assert (language, "Ihre Gäste" in page, "hreflang" in page) == ("de", True, False), (
        "a member's own page is in theirs"
    )
    language, page = await speech(client, "/e/999?lang=<script>", "fr", 404)
    assert (language, "Nous ne trouvons pas cette page" in page, "<script" in page) == ("fr", True, False)
    assert "Cet événement n&#39;existe pas" in page


@pytest.mark.parametrize(("region", "language"), [("MX", "es"), ("CH", "de"), ("US", "en"), ("EG", "ar"), ("JP", "en")])
def test_where_nobody_says_it_is_what_the_region_speaks(region: str, language: str) -> None:
    assert house_language(region) == language
