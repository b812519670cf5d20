"""What push services answer, in our failure classes (FACTS.md 1.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from channels.http import json_object
from router.core.channel import HttpReply
from router.core.errors import FailureClass

STATUSES: Mapping[int, FailureClass] = {
    # RFC 8030, 5 and 8.4; RFC 8292, 4.2. The services keep to it and differ in the body only:
    # https://mozilla-services.github.io/autopush-rs/errors.html
    # https://developer.apple.com/documentation/usernotifications/sending-web-push-notifications-in-web-apps-and-browsers
    # https://web.dev/articles/push-notifications-web-push-protocol#response-from-push-service
    400: FailureClass.SENDER_CONFIG,  # a header or token is wrong
    401: FailureClass.SENDER_CONFIG,  # the token is missing or wrong
    403: FailureClass.SENDER_CONFIG,  # signed with another key than the browser subscribed to
    404: FailureClass.ADDRESS_DEAD,  # no such subscription
    410: FailureClass.ADDRESS_DEAD,  # it has ended
    413: FailureClass.CONTENT,  # larger than the service takes
    429: FailureClass.RATE,
}

_REASON = re.compile(r"[A-Za-z]{1,40}")


def evidence(reply: HttpReply) -> str:
    """The service's own name for what was wrong: Mozilla's errno, Apple's reason; else the HTTP status."""
    document = json_object(reply.body)
    errno, reason = document.get("errno"), document.get("reason")
    if isinstance(errno, int) and not isinstance(errno, bool) and 0 < errno < 10_000:
        return f"errno {errno}"
    if isinstance(reason, str) and _REASON.fullmatch(reason):
        return reason
    return ""
