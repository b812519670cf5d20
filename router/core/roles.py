"""What organizers may do: four roles, each with the scopes that an API token of the same kind would have."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """From looking on to everything; each may do what those before it may."""

    VIEWER = "viewer"
    AUTHOR = "author"
    APPROVER = "approver"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[str]:
        """Names of `router.web.auth.Scope`."""
        return _SCOPES[self]

    @property
    def sentence(self) -> str:
        """What it is for, for whoever hands it out."""
        return _SENTENCES[self]


_READS = frozenset({"campaigns:read", "inbox:read"})
_WRITES = _READS | {"campaigns:write", "inbox:write", "members:write", "imports:write", "actions:write"}

_SCOPES: Mapping[Role, frozenset[str]] = {
    Role.VIEWER: _READS,
    Role.AUTHOR: _WRITES,
    Role.APPROVER: _WRITES | {"campaigns:launch"},
    Role.ADMIN: frozenset({"admin"}),
}

_SENTENCES: Mapping[Role, str] = {
    Role.VIEWER: "sees asks, results and conversations, changes nothing",
    Role.AUTHOR: "writes asks, answers members, brings in members",
    Role.APPROVER: "also approves, launches, pauses and cancels asks",
    Role.ADMIN: "also invites organizers, makes API tokens and sees the audit",
}
