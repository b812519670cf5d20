"""What all members' pages share: their templates and language, the signed token in their path, their forms."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from sqlalchemy import text

from router.core.catalogue import RIGHT_TO_LEFT, Translator, gettext_noop, spoken, translator
from router.core.data import data_folder
from router.core.model import DeliveryRef
from router.web.bodies import read_body
from router.web.endpoints import Call
from router.web.keys import BRAKE, RUNTIME
from router.web.languages import language_of, other_languages
from router.web.problems import ProblemError

T = TypeVar("T")

FOLDER = data_folder("templates") / "member"

TOKEN = "{token:[^/]{1,200}}"  # noqa: S105 - a route pattern

_MOST_FIELDS = 20
_BREAKS = re.compile(r"[\r\n\t]+")
_LONGEST = 20
"""Characters of a field that says nothing else."""


def _speaker(context: Context) -> Translator:
    return translator(context["language"])


@pass_context
def _gettext(context: Context, message: str) -> str:
    return _speaker(context).gettext(message)


@pass_context
def _ngettext(context: Context, one: str, more: str, count: int) -> str:
    return _speaker(context).ngettext(one, more, count)


def _environment() -> Environment:
    """One for all languages: a page is compiled once, and speaks the language that its context names."""
    made = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )  # fmt: skip
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_callables(_gettext, _ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.filters |= {
        "translated": pass_context(lambda context, message: _speaker(context).gettext(message)),
        "number": pass_context(lambda context, number: _speaker(context).number(number)),
        "percent": pass_context(lambda context, share: _speaker(context).percent(share)),
        "money": pass_context(lambda context, amount, currency: _speaker(context).money(amount, currency)),
        "listed": pass_context(lambda context, items: _speaker(context).listed(items)),
        "day": pass_context(lambda context, at, zone="": _speaker(context).day(at, zone)),
        "moment": pass_context(lambda context, at, zone="": _speaker(context).moment(at, zone)),
    }
    return made


_pages = _environment()


def page(
    request: web.Request,
    template: str,
    *,
    locale: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **words: Any,
) -> web.Response:
    """A page of ``templates/member``, which nobody keeps a copy of.

    `locale` is its member's; a page for strangers, or for a member whose language we do not speak, also leads to itself
    in the other languages.
    """
    language = language_of(request, locale)
    is_theirs = bool(spoken(locale)) or status != 200 or request.method == "POST"
    return web.Response(
        status=status,
        text=_pages.get_template(template).render(
            organization=request.app[RUNTIME].settings.organization,
            language=language,
            direction="rtl" if language in RIGHT_TO_LEFT else "ltr",
            languages=[] if is_theirs else other_languages(request, language),
            **words,
        ),
        content_type="text/html",
        headers={
            "Cache-Control": "no-store", "Content-Language": language, "Vary": "Accept-Language", **(headers or {}),
        },
    )  # fmt: skip


def speaks(request: web.Request, locale: str = "") -> Translator:
    """What `page` says its words by: the language of a member's `locale`, else the stranger's."""
    return translator(language_of(request, locale))


async def locale_of(call: Call, member_id: int) -> str:
    """The locale of a member, "" where it is not known."""
    async with call.runtime.store.read() as connection:
        found = await connection.scalar(text("SELECT locale FROM member WHERE id = :id"), {"id": member_id})
    return found or ""


async def locale_of_delivery(call: Call, ref: DeliveryRef) -> str:
    """The locale of whom a message was for, "" where it is not known."""
    async with call.runtime.store.read() as connection:
        found = await connection.scalar(
            text(
                "SELECT m.locale FROM delivery d JOIN member m ON m.id = d.member_id"
                " WHERE d.month = :month AND d.id = :id"
            ),
            {"month": ref.month, "id": ref.id},
        )
    return found or ""


async def whose(call: Call, read: Callable[[str], T | Awaitable[T | None] | None]) -> T:
    """What the path's token stands for, as `read` finds it; 404 where that is nothing, 429 where too many were."""
    brake = call.request.app[BRAKE]
    await brake.enter(call.request)
    found = read(call.request.match_info["token"])
    if isinstance(found, Awaitable):
        found = await found
    if found is None:
        await brake.wrong(call.request)
        raise too_old()
    return found


def too_old() -> ProblemError:
    """For a link that is not ours, or is not any more."""
    return ProblemError(404, gettext_noop("This link is not complete, or is too old."))


async def form_fields(request: web.Request, longest: Mapping[str, int]) -> dict[str, str]:
    """What a form says, each field in one line and cut to its longest."""
    raw = await read_body(request)
    try:
        pairs = parse_qsl(raw.decode("utf-8"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise ProblemError(400, gettext_noop("This form could not be read.")) from None
    return {
        name: "".join(c for c in _BREAKS.sub(" ", value) if c.isprintable()).strip()[: longest.get(name, _LONGEST)]
        for name, value in pairs
    }
