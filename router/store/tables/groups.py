"""Group chats: who of our members is in them, what was answered there, and the tally under our posts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, SmallInteger, String, Table, false, text

from router.store.tables.base import Id, Instant, metadata

group_chat = Table(
    "group_chat",
    metadata,
    Column("group_id", Id, primary_key=True, autoincrement=False, comment="a member of kind group"),
    Column("steward_hash", String(22), nullable=False, server_default="", comment="whose address may quiet us there"),
    Column("steward_id", BigInteger, comment="the member whose address that is, where we know them"),
    Column("hour", Instant, comment="the hour that `answers` belongs to"),
    Column("answers", Integer, nullable=False, server_default="0", comment="what we answered there within this hour"),
    Column("at", Instant, nullable=False),
    comment="What a group has beside what every member has",
)

group_member = Table(
    "group_member",
    metadata,
    Column("group_id", BigInteger, primary_key=True, autoincrement=False),
    Column("member_id", BigInteger, primary_key=True, autoincrement=False),
    Column("source", String(8), nullable=False, comment="came | spoke | link"),
    Column("at", Instant, nullable=False),
    Index("ix_group_member_member_id", "member_id"),
    comment="Members of whom we know that they are in a group; who leaves goes",
)

group_answer = Table(
    "group_answer",
    metadata,
    Column("campaign_id", BigInteger, primary_key=True, autoincrement=False),
    Column("person_hash", String(22), primary_key=True, comment="the keyed hash of the address that answered"),
    Column("group_id", BigInteger, nullable=False, comment="where they answered first"),
    Column("kind", String(20), nullable=False, comment="yes | no | … as they said it last"),
    Column("member_id", BigInteger, comment="who that is, where we know them"),
    Column("month", Integer, nullable=False, comment="of the post"),
    Column("delivery_id", BigInteger, nullable=False, comment="the post that they answered"),
    Column("at", Instant, nullable=False),
    Index("ix_group_answer_group_id", "campaign_id", "group_id", "kind"),
    Index("ix_group_answer_person_hash", "person_hash"),
    comment="One answer for each person and campaign, known to us or not",
)

group_post = Table(
    "group_post",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("delivery_id", BigInteger, primary_key=True, autoincrement=False),
    Column("campaign_id", BigInteger, nullable=False),
    Column("group_id", BigInteger, nullable=False),
    Column("address_id", BigInteger, nullable=False),
    Column("channel", String(20), nullable=False),
    Column("account", String(64), nullable=False, comment="who posted it, and alone can change it"),
    Column("provider_id", String(128), nullable=False, comment="the provider's name of the message"),
    Column("text_version", Integer, nullable=False, comment="the words it left with"),
    Column("variant", SmallInteger, nullable=False, server_default="0"),
    Column("shown", String(400), nullable=False, server_default="", comment="the tally that stands under it"),
    Column("edits", Integer, nullable=False, server_default="0"),
    Column("edit_at", Instant, comment="when it is to be brought up to date; NULL: it is"),
    Column("failures", SmallInteger, nullable=False, server_default="0"),
    Column("closed", Boolean, nullable=False, server_default=false(), comment="its buttons are gone for good"),
    Index("ix_group_post_open", "campaign_id", postgresql_where=text("NOT closed"), sqlite_where=text("NOT closed")),
    Index(
        "ix_group_post_edit_at",
        "edit_at",
        postgresql_where=text("edit_at IS NOT NULL"),
        sqlite_where=text("edit_at IS NOT NULL"),
    ),
    comment="Posts under which somebody answered",
)
