"""What the HTTP answers and webhooks of all providers have in common. No channel, and free of any."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime

from router.core.channel import HttpReply, HttpRequest
from router.core.errors import FailureClass, NotSent, OutcomeUnknown, Refused, SendError, Throttled
from router.core.retry_after import retry_after

_RESERVED = re.compile(rb"[^A-Za-z0-9_.~ -]")
_ENCODED = [b"%%%02X" % byte for byte in range(256)]


def json_object(body: bytes) -> Mapping[str, object]:
    """The JSON object in `body`, or an empty one where there is something else."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def form_value(text: str) -> str:
    """`text` as a field of a form has it: what `urllib.parse.quote_plus` makes, in a third of its time.

    Halves of surrogate pairs become question marks.
    """
    raw = _RESERVED.sub(lambda found: _ENCODED[found[0][0]], text.encode("utf-8", "replace"))
    return raw.replace(b" ", b"+").decode("ascii")


def media_type(request: HttpRequest) -> str:
    """The content type of a webhook, lower case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def failure_of(
    reply: HttpReply, failure: FailureClass | None, code: str, now: datetime, *, idempotent: bool = False
) -> SendError:
    """What an answer other than success means.

    `failure` and `code` are what the provider's own table says, None and "" where it says nothing; it is read before
    the HTTP status. `idempotent` says that the provider does nothing twice, so that a 5xx may be tried again.
    """
    if failure is FailureClass.RATE or (failure is None and reply.status == 429):
        return Throttled(code or str(reply.status), retry_after(reply, now))
    code = code or f"http {reply.status}"
    if failure is not None:
        return Refused(failure, code)
    if reply.status in (401, 403) or 300 <= reply.status < 400:
        return Refused(FailureClass.SENDER_CONFIG, code)
    if reply.status == 413:
        return Refused(FailureClass.CONTENT, code)
    if 400 <= reply.status < 500 and reply.status != 408:
        return Refused(FailureClass.UNKNOWN, code)
    if idempotent:
        return NotSent(FailureClass.TRANSPORT, code)
    return OutcomeUnknown(code)
