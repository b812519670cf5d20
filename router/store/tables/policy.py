"""The rules in force, what is announced of them, and members' words on that."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Table, Text, text

from router.store.tables.base import Id, Instant, metadata

_ANNOUNCED = text("status = 'announced'")

policy_value = Table(
    "policy_value",
    metadata,
    Column("key", String(200), primary_key=True, comment="policy.budget.overall.week"),
    Column("value", Text, nullable=False, comment="JSON"),
    Column("since", Instant, nullable=False),
    comment="The rules in force of those that let us message more or less; the others hold as the files have them",
)

policy_change = Table(
    "policy_change",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("key", String(200), nullable=False),
    Column("old", Text, comment="JSON; NULL: there was none"),
    Column("new", Text, comment="JSON; NULL: it goes away"),
    Column("status", String(10), nullable=False, comment="announced | in_force | withdrawn | refused | dropped"),
    Column("announced_at", Instant, nullable=False),
    Column("effective_at", Instant, nullable=False),
    Column("ended_at", Instant, comment="when it took effect, was withdrawn, refused, or a refused one dropped"),
    Index(
        "uq_policy_change_key", "key", unique=True, postgresql_where=_ANNOUNCED, sqlite_where=_ANNOUNCED
    ),
    Index("ix_policy_change_status", "status", "effective_at"),
    comment="Rules that let us message more, from the moment they were announced",
)  # fmt: skip

policy_voice = Table(
    "policy_voice",
    metadata,
    Column("change_id", BigInteger, primary_key=True, autoincrement=False),
    Column("member_id", BigInteger, primary_key=True, autoincrement=False),
    Column("stance", String(8), nullable=False, comment="second | object"),
    Column("at", Instant, nullable=False),
    Index("ix_policy_voice_member_id", "member_id"),
    comment="What members hold of an announced change; the last word counts",
)
