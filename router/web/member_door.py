"""``/m/…``: a member's own door. All that concerns them, to see, to change, to take along and to have erased.

No password: the signed link is the key, and it can be made void (`router.door`). Looking changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from aiohttp import web

from router.core.attention import Dial
from router.core.errors import BadInput, NotAllowed
from router.core.event_words import day_of
from router.core.phrases import LANGUAGES, say
from router.dial import PAUSE_DAYS
from router.door import Resident, shut_door, who_enters
from router.erasing import erase_member
from router.own_data import SHOWN, as_json, as_zip, own_data
from router.preferences import Preferences, Wishes, read_preferences, set_preferences
from router.web.auth import Open
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.join_forms import language_of
from router.web.keys import FORM_BRAKE
from router.web.member_pages import TOKEN, page, whose
from router.why import why

MEMBER_DOOR: Registry = []
endpoint = registrar(MEMBER_DOOR)

_PATH = "/m/" + TOKEN
_BY = "the member's own page"
_MOST_PLACES = 20
_NAMES = {"sms": "SMS", "whatsapp": "WhatsApp", "webpush": "Web push", "fcm": "Push"}
"""Channels whose names are not just capitalised."""
_OWN_NAMES = (
    ("en", "English"), ("es", "Español"), ("fr", "Français"), ("de", "Deutsch"), ("pt", "Português"), ("ar", "العربية"),
)  # fmt: skip
_LEFT_OUT = ("held", "cancelled", "expired", "failed")

Tell = Callable[..., str]


@endpoint(
    "GET", _PATH, access=Open.PUBLIC, reply="text/html",
    summary="A member's own page. Looking at it changes nothing: scanners look at everything",
)  # fmt: skip
async def own_page(call: Call) -> web.StreamResponse:
    return await _page(call, await _resident(call))


@endpoint(
    "POST", _PATH, access=Open.PUBLIC, reply="text/html", summary="A member changes what they wish of us, or the lock"
)
async def change(call: Call) -> web.StreamResponse:
    who = await _resident(call)
    await call.request.app[FORM_BRAKE].wrong(call.request)
    form = await form_of(call.request)
    tell = _teller(call, who)
    if first(form, "do") == "shut":
        await shut_door(call.runtime, who.id, by=_BY, now=call.now)
        return _page_of(call, who, "door_done.html", said=tell("lost_done"))
    try:
        wishes = _wishes(call, await read_preferences(call.runtime, who.id), form, tell)
        await set_preferences(call.runtime, who.id, wishes, by=_BY, now=call.now)
    except NotAllowed:
        return await _page(call, who, said=tell("stopped"), status=422)
    except BadInput as error:
        wrong = "bad_zone" if error.place == "zone" else "refused"
        return await _page(call, who, said=tell(wrong), status=422, zone=first(form, "zone")[:64])
    who = await _resident(call)
    return await _page(call, who, said=_teller(call, who)("saved"))


@endpoint(
    "GET", _PATH + "/why/{id:[0-9]{1,18}}", access=Open.PUBLIC, reply="text/html",
    summary="Why a member got a message, or did not, in sentences",
)  # fmt: skip
async def own_why(call: Call) -> web.StreamResponse:
    who = await _resident(call)
    found = await why(call.runtime, who.id, call.id, now=call.now)
    return _page_of(call, who, "door_why.html", found=found, home=_home(call))


@endpoint("GET", _PATH + "/data.json", access=Open.PUBLIC, reply="application/json", summary="All we hold of a member")
async def own_json(call: Call) -> web.StreamResponse:
    who = await _resident(call)
    body = as_json(await own_data(call.runtime, who.id))
    return web.Response(text=body, content_type="application/json", headers=_download("my-data.json"))


@endpoint("GET", _PATH + "/data.zip", access=Open.PUBLIC, reply="application/zip", summary="The same as CSV tables")
async def own_tables(call: Call) -> web.StreamResponse:
    who = await _resident(call)
    body = as_zip(await own_data(call.runtime, who.id))
    return web.Response(body=body, content_type="application/zip", headers=_download("my-data.zip"))


@endpoint(
    "GET", _PATH + "/erase", access=Open.PUBLIC, reply="text/html", summary="What erasing means, and where it is asked"
)
async def ask_erase(call: Call) -> web.StreamResponse:
    return _page_of(call, await _resident(call), "door_erase.html", said="", home=_home(call))


@endpoint(
    "POST", _PATH + "/erase", access=Open.PUBLIC, reply="text/html",
    summary="Erase the member, who has typed the word that says so",
)  # fmt: skip
async def erase(call: Call) -> web.StreamResponse:
    who = await _resident(call)
    tell = _teller(call, who)
    if first(await form_of(call.request), "word").casefold() != tell("erase_word").casefold():
        return _page_of(call, who, "door_erase.html", status=422, said=tell("erase_wrong"), home=_home(call))
    await erase_member(call.runtime, who.id, by=_BY, now=call.now)
    return _page_of(call, who, "door_done.html", said=tell("erased"))


async def _resident(call: Call) -> Resident:
    return await whose(call, lambda token: who_enters(call.runtime, token, now=call.now))


def _wishes(call: Call, stands: Preferences, form: dict[str, list[str]], tell: Tell) -> Wishes:
    """What a form of the page asks for. Raises `BadInput`."""
    match first(form, "do"):
        case "pause":
            return Wishes(paused_until=call.now + timedelta(days=PAUSE_DAYS))
        case "resume":
            return Wishes(paused_until=call.now)
        case "wishes":
            pass
        case _:
            raise BadInput("asks for nothing that this page can do", place="do")
    dial, locale, zone = first(form, "dial"), first(form, "locale"), first(form, "zone")
    if dial not in tuple(Dial) or locale not in LANGUAGES:
        raise BadInput("is none of those offered", place="dial")
    ranked = {channel: first(form, f"place.{channel}") for channel in stands.channels}
    order = sorted((place, channel) for channel, place in ranked.items() if place.isdecimal() and len(place) < 3)
    wanted = {channel: f"may.{channel}" in form for channel in stands.channels}
    changed = {channel: yes for channel, yes in wanted.items() if yes != stands.channels[channel]}
    return Wishes(
        order=[channel for _, channel in order],
        channels=changed,
        zone=zone if zone != stands.zone else None,
        locale=locale if locale != _language(call, stands.locale) else None,
        dial=Dial(dial),
        source=_BY,
        wording=" ".join(tell("may_write", channel=_name(channel)) for channel, yes in changed.items() if yes),
    )


async def _page(
    call: Call, who: Resident, *, said: str = "", status: int = 200, zone: str | None = None
) -> web.StreamResponse:
    own = await own_data(call.runtime, who.id, most=SHOWN)
    until = own.preferences.paused_until
    return _page_of(
        call,
        who,
        "door.html",
        status=status,
        said=said,
        wrong=status != 200,
        own=own,
        wishes=own.preferences,
        action=_home(call),
        zone=who.zone if zone is None else zone,
        dials=[dial.value for dial in Dial],
        languages=_OWN_NAMES,
        channels=[(channel, _name(channel)) for channel in own.preferences.channels][:_MOST_PLACES],
        paused=day_of(until, who.zone, who.locale) if until is not None and until > call.now else "",
        pause_days=PAUSE_DAYS,
        left_out=_LEFT_OUT,
        name_of=_name,
        day=lambda at: day_of(at, who.zone, _language(call, who.locale)),
    )


def _page_of(call: Call, who: Resident, template: str, *, status: int = 200, **words: Any) -> web.Response:
    language = _language(call, who.locale)
    return page(call.request, template, status=status, language=language, tell=_teller(call, who), **words)


def _teller(call: Call, who: Resident) -> Tell:
    """``tell("saved")`` is the phrase ``door.saved`` in the member's language."""
    language, organization = _language(call, who.locale), call.runtime.settings.organization
    return lambda name, **values: say(f"door.{name}", language, organization=organization, **values)


def _language(call: Call, locale: str) -> str:
    """The member's language where we speak it, else their browser's."""
    own = locale.partition("-")[0].lower()
    return own if own in LANGUAGES else language_of(call.request)


def _home(call: Call) -> str:
    return f"/m/{call.request.match_info['token']}"


def _name(channel: str) -> str:
    return _NAMES.get(channel, channel.capitalize())


def _download(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
