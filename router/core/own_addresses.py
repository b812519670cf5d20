"""Addresses that belong to an account of ours: a person's chat with our bot, their place in a workspace, their app."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from router.core.errors import BadAddress


class _Kind(NamedTuple):
    shape: re.Pattern[str]
    sentence: str


_KINDS: Mapping[str, _Kind] = {
    # https://core.telegram.org/bots/api#chat: at most 52 significant bits; groups are negative.
    "telegram": _Kind(
        re.compile(r"[1-9][0-9]{0,15}"),
        "this is no Telegram chat; give its number, which the bot learns when the person writes to it (a @username"
        " cannot be written to)",
    ),
    # https://docs.slack.dev/reference/objects/user-object: begins with U or W.
    "slack": _Kind(
        re.compile(r"[UW][A-Z0-9]{2,30}"),
        "this is no Slack member ID such as U012AB3CD; copy it from the person's profile",
    ),
    # https://firebase.google.com/docs/cloud-messaging/manage-tokens: opaque, in practice base64url with colons.
    # Sealed, 1,400 characters make 1,916, and the ledger has room for 2,000.
    "fcm": _Kind(
        re.compile(r"[A-Za-z0-9_:-]{20,1400}"), "this is no registration token of an app; take it from the app as it is"
    ),
}


def parse_own(kind: str, raw: str) -> tuple[str, str]:
    """(address, account) of ``ADDRESS`` or ``ADDRESS@ACCOUNT``; the account is "" where none is named.

    `kind` is ``telegram``, ``slack`` or ``fcm``. Raises `BadAddress` for what no person can have.
    """
    value, at, account = raw.strip().rpartition("@")
    if not at:
        value, account = account, ""
    known = _KINDS[kind]
    if not known.shape.fullmatch(value):
        raise BadAddress(known.sentence)
    return value, account.lower()
