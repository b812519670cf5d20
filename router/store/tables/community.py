"""Where an answer leads: conversations, events and their seats, calls, ways to join, report-backs."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

from router.store.tables.base import Id, Instant, metadata

thread = Table(
    "thread",
    metadata,
    Column("member_id", Id, primary_key=True, autoincrement=False),
    Column("status", String(10), nullable=False, comment="open | claimed | done"),
    Column("channel", String(20), nullable=False, comment="where they wrote last, and are answered"),
    Column("address_id", BigInteger),
    Column("campaign_id", BigInteger, nullable=False, server_default="0", comment="what they wrote about, 0: unknown"),
    Column("suggestion", String(20), nullable=False, server_default="", comment="what a person might find they mean"),
    Column("value", String(200), nullable=False, server_default="", comment="what was given along"),
    Column("inbound_id", BigInteger, nullable=False, comment="the message that the suggestion is about"),
    Column("inbound_month", Integer, nullable=False, server_default="0", comment="yyyymm of its arrival"),
    Column("messages", Integer, nullable=False, comment="messages of theirs so far"),
    Column("waiting", SmallInteger, nullable=False, server_default="0", comment="messages of theirs without an answer"),
    Column("waiting_since", Instant, comment="the first of these"),
    Column("last_in_at", Instant, nullable=False),
    Column("last_out_at", Instant),
    Column("claimed_by", String(200)),
    Column("claimed_at", Instant),
    Column("alarmed_at", Instant),
    Index("ix_thread_status", "status", "waiting_since"),
    Index("ix_thread_last_in_at", "status", "last_in_at"),
    comment="One conversation per member, over all channels: what no rule understood",
)

dialog = Table(
    "dialog",
    metadata,
    Column("member_id", Id, primary_key=True, autoincrement=False),
    Column("step", String(20), nullable=False, comment="what we asked last; '' for nothing"),
    Column("campaign_id", BigInteger, nullable=False, server_default="0"),
    Column("event_id", BigInteger, nullable=False, server_default="0"),
    Column("detail", JSON, nullable=False, server_default="{}", comment="what was gathered so far"),
    Column("until", Instant, nullable=False, comment="afterwards the answer is to something else"),
    Column("told", JSON, nullable=False, server_default="{}", comment="sentence → when it was said, ms"),
    comment="Where the program's own conversation with somebody stands",
)

event = Table(
    "event",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("campaign_id", BigInteger, nullable=False, server_default="0", comment="the ask that it belongs to"),
    Column("number", Integer, nullable=False, comment="what people write: RSVP 3. By campaign, from 1"),
    Column("status", String(10), nullable=False, comment="proposed | open | cancelled | refused"),
    Column("title", String(200), nullable=False),
    Column("host_id", BigInteger, nullable=False, server_default="0", comment="member; 0: the organizers"),
    Column("area", String(200), nullable=False, server_default="", comment="where it is, for everybody"),
    Column("address", String(400), nullable=False, server_default="", comment="exactly, for confirmed guests"),
    Column("notes", String(1000), nullable=False, server_default="", comment="for confirmed guests"),
    Column("country", String(2), nullable=False, server_default=""),
    Column("postcode", String(20), nullable=False, server_default=""),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("zone", String(64), nullable=False, server_default="", comment="IANA name"),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("capacity", Integer, nullable=False, comment="seats for guests"),
    Column("taken", Integer, nullable=False, server_default="0", comment="seats of confirmed guests"),
    Column("waiting", Integer, nullable=False, server_default="0", comment="seats that people wait for"),
    Column("two_sided", Boolean, nullable=False, server_default=false(), comment="guests of two sides are matched"),
    Column("shares_until", Instant, comment="so long either side may take half of the seats only"),
    Column("version", Integer, nullable=False, server_default="1", comment="goes up when it is moved"),
    Column("reason", String(400), nullable=False, server_default="", comment="why it was cancelled or refused"),
    Column("telling", Boolean, nullable=False, server_default=false(), comment="some guests have news to be told"),
    Column("remind_at", Instant, comment="when its people are reminded, or asked how it was, next"),
    Column("masked", Boolean, nullable=False, server_default=true(), comment="its host takes part in masked messages"),
    Column("created_by", String(200), nullable=False),
    Column("approved_by", String(200)),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("campaign_id", "number"),
    Index("ix_event_latitude", "latitude", "longitude"),
    Index("ix_event_starts_at", "starts_at"),
    Index("ix_event_host_id", "host_id"),
    Index("ix_event_telling", "id", postgresql_where=text("telling"), sqlite_where=text("telling")),
    Index(
        "ix_event_remind_at",
        "remind_at",
        postgresql_where=text("remind_at IS NOT NULL"),
        sqlite_where=text("remind_at IS NOT NULL"),
    ),
    Index(
        "ix_event_shares_until",
        "shares_until",
        postgresql_where=text("shares_until IS NOT NULL"),
        sqlite_where=text("shares_until IS NOT NULL"),
    ),
)

rsvp = Table(
    "rsvp",
    metadata,
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    Column("member_id", BigInteger, primary_key=True, autoincrement=False),
    Column("status", String(10), nullable=False, comment="confirmed | waiting | cancelled | came | missed"),
    Column("seats", SmallInteger, nullable=False, comment="they and whom they bring"),
    Column("side", String(20), nullable=False, server_default="", comment="at a two-sided event"),
    Column("number", Integer, nullable=False, comment="of this event, from 1; also the order of the waiting list"),
    Column("channel", String(20), nullable=False, server_default="", comment="where they said so"),
    Column("address_id", BigInteger),
    Column("asked_by", BigInteger, nullable=False, server_default="0", comment="the ask they answered; 0: the event's"),
    Column("masked", Boolean, nullable=False, server_default=true(), comment="takes part in masked messages"),
    Column("news", String(10), nullable=False, server_default="", comment="to tell: moved_up | moved | cancelled"),
    Column("reminded", SmallInteger, nullable=False, server_default="0", comment="reminders they got"),
    Column("rating", SmallInteger, comment="1 to 5"),
    Column("comment", String(1000), nullable=False, server_default=""),
    Column("at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    UniqueConstraint("event_id", "number"),
    Index("ix_rsvp_member_id", "member_id"),
)

trusted_host = Table(
    "trusted_host",
    metadata,
    Column("member_id", Id, primary_key=True, autoincrement=False),
    Column("by", String(200), nullable=False),
    Column("at", Instant, nullable=False),
    comment="Their events open without waiting for an approval",
)

postcode = Table(
    "postcode",
    metadata,
    Column("country", String(2), primary_key=True),
    Column("code", String(20), primary_key=True, comment="capitals, no spaces"),
    Column("name", String(200), nullable=False, server_default=""),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Index("ix_postcode_latitude", "latitude", "longitude"),
    comment="Where postcodes lie, as imported",
)

call_line = Table(
    "call_line",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("campaign_id", BigInteger, nullable=False),
    Column("place", String(200), nullable=False, server_default="", comment="for people of this place; '': for all"),
    Column("name", String(200), nullable=False, comment="who is called"),
    Column("phone", String(20), nullable=False),
    Column("script", Text, nullable=False, server_default=""),
    Column("opens_at", Instant, nullable=False),
    Column("closes_at", Instant, nullable=False),
    Column("slot_minutes", SmallInteger, nullable=False),
    Column("per_slot", Integer, nullable=False, comment="callers at once that keep it busy but reachable"),
    UniqueConstraint("campaign_id", "place"),
    comment="Whom to call, by place",
)

call_slot = Table(
    "call_slot",
    metadata,
    Column("line_id", BigInteger, primary_key=True, autoincrement=False),
    Column("starts_at", Instant, primary_key=True),
    Column("taken", Integer, nullable=False, server_default="0"),
)

call = Table(
    "call",
    metadata,
    Column("campaign_id", BigInteger, primary_key=True, autoincrement=False),
    Column("member_id", BigInteger, primary_key=True, autoincrement=False),
    Column("line_id", BigInteger, nullable=False),
    Column("slot_at", Instant, nullable=False),
    Column("status", String(12), nullable=False, comment="assigned | called | busy | unreached | released"),
    Column("result", String(400), nullable=False, server_default="", comment="in the caller's words"),
    Column("channel", String(20), nullable=False, server_default=""),
    Column("address_id", BigInteger),
    Column("reminded", Boolean, nullable=False, server_default=false()),
    Column("at", Instant, nullable=False),
    Index("ix_call_line_id", "line_id", "slot_at"),
)

join_code = Table(
    "join_code",
    metadata,
    Column("code", String(32), primary_key=True, comment="capitals"),
    Column("title", String(200), nullable=False),
    Column("campaign_id", BigInteger, nullable=False, server_default="0", comment="what they join through"),
    Column("tags", JSON, nullable=False, server_default="[]", comment="that whoever joins by it gets"),
    Column("first_step", String(300), nullable=False, server_default="", comment="what the welcome asks for"),
    Column("created_by", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("closed_at", Instant),
)

joined = Table(
    "joined",
    metadata,
    Column("member_id", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(20), primary_key=True),
    Column("code", String(32), nullable=False, server_default=""),
    Column("at", Instant, nullable=False),
    Column("asks", SmallInteger, nullable=False, server_default="0", comment="times we asked them to confirm"),
    Column("asked_at", Instant, comment="the last of these"),
    Column("welcomed_at", Instant, comment="once"),
    Index("ix_joined_code", "code"),
    comment="Who joins where, by which code, and when they were welcomed there",
)

report_back = Table(
    "report_back",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("campaign_id", BigInteger, nullable=False, comment="what it reports on"),
    Column("kind", String(10), nullable=False, comment="result | progress"),
    Column("text", Text, nullable=False, comment="as the public reads it"),
    Column("media", String(1000), nullable=False, server_default="", comment="a picture or a video, https://…"),
    Column("sent_as", BigInteger, nullable=False, server_default="0", comment="the campaign that carries it; 0: none"),
    Column("by", String(200), nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_report_back_campaign_id", "campaign_id"),
    comment="What people's part achieved, told to them. Append-only",
)

phoned = Table(
    "phoned",
    metadata,
    Column("campaign_id", BigInteger, primary_key=True, autoincrement=False),
    Column("external_id", String(180), primary_key=True, comment="the same result told twice counts once"),
    Column("member_id", BigInteger, nullable=False),
    Column("result", String(16), nullable=False, comment="core.phoning.CallResult"),
    Column("by", String(200), nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_phoned_member_id", "member_id"),
    comment="What came of ringing people up whom an ask did not reach. Append-only",
)

debt_override = Table(
    "debt_override",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("campaign_id", BigInteger, nullable=False, comment="the new ask that goes out all the same"),
    Column("reason", String(400), nullable=False),
    Column("by", String(200), nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_debt_override_campaign_id", "campaign_id"),
    comment="Public. Append-only",
)
