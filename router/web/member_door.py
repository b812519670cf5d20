"""``/m/…``: a member's own door. All that concerns them, to see, to change, to take along and to have erased.

No password: the signed link is the key, and it can be made void (`router.door`). Looking changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aiohttp import web

from router.core.attention import Dial
from router.core.catalogue import Translator, gettext_noop
from router.core.errors import BadInput, NotAllowed
from router.core.explaining import Reader
from router.core.phrases import LANGUAGES
from router.dial import PAUSE_DAYS
from router.door import Resident, shut_door, who_enters
from router.erasing import erase_member
from router.own_data import SHOWN, as_json, as_zip, own_data
from router.policy_changes.sights import list_own
from router.preferences import Preferences, Wishes, read_preferences, set_preferences
from router.web.auth import Open
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import FORM_BRAKE
from router.web.languages import OWN_NAMES, language_of
from router.web.member_pages import TOKEN, page, speaks, whose
from router.web.page_words import channel_name, deed_name, week_in
from router.web.rule_words import say_change
from router.why import why

MEMBER_DOOR: Registry = []
endpoint = registrar(MEMBER_DOOR)

_PATH = "/m/" + TOKEN
_BY = "the member's own page"
_MOST_PLACES = 20
_LEFT_OUT = ("held", "cancelled", "expired", "failed")
_DIALS: Mapping[Dial, str] = {
    Dial.EVERYTHING: gettext_noop("Everything that concerns me"),
    Dial.WEEKLY: gettext_noop("Once a week at most"),
    Dial.URGENT_ONLY: gettext_noop("Only what is urgent"),
    Dial.PAUSED: gettext_noop("Nothing, until I turn it back"),
}
_STATES: Mapping[str, str] = {
    "granted": gettext_noop("Yes"),
    "revoked": gettext_noop("No more"),
    "unconfirmed": gettext_noop("Not confirmed"),
}


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
    speak = speaks(call.request, who.locale)
    if first(form, "do") == "shut":
        await shut_door(call.runtime, who.id, by=_BY, now=call.now)
        done = speak.gettext(
            "Done. No link opens your page any more. Answer WHY to any message of ours to get a new one."
        )
        return _page_of(call, who, "door_done.html", said=done)
    try:
        wishes = _wishes(call, await read_preferences(call.runtime, who.id), form, speak)
        await set_preferences(call.runtime, who.id, wishes, by=_BY, now=call.now)
    except NotAllowed:
        stopped = speak.gettext(
            "You once told us to stop there. Write START to us from there if you want our messages again."
            " Nothing was changed."
        )
        return await _page(call, who, said=stopped, status=422)
    except BadInput as error:
        return await _page(call, who, said=_refusal(error, speak), status=422, zone=first(form, "zone")[:64])
    who = await _resident(call)
    return await _page(call, who, said=speaks(call.request, who.locale).gettext("Saved. It holds from now on."))


@endpoint(
    "GET", _PATH + "/why/{id:[0-9]{1,18}}", access=Open.PUBLIC, reply="text/html",
    summary="Why a member got a message, or did not, in sentences",
)  # fmt: skip
async def own_why(call: Call) -> web.StreamResponse:
    who = await _resident(call)
    speak = speaks(call.request, who.locale)
    reader = Reader(speak=speak, zone=who.zone or "UTC", channel=lambda channel: channel_name(speak, channel))
    found = await why(call.runtime, who.id, call.id, now=call.now, reader=reader)
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
    speak = speaks(call.request, who.locale)
    if first(await form_of(call.request), "word").casefold() != speak.gettext("ERASE").casefold():
        wrong = speak.gettext("That was another word, so nothing was erased.")
        return _page_of(call, who, "door_erase.html", status=422, said=wrong, home=_home(call))
    await erase_member(call.runtime, who.id, by=_BY, now=call.now)
    done = speak.gettext(
        "Done. You are erased, and we will not write to you again. Thank you for the way we went together."
    )
    return _page_of(call, who, "door_done.html", said=done)


async def _resident(call: Call) -> Resident:
    return await whose(call, lambda token: who_enters(call.runtime, token, now=call.now))


def _refusal(error: BadInput, speak: Translator) -> str:
    if error.place == "zone":
        return speak.gettext("We do not know this time zone. Write it like Europe/Berlin. Nothing was changed.")
    return speak.gettext("That could not be saved. Nothing was changed.")


def _wishes(call: Call, stands: Preferences, form: dict[str, list[str]], speak: Translator) -> Wishes:
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
    agreed = [_agreement(call, speak, channel) for channel, yes in changed.items() if yes]
    return Wishes(
        order=[channel for _, channel in order],
        channels=changed,
        zone=zone if zone != stands.zone else None,
        locale=locale if locale != language_of(call.request, stands.locale) else None,
        dial=Dial(dial),
        source=_BY,
        wording=" ".join(agreed),
    )


def _agreement(call: Call, speak: Translator, channel: str) -> str:
    """What stands beside a channel's box, which is kept with their consent."""
    organization = call.runtime.settings.organization
    return speak.gettext(
        "%(organization)s may write to me by %(channel)s.",
        organization=organization,
        channel=channel_name(speak, channel),
    )


async def _page(
    call: Call, who: Resident, *, said: str = "", status: int = 200, zone: str | None = None
) -> web.StreamResponse:
    own = await own_data(call.runtime, who.id, most=SHOWN)
    until = own.preferences.paused_until
    speak = speaks(call.request, who.locale)
    return _page_of(
        call,
        who,
        "door.html",
        status=status,
        said=said,
        wrong=status != 200,
        own=own,
        own_rules=await list_own(call.runtime, who.id, now=call.now),
        say_change=lambda change: say_change(speak, change),
        wishes=own.preferences,
        action=_home(call),
        zone=who.zone if zone is None else zone,
        dials=[(dial.value, meaning) for dial, meaning in _DIALS.items()],
        own_names=OWN_NAMES,
        states=_STATES,
        channels=[(channel, channel_name(speak, channel)) for channel in own.preferences.channels][:_MOST_PLACES],
        hours=_hours(call, speak, list(own.preferences.channels)[:_MOST_PLACES]),
        paused=speak.day(until, who.zone) if until is not None and until > call.now else "",
        pause_days=PAUSE_DAYS,
        left_out=_LEFT_OUT,
        name_of=lambda channel: channel_name(speak, channel),
        deed=lambda kind: deed_name(speak, kind),
        home_zone=who.zone,
    )


def _hours(call: Call, speak: Translator, channels: list[str]) -> list[tuple[str, str]]:
    """The hours in which asks come, each with the channels that have them."""
    alike: dict[str, list[str]] = {}
    for channel in channels:
        said = week_in(speak, call.runtime.quiet_hours.week(channel))
        alike.setdefault(said, []).append(channel_name(speak, channel))
    return [(speak.listed(names), said) for said, names in alike.items()]


def _page_of(call: Call, who: Resident, template: str, *, status: int = 200, **words: Any) -> web.Response:
    return page(call.request, template, locale=who.locale, status=status, **words)


def _home(call: Call) -> str:
    return f"/m/{call.request.match_info['token']}"


def _download(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
