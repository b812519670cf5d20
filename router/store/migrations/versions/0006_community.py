"""Conversations, events, calls, joining, report-backs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "call",
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("slot_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "status", sa.String(length=12), nullable=False, comment="assigned | called | busy | unreached | released"
        ),
        sa.Column("result", sa.String(length=400), server_default="", nullable=False, comment="in the caller's words"),
        sa.Column("channel", sa.String(length=20), server_default="", nullable=False),
        sa.Column("address_id", sa.BigInteger(), nullable=True),
        sa.Column("reminded", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "member_id", name=op.f("pk_call")),
    )
    op.create_index("ix_call_line_id", "call", ["line_id", "slot_at"], unique=False)
    op.create_table(
        "call_line",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "place",
            sa.String(length=200),
            server_default="",
            nullable=False,
            comment="for people of this place; '': for all",
        ),
        sa.Column("name", sa.String(length=200), nullable=False, comment="who is called"),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("script", sa.Text(), server_default="", nullable=False),
        sa.Column("opens_at", sa.BigInteger(), nullable=False),
        sa.Column("closes_at", sa.BigInteger(), nullable=False),
        sa.Column("slot_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("per_slot", sa.Integer(), nullable=False, comment="callers at once that keep it busy but reachable"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_line")),
        sa.UniqueConstraint("campaign_id", "place", name=op.f("uq_call_line_campaign_id_place")),
        comment="Whom to call, by place",
    )
    op.create_table(
        "call_slot",
        sa.Column("line_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("line_id", "starts_at", name=op.f("pk_call_slot")),
    )
    op.create_table(
        "debt_override",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False, comment="the new ask that goes out all the same"),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_debt_override")),
        comment="Public. Append-only",
    )
    op.create_index("ix_debt_override_campaign_id", "debt_override", ["campaign_id"], unique=False)
    op.create_table(
        "dialog",
        sa.Column(
            "member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("step", sa.String(length=20), nullable=False, comment="what we asked last; '' for nothing"),
        sa.Column("campaign_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("event_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("detail", sa.JSON(), server_default="{}", nullable=False, comment="what was gathered so far"),
        sa.Column(
            "until",
            sa.BigInteger(),
            nullable=False,
            comment="afterwards the answer is to something else",
        ),
        sa.Column("told", sa.JSON(), server_default="{}", nullable=False, comment="sentence → when it was said, ms"),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_dialog")),
        comment="Where the program's own conversation with somebody stands",
    )
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column(
            "campaign_id", sa.BigInteger(), server_default="0", nullable=False, comment="the ask that it belongs to"
        ),
        sa.Column("number", sa.Integer(), nullable=False, comment="what people write: RSVP 3. By campaign, from 1"),
        sa.Column("status", sa.String(length=10), nullable=False, comment="proposed | open | cancelled | refused"),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("host_id", sa.BigInteger(), server_default="0", nullable=False, comment="member; 0: the organizers"),
        sa.Column(
            "area", sa.String(length=200), server_default="", nullable=False, comment="where it is, for everybody"
        ),
        sa.Column(
            "address", sa.String(length=400), server_default="", nullable=False, comment="exactly, for confirmed guests"
        ),
        sa.Column("notes", sa.String(length=1000), server_default="", nullable=False, comment="for confirmed guests"),
        sa.Column("country", sa.String(length=2), server_default="", nullable=False),
        sa.Column("postcode", sa.String(length=20), server_default="", nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("zone", sa.String(length=64), server_default="", nullable=False, comment="IANA name"),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False, comment="seats for guests"),
        sa.Column("taken", sa.Integer(), server_default="0", nullable=False, comment="seats of confirmed guests"),
        sa.Column("waiting", sa.Integer(), server_default="0", nullable=False, comment="seats that people wait for"),
        sa.Column(
            "two_sided",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="guests of two sides are matched",
        ),
        sa.Column(
            "shares_until",
            sa.BigInteger(),
            nullable=True,
            comment="so long either side may take half of the seats only",
        ),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False, comment="goes up when it is moved"),
        sa.Column(
            "reason",
            sa.String(length=400),
            server_default="",
            nullable=False,
            comment="why it was cancelled or refused",
        ),
        sa.Column(
            "telling",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="some guests have news to be told",
        ),
        sa.Column(
            "remind_at",
            sa.BigInteger(),
            nullable=True,
            comment="when its people are reminded, or asked how it was, next",
        ),
        sa.Column(
            "masked",
            sa.Boolean(),
            server_default=sa.true(),
            nullable=False,
            comment="its host takes part in masked messages",
        ),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("approved_by", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("campaign_id", "number", name=op.f("uq_event_campaign_id_number")),
    )
    op.create_index("ix_event_host_id", "event", ["host_id"], unique=False)
    op.create_index("ix_event_latitude", "event", ["latitude", "longitude"], unique=False)
    op.create_index(
        "ix_event_remind_at",
        "event",
        ["remind_at"],
        unique=False,
        postgresql_where=sa.text("remind_at IS NOT NULL"),
        sqlite_where=sa.text("remind_at IS NOT NULL"),
    )
    op.create_index(
        "ix_event_shares_until",
        "event",
        ["shares_until"],
        unique=False,
        postgresql_where=sa.text("shares_until IS NOT NULL"),
        sqlite_where=sa.text("shares_until IS NOT NULL"),
    )
    op.create_index("ix_event_starts_at", "event", ["starts_at"], unique=False)
    op.create_index(
        "ix_event_telling",
        "event",
        ["id"],
        unique=False,
        postgresql_where=sa.text("telling"),
        sqlite_where=sa.text("telling"),
    )
    op.create_table(
        "join_code",
        sa.Column("code", sa.String(length=32), nullable=False, comment="capitals"),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), server_default="0", nullable=False, comment="what they join through"),
        sa.Column("tags", sa.JSON(), server_default="[]", nullable=False, comment="that whoever joins by it gets"),
        sa.Column(
            "first_step", sa.String(length=300), server_default="", nullable=False, comment="what the welcome asks for"
        ),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_join_code")),
    )
    op.create_table(
        "joined",
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("code", sa.String(length=32), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column(
            "asks",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="times we asked them to confirm",
        ),
        sa.Column("asked_at", sa.BigInteger(), nullable=True, comment="the last of these"),
        sa.Column("welcomed_at", sa.BigInteger(), nullable=True, comment="once"),
        sa.PrimaryKeyConstraint("member_id", "channel", name=op.f("pk_joined")),
        comment="Who joins where, by which code, and when they were welcomed there",
    )
    op.create_index("ix_joined_code", "joined", ["code"])
    op.create_table(
        "phoned",
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "external_id", sa.String(length=180), nullable=False, comment="the same result told twice counts once"
        ),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.String(length=16), nullable=False, comment="core.phoning.CallResult"),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "external_id", name=op.f("pk_phoned")),
        comment="What came of ringing people up whom an ask did not reach. Append-only",
    )
    op.create_index("ix_phoned_member_id", "phoned", ["member_id"], unique=False)
    op.create_table(
        "postcode",
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False, comment="capitals, no spaces"),
        sa.Column("name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("country", "code", name=op.f("pk_postcode")),
        comment="Where postcodes lie, as imported",
    )
    op.create_index("ix_postcode_latitude", "postcode", ["latitude", "longitude"], unique=False)
    op.create_table(
        "report_back",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False, comment="what it reports on"),
        sa.Column("kind", sa.String(length=10), nullable=False, comment="result | progress"),
        sa.Column("text", sa.Text(), nullable=False, comment="as the public reads it"),
        sa.Column(
            "media",
            sa.String(length=1000),
            server_default="",
            nullable=False,
            comment="a picture or a video, https://…",
        ),
        sa.Column(
            "sent_as",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="the campaign that carries it; 0: none",
        ),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_back")),
        comment="What people's part achieved, told to them. Append-only",
    )
    op.create_index("ix_report_back_campaign_id", "report_back", ["campaign_id"], unique=False)
    op.create_table(
        "rsvp",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "status", sa.String(length=10), nullable=False, comment="confirmed | waiting | cancelled | came | missed"
        ),
        sa.Column("seats", sa.SmallInteger(), nullable=False, comment="they and whom they bring"),
        sa.Column("side", sa.String(length=20), server_default="", nullable=False, comment="at a two-sided event"),
        sa.Column(
            "number", sa.Integer(), nullable=False, comment="of this event, from 1; also the order of the waiting list"
        ),
        sa.Column("channel", sa.String(length=20), server_default="", nullable=False, comment="where they said so"),
        sa.Column("address_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "asked_by",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="the ask they answered; 0: the event's",
        ),
        sa.Column(
            "masked",
            sa.Boolean(),
            server_default=sa.true(),
            nullable=False,
            comment="takes part in masked messages",
        ),
        sa.Column(
            "news",
            sa.String(length=10),
            server_default="",
            nullable=False,
            comment="to tell: moved_up | moved | cancelled",
        ),
        sa.Column("reminded", sa.SmallInteger(), server_default="0", nullable=False, comment="reminders they got"),
        sa.Column("rating", sa.SmallInteger(), nullable=True, comment="1 to 5"),
        sa.Column("comment", sa.String(length=1000), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "member_id", name=op.f("pk_rsvp")),
        sa.UniqueConstraint("event_id", "number", name=op.f("uq_rsvp_event_id_number")),
    )
    op.create_index("ix_rsvp_member_id", "rsvp", ["member_id"], unique=False)
    op.create_table(
        "thread",
        sa.Column(
            "member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("status", sa.String(length=10), nullable=False, comment="open | claimed | done"),
        sa.Column("channel", sa.String(length=20), nullable=False, comment="where they wrote last, and are answered"),
        sa.Column("address_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "campaign_id",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="what they wrote about, 0: unknown",
        ),
        sa.Column(
            "suggestion",
            sa.String(length=20),
            server_default="",
            nullable=False,
            comment="what a person might find they mean",
        ),
        sa.Column("value", sa.String(length=200), server_default="", nullable=False, comment="what was given along"),
        sa.Column("inbound_id", sa.BigInteger(), nullable=False, comment="the message that the suggestion is about"),
        sa.Column("messages", sa.Integer(), nullable=False, comment="messages of theirs so far"),
        sa.Column(
            "waiting",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="messages of theirs without an answer",
        ),
        sa.Column("waiting_since", sa.BigInteger(), nullable=True, comment="the first of these"),
        sa.Column("last_in_at", sa.BigInteger(), nullable=False),
        sa.Column("last_out_at", sa.BigInteger(), nullable=True),
        sa.Column("claimed_by", sa.String(length=200), nullable=True),
        sa.Column("claimed_at", sa.BigInteger(), nullable=True),
        sa.Column("alarmed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_thread")),
        comment="One conversation per member, over all channels: what no rule understood",
    )
    op.create_index("ix_thread_status", "thread", ["status", "waiting_since"], unique=False)
    op.create_table(
        "trusted_host",
        sa.Column(
            "member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_trusted_host")),
        comment="Their events open without waiting for an approval",
    )
    op.add_column(
        "action",
        sa.Column(
            "channel",
            sa.String(length=20),
            server_default="",
            nullable=False,
            comment="by which it came; '' where not by one",
        ),
    )
    op.add_column("action", sa.Column("address_id", sa.BigInteger(), nullable=True, comment="from which it came"))
    op.add_column(
        "batch",
        sa.Column("waits", sa.Boolean(), server_default=sa.false(), nullable=False, comment="for room in the inbox"),
    )
    op.add_column(
        "batch", sa.Column("released_at", sa.BigInteger(), nullable=True, comment="when there was room for it")
    )
    op.create_index(
        "ix_batch_waits",
        "batch",
        ["campaign_id"],
        unique=False,
        postgresql_where=sa.text("waits"),
        sqlite_where=sa.text("waits"),
    )
    op.create_index(
        "ix_batch_released_at",
        "batch",
        ["released_at"],
        unique=False,
        postgresql_where=sa.text("released_at IS NOT NULL"),
        sqlite_where=sa.text("released_at IS NOT NULL"),
    )
    op.add_column(
        "campaign",
        sa.Column(
            "reported_at",
            sa.BigInteger(),
            nullable=True,
            comment="when those who acted were told what came of it",
        ),
    )
    op.add_column(
        "campaign",
        sa.Column(
            "report_due_at", sa.BigInteger(), nullable=True, comment="by when they must be; NULL: not reckoned yet"
        ),
    )
    op.create_index(
        "ix_campaign_report_due_at",
        "campaign",
        ["report_due_at"],
        unique=False,
        postgresql_where=sa.text("reported_at IS NULL"),
        sqlite_where=sa.text("reported_at IS NULL"),
    )
    op.create_index(
        "ix_action_acted",
        "action",
        ["campaign_id", "member_id"],
        unique=False,
        postgresql_where=sa.text("kind NOT IN ('click', 'no', 'refund')"),
        sqlite_where=sa.text("kind NOT IN ('click', 'no', 'refund')"),
    )
    op.add_column(
        "reply_text",
        sa.Column(
            "kind",
            sa.String(length=8),
            server_default="answer",
            nullable=False,
            comment="router.answering.Saying",
        ),
    )
    op.add_column(
        "reply_text",
        sa.Column("until", sa.BigInteger(), nullable=True, comment="afterwards it is of no use any more"),
    )
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no comments
        op.alter_column("contact_budget", "slots", existing_type=sa.Text(), comment="core.purse.encode, 30 days")
    op.add_column(
        "reply_text",
        sa.Column(
            "by",
            sa.String(length=200),
            server_default="",
            nullable=False,
            comment="the organizer who wrote it; '': the router",
        ),
    )


def downgrade() -> None:
    op.drop_column("reply_text", "until")
    op.drop_column("reply_text", "kind")
    op.drop_column("reply_text", "by")
    op.drop_index(
        "ix_action_acted",
        table_name="action",
        postgresql_where=sa.text("kind NOT IN ('click', 'no', 'refund')"),
        sqlite_where=sa.text("kind NOT IN ('click', 'no', 'refund')"),
    )
    op.drop_index(
        "ix_campaign_report_due_at",
        table_name="campaign",
        postgresql_where=sa.text("reported_at IS NULL"),
        sqlite_where=sa.text("reported_at IS NULL"),
    )
    op.drop_column("campaign", "report_due_at")
    op.drop_column("campaign", "reported_at")
    op.drop_index(
        "ix_batch_released_at",
        table_name="batch",
        postgresql_where=sa.text("released_at IS NOT NULL"),
        sqlite_where=sa.text("released_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_batch_waits", table_name="batch", postgresql_where=sa.text("waits"), sqlite_where=sa.text("waits")
    )
    op.drop_column("batch", "released_at")
    op.drop_column("batch", "waits")
    op.drop_column("action", "address_id")
    op.drop_column("action", "channel")
    op.drop_table("trusted_host")
    op.drop_index("ix_thread_status", table_name="thread")
    op.drop_table("thread")
    op.drop_index("ix_rsvp_member_id", table_name="rsvp")
    op.drop_table("rsvp")
    op.drop_index("ix_report_back_campaign_id", table_name="report_back")
    op.drop_table("report_back")
    op.drop_index("ix_postcode_latitude", table_name="postcode")
    op.drop_table("postcode")
    op.drop_index("ix_phoned_member_id", table_name="phoned")
    op.drop_table("phoned")
    op.drop_index("ix_joined_code", table_name="joined")
    op.drop_table("joined")
    op.drop_table("join_code")
    op.drop_index(
        "ix_event_telling", table_name="event", postgresql_where=sa.text("telling"), sqlite_where=sa.text("telling")
    )
    op.drop_index("ix_event_starts_at", table_name="event")
    op.drop_index(
        "ix_event_shares_until",
        table_name="event",
        postgresql_where=sa.text("shares_until IS NOT NULL"),
        sqlite_where=sa.text("shares_until IS NOT NULL"),
    )
    op.drop_index(
        "ix_event_remind_at",
        table_name="event",
        postgresql_where=sa.text("remind_at IS NOT NULL"),
        sqlite_where=sa.text("remind_at IS NOT NULL"),
    )
    op.drop_index("ix_event_latitude", table_name="event")
    op.drop_index("ix_event_host_id", table_name="event")
    op.drop_table("event")
    op.drop_table("dialog")
    op.drop_index("ix_debt_override_campaign_id", table_name="debt_override")
    op.drop_table("debt_override")
    op.drop_table("call_slot")
    op.drop_table("call_line")
    op.drop_index("ix_call_line_id", table_name="call")
    op.drop_table("call")
