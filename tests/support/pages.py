"""Every page of the registry, with an address at which there is something to see; so that none is forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import text

from router.core.ask import Ask
from router.core.door_links import Door, door_token
from router.core.event_links import guest_token
from router.core.forward_links import forward_token, shared_token
from router.core.join_links import confirm_token, ideas_token, join_token
from router.core.links import action_token, unsubscribe_token
from router.core.model import DeliveryRef
from router.core.roles import Role
from router.drafting import save_campaign
from router.office.invitations import invite
from router.runtime import Runtime
from router.web.app import ENDPOINTS
from tests.support.past import CALLS, Past

ELSEWHERE: Mapping[str, str] = {
    "/office/asks/{id}/live/events": "a stream: `bench viewers` looks at it",
    "/office/asks/{id}/preview/counted": "a dry run of the launch over all members: `bench preview` measures it",
    "/office/asks/{id}/acted.csv": "a file, written a piece at a time while it is read",
    "/office/asks/{id}/audience": "counts the audience as it is now: a look at every member",
    "/metrics": "for a machine, with a token",
}
"""Pages that are held to no aim, and why."""

_ASK = "/office/asks/{id}"
"""A page below this that has no example of its own is looked at of the ask that goes out."""

WHO = 500
"""The member whose pages are looked at."""

_SEARCHES: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "/office/members": (
        {"who": "first12"}, {"who": f"first{WHO} last{WHO}"}, {"who": "+1 202 555 0500"}, {"tag": "choir"},
        {"tag": "steward", "after": "5000"}, {"place": "Place 77"}, {"tag": "tenant", "place": "Place 50"},
        {"who": "nobody at all"}, {"place": "Nowhere"},
    ),
}  # fmt: skip
"""Pages that are asked for by POST and change nothing."""


class Sight(NamedTuple):
    """One page to look at."""

    path: str
    """As the registry has it."""
    url: str
    """With everything filled in."""
    form: Mapping[str, str] | None = None
    """What is sent where the page is asked for by POST, so that no address has a name in it."""

    @property
    def told(self) -> str:
        """The page in a list: what was looked for beside its path."""
        return f"{self.path} {' '.join(self.form.values()) if self.form else self.url.partition('?')[2]}".strip()


class UnknownPage(LookupError):
    """A page is in the registry for which nobody has said where there is something to see."""


async def sights(runtime: Runtime, past: Past, *, running: int, now: datetime) -> list[Sight]:
    """All GET pages but the API's. `running` is an ask that goes out at this time.

    Raises `UnknownPage` for one that has no example here: give it one.
    """
    examples = await _examples(runtime, past, running, now)
    found = []
    for endpoint in ENDPOINTS:
        path = endpoint.public_path
        if endpoint.method != "GET" or path.startswith("/api/"):
            continue
        urls = examples.get(path, (path.replace(_ASK, f"{_ASK.removesuffix('{id}')}{running}"),))
        if any("{" in url for url in urls):
            raise UnknownPage(f"{path} has no example in tests/support/pages.py")
        found += [Sight(path, url) for url in urls]
    return found + [Sight(path, path, form) for path, forms in _SEARCHES.items() for form in forms]


async def _examples(runtime: Runtime, past: Past, running: int, now: datetime) -> Mapping[str, tuple[str, ...]]:
    key, soon = runtime.key, now + timedelta(days=7)
    ref = DeliveryRef(past.months[0], past.delivery(0, WHO))
    draft = await save_campaign(
        runtime, Ask.model_validate({"title": "Draft", "texts": {"en": {"default": {"text": "Come! STOP ends."}}}}),
        by="ana", now=now,
    )  # fmt: skip
    welcome = await invite(runtime, role=Role.VIEWER, name="Cy", by="ana", now=now)
    async with runtime.store.read() as connection:
        address = await connection.scalar(text("SELECT min(id) FROM address WHERE member_id = :id"), {"id": WHO})
        organizer = await connection.scalar(text("SELECT min(id) FROM organizer"))
        job = await connection.scalar(text("SELECT max(id) FROM import_job"))
        talk = await connection.scalar(text("SELECT min(member_id) FROM thread"))
        guest = await connection.scalar(
            text("SELECT min(member_id) FROM rsvp WHERE event_id = :id"), {"id": past.event(5)}
        )
    big = f"/office/asks/{past.ask(0)}"
    door = f"/m/{door_token(key, Door(WHO, 0), soon)}"
    own_event = f"/e/{past.event(5)}/{guest_token(key, past.event(5), guest or WHO)}"
    asks = (past.ask(0), running)
    return {
        "/office/members/{id}": (f"/office/members/{WHO}",),
        "/office/members/{id}/merge": (f"/office/members/{WHO}/merge?with={WHO + 1}",),
        "/office/asks": ("/office/asks", "/office/asks?show=over"),
        "/office/asks/{id}": tuple(f"/office/asks/{number}" for number in (*asks, draft.id)),
        "/office/asks/{id}/edit": (f"/office/asks/{draft.id}/edit",),
        "/office/asks/{id}/audience": (f"/office/asks/{draft.id}/audience",),
        "/office/asks/{id}/results": tuple(f"/office/asks/{number}/results" for number in asks),
        "/office/asks/{id}/results/compared": (f"{big}/results/compared",),
        "/office/asks/{id}/results.csv": (f"{big}/results.csv",),
        "/office/asks/{id}/acted.csv": (f"{big}/acted.csv",),
        "/office/asks/{id}/preview": (f"/office/asks/{draft.id}/preview",),
        "/office/asks/{id}/preview/counted": (f"/office/asks/{draft.id}/preview/counted",),
        "/office/asks/{id}/why": (f"{big}/why?member={WHO}", f"/office/asks/{running}/why?member={WHO}"),
        "/office/asks/{id}/pause": (f"/office/asks/{running}/pause",),
        "/office/asks/{id}/cancel": (f"/office/asks/{running}/cancel",),
        "/office/asks/{id}/raise": (f"/office/asks/{running}/raise",),
        "/office/asks/{id}/live": (f"/office/asks/{running}/live",),
        "/office/asks/{id}/live/events": (f"/office/asks/{past.ask(0)}/live/events",),
        "/office/asks/{id}/report-back": (f"{big}/report-back",),
        "/office/asks/{id}/override": (f"{big}/override",),
        "/office/asks/{id}/calls": (f"/office/asks/{CALLS}/calls",),
        "/office/inbox": ("/office/inbox", "/office/inbox?show=mine", "/office/inbox?show=done"),
        "/office/inbox/{id}": (f"/office/inbox/{talk}",),
        "/office/events": ("/office/events", "/office/events?show=past", "/office/events?near=10050&country=US"),
        "/office/events/{id}": (f"/office/events/{past.event(5)}",),
        "/office/events/{id}/check-in": (f"/office/events/{past.event(5)}/check-in",),
        "/office/events/{id}/cancel": (f"/office/events/{past.event(5)}/cancel",),
        "/office/events/{id}/move": (f"/office/events/{past.event(5)}/move",),
        "/office/groups/{id}": (f"/office/groups/{past.group(1)}",),
        "/office/ideas/{id}": ("/office/ideas/1",),
        "/office/imports/{id}": (f"/office/imports/{job}",),
        "/office/imports/{id}/problems.csv": (f"/office/imports/{job}/problems.csv",),
        "/office/organizers/{id}": (f"/office/organizers/{organizer}",),
        "/office/audit": tuple(
            f"/office/audit{query}" for query in ("", f"?subject={past.ask(0)}", "?what=member.look&who=ana")
        ),
        "/office/welcome/{token}": (f"/office/welcome/{welcome}",),
        "/open/{id}": (f"/open/{past.ask(0)}",),
        "/open/{id}.json": (f"/open/{past.ask(1)}.json",),
        "/open/{id}/card": (f"/open/{past.ask(2)}/card",),
        "/a/{token}": (f"/a/{action_token(key, ref)}",),
        "/u/{token}": (f"/u/{unsubscribe_token(key, ref)}",),
        "/u/{token}/door": (f"/u/{unsubscribe_token(key, ref)}/door",),
        "/f/{token}": (f"/f/{forward_token(key, ref)}",),
        "/shared/{token}": (f"/shared/{shared_token(key, ref)}",),
        "/host/{token}": (f"/host/{action_token(key, ref)}",),
        "/m/{token}": (door,),
        "/m/{token}/why/{id}": (f"{door}/why/{past.ask(0)}",),
        "/m/{token}/data.json": (f"{door}/data.json",),
        "/m/{token}/data.zip": (f"{door}/data.zip",),
        "/m/{token}/erase": (f"{door}/erase",),
        "/propose/{token}": (f"/propose/{ideas_token(key, address, soon)}",),
        "/push/{token}": (f"/push/{join_token(key, WHO, soon)}",),
        "/push/static/{file}": ("/push/static/push.js",),
        "/join/{code}": ("/join/HOUSE1",),
        "/join/{code}.svg": ("/join/HOUSE1.svg",),
        "/join/confirm/{token}": (f"/join/confirm/{confirm_token(key, address, soon)}",),
        "/e/{id}": (f"/e/{past.event(5)}",),
        "/e/{id}.ics": (f"/e/{past.event(5)}.ics",),
        "/e/{id}/{token}": (own_event,),
        "/e/{id}/{token}.ics": (f"{own_event}.ics",),
        "/ideas/{id}": ("/ideas/1",),
        "/total/{id}.json": (f"/total/{past.ask(0)}.json",),
        "/total/{id}.txt": (f"/total/{past.ask(1)}.txt",),
        "/total/{id}.svg": (f"/total/{past.ask(2)}.svg",),
        "/static/{name}": (),
    }  # fmt: skip
