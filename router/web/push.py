"""``/push/…``: where a member lets a browser of theirs get notifications. ``/sw.js`` is what shows them there."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from router.core.catalogue import Translator, gettext_noop
from router.core.channel import OptOut, Received
from router.core.errors import NotFound
from router.core.join_links import read_join_token
from router.core.push import LONGEST_ENDPOINT, Subscribing, subscription_value
from router.records.browsers import join_browser, owns_browser
from router.web.auth import Open
from router.web.endpoints import Call, Registry, registrar
from router.web.member_pages import FOLDER, TOKEN, locale_of, page, speaks, whose
from router.web.problems import ProblemError

PUSH: Registry = []
endpoint = registrar(PUSH)

CHANNEL = "webpush"
_PATH = "/push/" + TOKEN
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; worker-src 'self'; style-src 'self'; "
    "manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_WORKER_POLICY = "default-src 'none'; img-src https:"
"""A service worker has a policy of its own; pictures of notifications are all that it loads."""

_SCRIPTS = {name: (FOLDER / "static" / name).read_text("utf-8") for name in ("push.js", "sw.js")}


class Keys(BaseModel):
    """The browser's public key and its secret, in base64url."""

    model_config = ConfigDict(frozen=True)

    p256dh: Annotated[str, Field(max_length=100)]
    auth: Annotated[str, Field(max_length=40)]


class BrowserSubscription(BaseModel):
    """What ``JSON.stringify`` makes of a PushSubscription (w3.org/TR/push-api); browsers may add to it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    endpoint: Annotated[str, Field(max_length=LONGEST_ENDPOINT)]
    keys: Keys


class Subscribed(BaseModel):
    """Whether this browser gets notifications now."""

    model_config = ConfigDict(frozen=True)

    subscribed: bool


@endpoint("GET", _PATH, access=Open.PUBLIC, reply="text/html", summary="Where a member allows notifications")
async def push_page(call: Call) -> web.StreamResponse:
    locale = await locale_of(call, await _member(call))
    _, channel = _adapter(call)
    organization = call.runtime.settings.organization
    return page(
        call.request,
        "push.html",
        locale=locale,
        headers={"Content-Security-Policy": _POLICY},
        public_key=channel.public_key,
        wording=wording(organization, speaks(call.request, locale)),
    )


@endpoint(
    "POST",
    _PATH,
    access=Open.PUBLIC,
    body=BrowserSubscription,
    reply=Subscribed,
    summary="Write to this browser from now on; the page's words are kept as what was agreed to",
)
async def subscribe_browser(call: Call, body: BrowserSubscription) -> Subscribed:
    member_id = await _member(call)
    account, _ = _adapter(call)
    words = wording(call.runtime.settings.organization, speaks(call.request, await locale_of(call, member_id)))
    value = subscription_value(body.model_dump())
    await join_browser(call.runtime, member_id, CHANNEL, account, value, wording=words, now=call.now)
    return Subscribed(subscribed=True)


@endpoint(
    "DELETE",
    _PATH,
    access=Open.PUBLIC,
    body=BrowserSubscription,
    reply=Subscribed,
    summary="Write to this browser no more; in force before the answer",
)
async def unsubscribe_browser(call: Call, body: BrowserSubscription) -> Subscribed:
    member_id = await _member(call)
    account, _ = _adapter(call)
    value = subscription_value(body.model_dump())
    if await owns_browser(call.runtime, member_id, CHANNEL, value):
        name = blake2b(value.encode(), digest_size=16).hexdigest()
        event = OptOut(event_id=f"page {name}", address=value, at=call.now)
        await call.receiver.submit(CHANNEL, account, Received(events=(event,)), call.now)
    return Subscribed(subscribed=False)


@endpoint("GET", "/sw.js", access=Open.PUBLIC, reply="text/javascript", summary="What shows notifications")
async def service_worker(call: Call) -> web.StreamResponse:
    # At the root, because a service worker may only take charge of what lies below its own address.
    return _script("sw.js", _WORKER_POLICY, "no-cache")


@endpoint(
    "GET",
    "/push/static/{file:[a-z]{1,20}[.][a-z]{1,20}}",
    access=Open.PUBLIC,
    reply="*/*",
    summary="The page's script, and what makes it an app on a home screen",
)
async def static_file(call: Call) -> web.StreamResponse:
    match call.request.match_info["file"]:
        case "push.js":
            return _script("push.js", _POLICY, "public, max-age=3600")
        case "app.webmanifest":
            # Safari on iPhones has notifications for apps of the home screen only. Without a start_url the app opens
            # the page it was made from, which has the member's token in its address (w3.org/TR/appmanifest).
            organization = call.runtime.settings.organization
            manifest = {"name": organization, "short_name": organization, "display": "standalone"}
            return web.Response(text=json.dumps(manifest), content_type="application/manifest+json")
    raise NotFound("there is nothing at this address")


def wording(organization: str, speak: Translator) -> str:
    """What a member reads above the button, kept word for word with their consent."""
    return speak.gettext(
        "%(organization)s may send notifications to this browser: what it asks of you, and what came of it. "
        "You can stop them at any time, here or in the settings of your browser.",
        organization=organization,
    )


def _script(name: str, policy: str, cache: str) -> web.Response:
    headers = {"Content-Security-Policy": policy, "Cache-Control": cache}
    return web.Response(text=_SCRIPTS[name], content_type="text/javascript", charset="utf-8", headers=headers)


async def _member(call: Call) -> int:
    """The member whose link this is; 404 where it is not ours or too old, 429 where too many were not."""
    return await whose(call, lambda token: read_join_token(call.runtime.key, token, call.now))


def _adapter(call: Call) -> tuple[str, Subscribing]:
    """The account that browsers subscribe to, which is the first."""
    for account, channel in call.runtime.channels.get(CHANNEL, {}).items():
        if isinstance(channel, Subscribing):
            return account, channel
    raise ProblemError(404, gettext_noop("Notifications in browsers are not switched on here."))
