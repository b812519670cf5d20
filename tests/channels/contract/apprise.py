"""The cases of the apprise channel, over the library's own ``json://`` service.

https://github.com/caronc/apprise/wiki/Notify_Custom_JSON. The library says only yes or no, so all faults look the
same; and ``json://`` takes any 2xx for a yes, so what is no answer comes here with a status that says so.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from channels.apprise.adapter import AppriseChannel
from router.core.channel import Health, HttpRequest
from router.core.errors import FailureClass, OutcomeUnknown
from tests.channels.contract.http_provider import HttpProvider, Reply
from tests.channels.contract.table import Accepted, ChannelTable, Failing, Fault

PASSWORD = "hush-apprise-password"
GROUP = "neighbours"


def targets(port: int, more: str = "") -> str:
    """Two groups; a request gives up after 0.4 s, and the address asks for a retry that must not come."""
    address = f"json://union:{PASSWORD}@127.0.0.1:{port}/hooks/here?rto=0.4&cto=0.4&retry=2{more}"
    return f"{GROUP}={address}\n stewards = {address} ;"


class AppriseProvider(HttpProvider):
    """A server that ``json://`` posts to."""

    def settings(self) -> dict[str, str]:
        return {"targets": targets(self.port)}


def unconfirmed(name: str, *steps: Reply, listening: bool = True) -> Failing:
    return Failing(
        name=name,
        steps=steps,
        error=OutcomeUnknown,
        failure=FailureClass.TRANSPORT,
        code="not confirmed",
        listening=listening,
    )


def posted(provider: HttpProvider) -> dict[str, Any]:
    [request] = provider.requests
    assert request.line == "POST /hooks/here HTTP/1.1"
    assert request.headers["authorization"] == "Basic " + base64.b64encode(f"union:{PASSWORD}".encode()).decode()
    post: dict[str, Any] = json.loads(request.body)
    return post


def check_plain(provider: HttpProvider) -> None:
    assert posted(provider) == {
        "version": "1.0",
        "title": "Saturday",
        "message": "Come on Saturday!",
        "attachments": [],
        "type": "info",
    }


def check_text(provider: HttpProvider) -> None:
    assert (
        posted(provider)["message"] == "½ price & <b>cake</b> = 100%? 🎉\\n\n:smile: ${X} 東京\nhttps://example.org/a"
    )
    assert posted(provider)["title"] == ""


TABLE = ChannelTable(
    channel=AppriseChannel,
    to=GROUP,
    settings={"targets": targets(9)},
    secrets=(PASSWORD, targets(9)),
    provider=AppriseProvider,
    faults={
        Fault.CONNECT: unconfirmed("connect", listening=False),
        Fault.SILENCE: unconfirmed("silence", Reply(hang=True)),
        Fault.CUT: unconfirmed("cut", Reply(cut=True)),
        Fault.ERROR: unconfirmed("500", Reply(500)),
        Fault.UNAVAILABLE: unconfirmed("503", Reply(503)),
        Fault.THROTTLED: unconfirmed("429", Reply(429, b"", {"Retry-After": "7"})),
        Fault.UNAUTHORIZED: unconfirmed("401", Reply(401, {"error": f"{PASSWORD} is wrong"})),
        Fault.HTML: unconfirmed("html", Reply(502, b"<html>Bad gateway</html>", {"Content-Type": "text/html"})),
        Fault.EMPTY_LIST: unconfirmed("[]", Reply(404, [])),
    },
    failing=(unconfirmed("a redirect to nowhere", Reply(307, b"", {"Location": "http://127.0.0.1:9/"})),),
    accepted=(
        Accepted(name="plain", steps=(Reply(200),), provider_id="", check=check_plain),
        Accepted(
            name="any text",
            steps=(Reply(204),),
            provider_id="",
            message={
                "text": "½ price & <b>cake</b> = 100%? 🎉\\n\n:smile: ${X} 東京\nhttps://example.org/a",
                "subject": "",
            },
            check=check_text,
        ),
    ),
    checks=(((), Health(who="neighbours, stewards")),),
    webhooks=(),
    encode=lambda payload: json.dumps(payload).encode(),
    sign=lambda url, body, at: HttpRequest(method="POST", url=url, headers={}, body=body, received_at=at),
)
