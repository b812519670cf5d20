"""Group chats that the apprise library posts to, over its own ``json://`` service.

https://github.com/caronc/apprise/wiki/Notify_Custom_JSON. Nobody answers there and there are no receipts. The post says
nothing of the delivery that it belongs to, so it is remembered without one.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Sequence
from http import HTTPStatus

from channels.sandbox.httpd import Reply, Request, json_reply
from channels.sandbox.memory import Entry
from channels.sandbox.world import World

USER = "sandbox"
PASSWORD = "sandbox-password-of-no-value"  # noqa: S105 - opens nothing but this sandbox

_REFUSALS = frozenset(status.value for status in HTTPStatus if status >= 400)


class AppriseTarget:
    """A few group chats, each at an address of its own. `groups` are names without spaces and slashes."""

    prefix = "/apprise/"

    def __init__(self, world: World, groups: Sequence[str] = ("neighbours", "stewards")) -> None:
        self._world = world
        self._groups = tuple(groups)
        self._basic = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def environment(self, http_url: str) -> dict[str, str]:
        """The variables that point the real adapter here: one target for each group."""
        address = f"json://{USER}:{PASSWORD}@{http_url.removeprefix('http://')}{self.prefix}"
        return {"OUTREACH_APPRISE_TARGETS": "\n".join(f"{group}={address}{group}" for group in self._groups)}

    def handle(self, request: Request) -> Reply:
        """Answer one request under ``/apprise/``."""
        world = self._world
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), self._basic.encode()):
            return self._refuse(401)
        group = request.path.removeprefix(self.prefix)
        if request.method != "POST" or group not in self._groups:
            return self._refuse(404)
        refusal = world.refusal()
        if refusal:
            return self._refuse(500 if refusal == "error" else 429)
        if code := world.knobs.refuse.get(group, 0):
            return self._refuse(code if code in _REFUSALS else 400)
        try:
            post = request.json()
        except ValueError:
            return self._refuse(400)
        return self._accept(group, str(post.get("title", "")), str(post.get("message", "")))

    def _refuse(self, status: int) -> Reply:
        world = self._world
        world.memory.counters[f"refused_{status}"] += 1
        headers = (("Retry-After", f"{world.knobs.retry_after:g}"),) if status == 429 else ()
        return json_reply({}, status, headers=headers, delay=world.latency())

    def _accept(self, group: str, title: str, words: str) -> Reply:
        world = self._world
        now = world.clock()
        code = world.knobs.fail.get(group, 0)
        text = "\n".join(line for line in (title, words) if line)
        number = world.memory.accepted.add("apprise", group, USER, "", text, now, code)
        world.memory.note("apprise", group, Entry("arrived", text, now, number), USER)
        if code:
            world.memory.note("apprise", group, Entry("note", f"did not arrive ({code})", now))
        return json_reply({}, delay=world.latency(), ending=world.ending())
