"""Links by which an ask is passed on: ``/f/{token}`` shows it to anybody, ``/shared/{token}`` what came of it.

Both tokens name the message that brought the ask to a member, each with a sum of its own (`core.links`). So they hold
no number of anybody's, are as short as the member's own link, and follow the member when two records become one.
Whoever has the first can look at the ask and join in; the second goes to the member only.
"""

from __future__ import annotations

from router.core.links import ACTION_SUM, ref_of, token_of
from router.core.model import DeliveryRef

FORWARD_SUM = ACTION_SUM
"""Bytes. It stands in text messages in place of a member's own link, or beside it, and is as long."""
SHARED_SUM = 9
"""Bytes. What it guards is which asks somebody passed on, and the links themselves."""

_FORWARD = b"outreach.forward"
_SHARED = b"outreach.shared"


def forward_token(key: bytes, ref: DeliveryRef) -> str:
    """The token of a link to pass on. ValueError for an impossible `ref`."""
    return token_of(key, _FORWARD, FORWARD_SUM, ref)


def read_forward_token(key: bytes, token: str) -> DeliveryRef | None:
    """The delivery whose ask was passed on; None for anything that we did not make."""
    return ref_of(key, _FORWARD, FORWARD_SUM, token)


def shared_token(key: bytes, ref: DeliveryRef) -> str:
    """The token of a member's page about what their links brought. ValueError for an impossible `ref`."""
    return token_of(key, _SHARED, SHARED_SUM, ref)


def read_shared_token(key: bytes, token: str) -> DeliveryRef | None:
    """A delivery to the member whose page it is; None for anything that we did not make."""
    return ref_of(key, _SHARED, SHARED_SUM, token)
