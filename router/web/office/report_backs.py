"""Report-backs: which are owed, what was told, the form to tell it, and the way around a debt that anybody can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from router.community.debts import SHORTEST_REASON, list_overrides, list_owed, override_debt
from router.community.report_backs import ReportBackIn, list_public, list_report_backs, write_report_back
from router.core.errors import BadInput, NotAllowed
from router.core.phrases import LANGUAGES
from router.office.asks import asks_seen
from router.office.once import MadeAlready, new_key, remember
from router.store.acts import read_people
from router.views import CampaignView
from router.web.auth import Page, Scope
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.office.asks import STATES
from router.web.office.editor import organizer_of, seen_ask
from router.web.office.form_values import as_sentence
from router.web.office.show import see, show

REPORT_BACK_PAGES: Registry = []
endpoint = registrar(REPORT_BACK_PAGES)

READS, TELLS = Page(Scope.CAMPAIGNS_READ), Page(Scope.CAMPAIGNS_LAUNCH)
ONE = "/office/asks/{id:[0-9]{1,18}}"

_FIELDS = ("kind", "text", "locale", "media", "alt")
_IN_ASK = {"picture": "media", "link": "media"}
"""Where the ask that carries a report-back has what the form has elsewhere."""

_MOST_PUBLIC = 20


@endpoint("GET", "/office/report-backs", access=READS, reply="text/html", summary="Report-backs, owed and written")
async def report_backs(call: Call) -> web.StreamResponse:
    runtime, me = call.runtime, organizer_of(call)
    owed = await list_owed(runtime, now=call.now)
    seen = await asks_seen(runtime, me, [one.campaign_id for one in owed])
    return show(
        call,
        "report_backs.html",
        owed=[one for one in owed if one.campaign_id in seen],
        told=await list_public(runtime, limit=_MOST_PUBLIC),
        overrides=await list_overrides(runtime, limit=_MOST_PUBLIC),
    )


@endpoint("GET", ONE + "/report-back", access=READS, reply="text/html", summary="What was told of an ask, and a form")
async def one_report_back(call: Call) -> web.StreamResponse:
    return await _show(call, await seen_ask(call))


@endpoint("POST", ONE + "/report-back", access=TELLS, reply="text/html", summary="Tell those who acted what came of it")
async def tell(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    form = await form_of(call.request)
    fields = {name: first(form, name) for name in [*_FIELDS, *_texts()]}
    key = first(form, "once") or new_key()
    try:
        body = ReportBackIn.model_validate(_document(fields))
        along = remember(organizer_of(call), key, now=call.now)
        await write_report_back(call.runtime, view.id, body, by=call.by, now=call.now, along=along)
    except MadeAlready:
        pass
    except ValidationError as error:
        wrong = {_box(found["loc"], fields): _say(found["msg"]) for found in error.errors()}
        return await _show(call, view, status=422, fields=fields, wrong=wrong, key=key)
    except BadInput as error:
        wrong = {_box(tuple(error.place.partition(", ")[0].split(".")), fields): as_sentence(error.sentence)}
        return await _show(call, view, status=422, fields=fields, wrong=wrong, key=key)
    except NotAllowed as error:
        return await _show(call, view, status=409, fields=fields, wrong={"": as_sentence(str(error))}, key=key)
    return see(f"/office/asks/{view.id}/report-back")


@endpoint("GET", ONE + "/override", access=TELLS, reply="text/html", summary="What going around a debt means")
async def ask_override(call: Call) -> web.StreamResponse:
    return _show_override(call, await seen_ask(call))


@endpoint("POST", ONE + "/override", access=TELLS, reply="text/html", summary="Ask people who are owed a report-back")
async def override(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    form = await form_of(call.request)
    reason, key = first(form, "reason"), first(form, "once") or new_key()
    along = remember(organizer_of(call), key, now=call.now)
    try:
        await override_debt(call.runtime, view.id, by=call.by, reason=reason, now=call.now, along=along)
    except MadeAlready:
        pass
    except BadInput as error:
        wrong = {error.place: as_sentence(error.sentence)}
        return _show_override(call, view, status=422, wrong=wrong, reason=reason, key=key)
    except NotAllowed as error:
        wrong = {"": as_sentence(str(error))}
        return _show_override(call, view, status=409, wrong=wrong, reason=reason, key=key)
    return see(f"/office/asks/{view.id}/preview")


async def _show(
    call: Call,
    view: CampaignView,
    *,
    status: int = 200,
    fields: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] = {},
    key: str = "",
) -> web.Response:
    people = await read_people(call.runtime.store, view.id, now=call.now)
    return show(
        call,
        "report_back.html",
        status=status,
        view=view,
        people=people,
        written=await list_report_backs(call.runtime, view.id),
        states=STATES,
        fields=fields or dict.fromkeys([*_FIELDS, *_texts()], "") | {"locale": view.ask.default_locale},
        languages=LANGUAGES,
        wrong=wrong,
        key=key or new_key(),
    )


def _show_override(
    call: Call,
    view: CampaignView,
    *,
    status: int = 200,
    wrong: Mapping[str, str] = {},
    reason: str = "",
    key: str = "",
) -> web.Response:
    return show(
        call,
        "override.html",
        status=status,
        view=view,
        wrong=wrong,
        reason=reason,
        shortest=SHORTEST_REASON,
        key=key or new_key(),
    )


def _texts() -> list[str]:
    """The boxes for words in a language of their own."""
    return [f"texts.{language}" for language in LANGUAGES]


def _document(fields: Mapping[str, str]) -> dict[str, Any]:
    """A report-back as the API takes it."""
    texts = {name.removeprefix("texts."): fields[name] for name in _texts() if fields[name]}
    return {name: fields[name] for name in _FIELDS if fields[name] or name in ("kind", "text")} | {"texts": texts}


def _box(place: tuple[int | str, ...], fields: Mapping[str, str]) -> str:
    """The box at which something is said of this place in a report-back, or in the ask that carries it."""
    match place:
        case ("texts", str(locale), *_):
            name = f"texts.{locale}"
            return name if fields.get(name) else "text"
        case (str(name), *_):
            name = _IN_ASK.get(name, name)
            return name if name in fields else ""
    return ""


def _say(message: str) -> str:
    return as_sentence(message.removeprefix("Value error, "))
