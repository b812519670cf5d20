"""The first ledger"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "action",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False, comment="0 where it belongs to none"),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False, comment="link | keyword | api"),
        sa.Column(
            "external_id", sa.String(length=200), nullable=False, comment="the same action told twice counts once"
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_action")),
        sa.UniqueConstraint("source", "external_id", name=op.f("uq_action_source_external_id")),
    )
    with op.batch_alter_table("action", schema=None) as batch_op:
        batch_op.create_index("ix_action_campaign_id", ["campaign_id", "member_id"], unique=False)
        batch_op.create_index("ix_action_member_id", ["member_id"], unique=False)

    op.create_table(
        "address",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("value", sa.String(length=400), nullable=False, comment="normalised; '' once erased"),
        sa.Column(
            "hash", sa.String(length=22), nullable=False, comment="keyed hash of kind and value, see core/address.py"
        ),
        sa.Column("state", sa.String(length=10), server_default="active", nullable=False),
        sa.Column(
            "consent",
            sa.String(length=12),
            server_default="none",
            nullable=False,
            comment="what the consent rows amount to",
        ),
        sa.Column(
            "rank", sa.SmallInteger(), server_default="0", nullable=False, comment="the member's order of preference"
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address")),
        sa.UniqueConstraint("member_id", "channel", "hash", name=op.f("uq_address_member_id_channel_hash")),
    )
    with op.batch_alter_table("address", schema=None) as batch_op:
        batch_op.create_index("ix_address_hash", ["hash"], unique=False)

    op.create_table(
        "api_token",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False, comment="SHA-256 of the token"),
        sa.Column("scopes", sa.String(length=400), nullable=False, comment="separated by spaces"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
    )
    op.create_table(
        "ask_claim",
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "member_id",
            sa.BigInteger(),
            nullable=True,
            comment="NULL where a later hop of the same member claims a further address",
        ),
        sa.Column("address_hash", sa.String(length=22), nullable=False),
        comment="One ask per person and per address. Not partitioned; survives merge and erasure",
    )
    with op.batch_alter_table("ask_claim", schema=None) as batch_op:
        batch_op.create_index("uq_ask_claim_address", ["campaign_id", "address_hash"], unique=True)
        batch_op.create_index("uq_ask_claim_member", ["campaign_id", "member_id"], unique=True)

    op.create_table(
        "attempt",
        sa.Column("month", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=64), server_default="", nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False, comment="sent | not_sent | refused | unknown"),
        sa.Column("failure", sa.String(length=24), nullable=True),
        sa.Column("code", sa.String(length=40), server_default="", nullable=False),
        sa.Column("provider_id", sa.String(length=128), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="ms"),
        sa.PrimaryKeyConstraint("month", "delivery_id", "number", name=op.f("pk_attempt")),
        comment="Every try to hand a delivery to a provider. Append-only",
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.create_index("ix_attempt_provider_id", ["provider_id"], unique=False)

    op.create_table(
        "attestation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("basis", sa.String(length=24), nullable=False),
        sa.Column("source", sa.String(length=400), nullable=False),
        sa.Column("dated", sa.String(length=10), nullable=False, comment="when the basis came to be, ISO date"),
        sa.Column("file_sha256", sa.String(length=64), nullable=False),
        sa.Column("attested_by", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column(
            "signature", sa.String(length=64), nullable=False, comment="HMAC of the above under the installation's key"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attestation")),
        comment="An admin's word for the legal basis of an imported file. Append-only",
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("what", sa.String(length=80), nullable=False, comment="campaign.launch, import.attest …"),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        comment="Who did what. Append-only",
    )
    op.create_table(
        "batch",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "last_id",
            sa.BigInteger(),
            nullable=False,
            comment="inclusive; all its deliveries lie between, and no others",
        ),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "leased_until", sa.BigInteger(), server_default="0", nullable=False, comment="on the database's clock, ms"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
    )
    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.create_index("ix_batch_campaign_id", ["campaign_id"], unique=False)
        batch_op.create_index(
            "ix_batch_open",
            ["channel", "lane", "not_before", "id"],
            unique=False,
            postgresql_where=sa.text("open"),
            sqlite_where=sa.text("open"),
        )

    op.create_table(
        "campaign",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column(
            "month", sa.Integer(), nullable=False, comment="yyyymm of its creation; part of every delivery's key"
        ),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column(
            "epoch",
            sa.Integer(),
            server_default="1",
            nullable=False,
            comment="goes up with every edit, pause and resume",
        ),
        sa.Column("text_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("link", sa.String(length=2000), server_default="", nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("approved_by", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("launched_at", sa.BigInteger(), nullable=True),
        sa.Column(
            "starts_at", sa.BigInteger(), nullable=True, comment="nothing leaves before: the undo time and the schedule"
        ),
        sa.Column(
            "expires_at",
            sa.BigInteger(),
            nullable=True,
            comment="nothing leaves after: the deadline and the time to live",
        ),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("pause_reason", sa.String(length=400), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
    )
    with op.batch_alter_table("campaign", schema=None) as batch_op:
        batch_op.create_index("ix_campaign_status", ["status"], unique=False)

    op.create_table(
        "consent",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("address_hash", sa.String(length=22), nullable=False),
        sa.Column("purpose", sa.String(length=40), server_default="asks", nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False, comment="granted | revoked | unconfirmed"),
        sa.Column("basis", sa.String(length=24), server_default="consent", nullable=False),
        sa.Column(
            "source", sa.String(length=400), nullable=False, comment="form, file or inbound message it came from"
        ),
        sa.Column(
            "wording", sa.Text(), server_default="", nullable=False, comment="what the person agreed to, word for word"
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
        comment="Append-only",
    )
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.create_index("ix_consent_member_id", ["member_id"], unique=False)

    op.create_table(
        "contact_budget",
        sa.Column(
            "holder",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="household if there is one, else member",
        ),
        sa.Column(
            "slots",
            sa.Text(),
            server_default="[]",
            nullable=False,
            comment="JSON [[ms, delivery id, channel], …], 30 days",
        ),
        sa.PrimaryKeyConstraint("holder", name=op.f("pk_contact_budget")),
        comment="What each person has been asked of late: one row read, not a count over history",
    )
    op.create_table(
        "delivery",
        sa.Column("month", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "channel", sa.String(length=20), nullable=False, comment="'' where it was held before a channel was chosen"
        ),
        sa.Column(
            "hop",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="0, then one more for each fallback or retry",
        ),
        sa.Column("address_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("not_before", sa.BigInteger(), server_default="0", nullable=False, comment="ms"),
        sa.Column("claim_id", sa.BigInteger(), nullable=True, comment="the claim that may send it, or did"),
        sa.Column("claimed_at", sa.BigInteger(), nullable=True, comment="ms, database clock"),
        sa.Column("text_version", sa.Integer(), nullable=True, comment="the words it left with"),
        sa.Column("sent_at", sa.BigInteger(), nullable=True, comment="ms"),
        sa.Column("done_at", sa.BigInteger(), nullable=True, comment="ms; when the last receipt moved it"),
        sa.Column(
            "costs",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="holds a slot of the contact budget",
        ),
        sa.PrimaryKeyConstraint("month", "id", name=op.f("pk_delivery")),
        sa.UniqueConstraint(
            "month",
            "member_id",
            "campaign_id",
            "channel",
            "hop",
            name=op.f("uq_delivery_month_member_id_campaign_id_channel_hop"),
        ),
        comment="One campaign, one member, one channel, one hop",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "id_block",
        sa.Column("one", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("next_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_id_block")),
        comment="One row: the next number nobody has been given yet",
    )
    op.create_table(
        "idempotency",
        sa.Column(
            "token_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_sha256", sa.String(length=64), nullable=False, comment="of method, path and body"),
        sa.Column("status", sa.SmallInteger(), nullable=True, comment="NULL while the first request is under way"),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_id", "key", name=op.f("pk_idempotency")),
    )
    op.create_table(
        "import_job",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("file_name", sa.String(length=400), nullable=False),
        sa.Column("file_sha256", sa.String(length=64), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False, comment="running | finished | failed"),
        sa.Column("rows_done", sa.BigInteger(), nullable=False, comment="rows before this one are in the ledger"),
        sa.Column("report", sa.JSON(), nullable=False, comment="counts so far"),
        sa.Column("started_by", sa.String(length=200), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_job")),
    )
    with op.batch_alter_table("import_job", schema=None) as batch_op:
        batch_op.create_index("ix_import_job_file_sha256", ["file_sha256"], unique=False)

    op.create_table(
        "import_problem",
        sa.Column(
            "import_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("column", sa.String(length=200), nullable=False),
        sa.Column("sentence", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("import_id", "line", "column", name=op.f("pk_import_problem")),
    )
    op.create_table(
        "inbound",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("sender_hash", sa.String(length=22), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("intent", sa.String(length=20), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound")),
        sa.UniqueConstraint("channel", "account", "event_id", name=op.f("uq_inbound_channel_account_event_id")),
        comment="What people wrote to us",
    )
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.create_index("ix_inbound_member_id", ["member_id"], unique=False)

    op.create_table(
        "member",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("first_name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("last_name", sa.String(length=200), server_default="", nullable=False),
        sa.Column(
            "name_key", sa.String(length=400), server_default="", nullable=False, comment="folded name, for merging"
        ),
        sa.Column("locale", sa.String(length=35), server_default="", nullable=False),
        sa.Column("zone", sa.String(length=64), server_default="", nullable=False, comment="IANA name"),
        sa.Column(
            "zone_source",
            sa.String(length=16),
            server_default="",
            nullable=False,
            comment="given | postcode | phone | country",
        ),
        sa.Column("country", sa.String(length=2), server_default="", nullable=False),
        sa.Column("postcode", sa.String(length=20), server_default="", nullable=False),
        sa.Column("place", sa.String(length=200), server_default="", nullable=False),
        sa.Column("attributes", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("household_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "external_id", sa.String(length=200), nullable=True, comment="the organization's own key for this person"
        ),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
        sa.UniqueConstraint("external_id", name=op.f("uq_member_external_id")),
    )
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.create_index("ix_member_household_id", ["household_id"], unique=False)

    op.create_table(
        "member_tag",
        sa.Column("tag", sa.String(length=200), nullable=False, comment="lower case"),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tag", "member_id", name=op.f("pk_member_tag")),
    )
    with op.batch_alter_table("member_tag", schema=None) as batch_op:
        batch_op.create_index("ix_member_tag_member_id", ["member_id"], unique=False)

    op.create_table(
        "parked_receipt",
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("provider_id", sa.String(length=128), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("failure", sa.String(length=24), nullable=True),
        sa.Column("code", sa.String(length=40), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("parked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "event_id", name=op.f("pk_parked_receipt")),
        comment="Receipts that match no delivery yet; a sweep tries again",
    )
    with op.batch_alter_table("parked_receipt", schema=None) as batch_op:
        batch_op.create_index("ix_parked_receipt_provider_id", ["provider_id"], unique=False)

    op.create_table(
        "receipt",
        sa.Column("month", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("code", sa.String(length=40), server_default="", nullable=False),
        sa.Column(
            "moved",
            sa.Boolean(),
            nullable=False,
            comment="whether it moved the delivery; contradictory ones are evidence",
        ),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="ms"),
        sa.PrimaryKeyConstraint("month", "delivery_id", "event_id", name=op.f("pk_receipt")),
    )
    op.create_table(
        "reply_text",
        sa.Column("month", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("month", "delivery_id", name=op.f("pk_reply_text")),
        comment="The words of a delivery of the standing Replies campaign, each its own",
    )
    op.create_table(
        "route_range",
        sa.Column(
            "campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("first_member", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_member", sa.BigInteger(), nullable=False, comment="inclusive"),
        sa.Column("epoch", sa.Integer(), server_default="1", nullable=False),
        sa.Column("routed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("campaign_id", "first_member", name=op.f("pk_route_range")),
        comment="The audience cut into pieces; each is routed in one transaction, once",
    )
    op.create_table(
        "suppression",
        sa.Column("address_hash", sa.String(length=22), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column(
            "reason", sa.String(length=40), nullable=False, comment="stop | unsubscribe | complaint | provider | import"
        ),
        sa.Column("source", sa.String(length=400), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address_hash", "channel", name=op.f("pk_suppression")),
        comment="Who must not be written to. Survives erasure, import, merge and restore; only START removes a row",
    )
    op.create_table(
        "tally",
        sa.Column(
            "campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False, comment="'' where there is none"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "channel", "status", "reason", name=op.f("pk_tally")),
        comment="How many deliveries of a campaign stand where. Kept with the moves, last in each transaction",
    )
    op.create_table(
        "ask_version",
        sa.Column(
            "campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.JSON(), nullable=False, comment="core.ask.Ask"),
        sa.Column("saved_by", sa.String(length=200), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_ask_version_campaign_id")),
        sa.PrimaryKeyConstraint("campaign_id", "version", name=op.f("pk_ask_version")),
        comment="Every wording a campaign ever had. Append-only",
    )
    op.execute("INSERT INTO id_block (one, next_id) VALUES (1, 1)")


def downgrade() -> None:
    op.drop_table("ask_version")
    op.drop_table("tally")
    op.drop_table("suppression")
    op.drop_table("route_range")
    op.drop_table("reply_text")
    op.drop_table("receipt")
    with op.batch_alter_table("parked_receipt", schema=None) as batch_op:
        batch_op.drop_index("ix_parked_receipt_provider_id")

    op.drop_table("parked_receipt")
    with op.batch_alter_table("member_tag", schema=None) as batch_op:
        batch_op.drop_index("ix_member_tag_member_id")

    op.drop_table("member_tag")
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.drop_index("ix_member_household_id")

    op.drop_table("member")
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.drop_index("ix_inbound_member_id")

    op.drop_table("inbound")
    op.drop_table("import_problem")
    with op.batch_alter_table("import_job", schema=None) as batch_op:
        batch_op.drop_index("ix_import_job_file_sha256")

    op.drop_table("import_job")
    op.drop_table("idempotency")
    op.drop_table("id_block")
    op.drop_table("delivery")
    op.drop_table("contact_budget")
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.drop_index("ix_consent_member_id")

    op.drop_table("consent")
    with op.batch_alter_table("campaign", schema=None) as batch_op:
        batch_op.drop_index("ix_campaign_status")

    op.drop_table("campaign")
    with op.batch_alter_table("batch", schema=None) as batch_op:
        batch_op.drop_index("ix_batch_open", postgresql_where=sa.text("open"), sqlite_where=sa.text("open"))
        batch_op.drop_index("ix_batch_campaign_id")

    op.drop_table("batch")
    op.drop_table("audit")
    op.drop_table("attestation")
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.drop_index("ix_attempt_provider_id")

    op.drop_table("attempt")
    with op.batch_alter_table("ask_claim", schema=None) as batch_op:
        batch_op.drop_index("uq_ask_claim_member")
        batch_op.drop_index("uq_ask_claim_address")

    op.drop_table("ask_claim")
    op.drop_table("api_token")
    with op.batch_alter_table("address", schema=None) as batch_op:
        batch_op.drop_index("ix_address_hash")

    op.drop_table("address")
    with op.batch_alter_table("action", schema=None) as batch_op:
        batch_op.drop_index("ix_action_member_id")
        batch_op.drop_index("ix_action_campaign_id")

    op.drop_table("action")
