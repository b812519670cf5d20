"""Deliveries, receipts and replies by month

On PostgreSQL each of five tables becomes a partitioned one. Four of them have had the campaign's month in their key
from the beginning: the table that was there is attached as a partition, so that no row moves. `inbound` gets the month
of its arrival, and its rows are written once more. What a provider has told us already stands in `inbound_claim`, over
all months. A ledger without rows has only the partition for months that have none: the worker makes the others.

SQLite keeps one table of each.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

KEYED = ("delivery", "attempt", "receipt", "reply_text")
"""What has had the month in its key."""

_AUTOVACUUM = (
    "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05,"
    " autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_limit = 2000"
)
"""As `router.store.partitions` gives it to the months to come; sources are in docs/retention.md."""

_BUSY = ("batch", "contact_budget", "tally")
"""Tables that stay whole, and whose rows change all day."""


def upgrade() -> None:
    op.create_table(
        "dropped_month",
        sa.Column("kind", sa.String(length=12), nullable=False, comment="messages | answers | received"),
        sa.Column("month", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False, comment="rows that went"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("kind", "month", name=op.f("pk_dropped_month")),
        comment="What was kept as long as it should be, and is gone",
    )
    op.create_table(
        "inbound_claim",
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False, comment="of the row in inbound"),
        sa.PrimaryKeyConstraint("channel", "account", "event_id", name=op.f("pk_inbound_claim")),
        comment="What a provider told us, each thing once, over all months. Not partitioned",
    )
    op.add_column(
        "thread",
        sa.Column("inbound_month", sa.Integer(), nullable=False, server_default="0", comment="yyyymm of its arrival"),
    )
    if op.get_bind().dialect.name != "postgresql":
        _write_inbound_anew(month="CAST(strftime('%Y%m', at / 1000, 'unixepoch') AS INTEGER)")
        return
    for table in KEYED:
        _partition(table)
    _write_inbound_anew(month="CAST(to_char(to_timestamp(at / 1000.0) AT TIME ZONE 'UTC', 'YYYYMM') AS integer)")
    for table in _BUSY:
        op.execute(f"ALTER TABLE {table} SET ({_AUTOVACUUM})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in _BUSY:
            op.execute(f"ALTER TABLE {table} RESET ({', '.join(_names(_AUTOVACUUM))})")
        for table in KEYED:
            _unite(table)
    _write_inbound_back()
    op.drop_column("thread", "inbound_month")
    op.drop_table("inbound_claim")
    op.drop_table("dropped_month")


# ── tables that have the month in their key ───────────────────────────────────────────────────────────────────────────


def _options(table: str) -> str:
    return f"fillfactor = 50, {_AUTOVACUUM}" if table == "delivery" else _AUTOVACUUM


def _names(options: str) -> list[str]:
    return [option.split(" = ")[0] for option in options.split(", ")]


def _partition(table: str) -> None:
    """The table becomes the first partition of one of its name; where it has no rows it goes."""
    bind = op.get_bind()
    first, last = bind.execute(sa.text(f"SELECT min(month), max(month) FROM {table}")).one()
    shape = _shape(table)
    old = f"{table}_{last}" if first == last and first is not None else f"{table}_to_{last}"
    op.execute(f"ALTER TABLE {table} RENAME TO {old}")
    for name in shape.names:
        op.execute(f'ALTER INDEX "{name}" RENAME TO "{name[:52]}_{last}"')
    op.execute(f"CREATE TABLE {table} (LIKE {old} INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (month)")
    shape.give()
    if first is None:
        op.execute(f"DROP TABLE {old}")
    else:
        bounds = f"FROM ({first}) TO ({last + 1})" if first == last else f"FROM (MINVALUE) TO ({last + 1})"
        op.execute(f"ALTER TABLE {table} ATTACH PARTITION {old} FOR VALUES {bounds}")
        op.execute(f"ALTER TABLE {old} SET ({_options(table)})")
    op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT WITH ({_options(table)})")


def _unite(table: str) -> None:
    """All partitions become one table again; each row is written once more."""
    shape, whole = _shape(table), f"{table}_whole"
    fill = " WITH (fillfactor = 50)" if table == "delivery" else ""
    op.execute(f"CREATE TABLE {whole} (LIKE {table} INCLUDING ALL EXCLUDING INDEXES){fill}")
    op.execute(f"INSERT INTO {whole} SELECT * FROM {table}")
    op.execute(f"DROP TABLE {table}")
    op.execute(f"ALTER TABLE {whole} RENAME TO {table}")
    shape.give()


class _Shape:
    """What LIKE does not copy under its own name: keys, indexes, what the table is for."""

    def __init__(self, names: list[str], statements: list[str]) -> None:
        self.names = names
        self._statements = statements

    def give(self) -> None:
        """Make them anew, on the table of that name."""
        for statement in self._statements:
            op.execute(statement)


def _shape(table: str) -> _Shape:
    bind = op.get_bind()
    keys = bind.execute(
        sa.text(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = CAST(:table AS regclass) AND contype IN ('p', 'u') ORDER BY contype, conname"
        ),
        {"table": table},
    ).all()
    indexes = bind.execute(
        sa.text(
            "SELECT c.relname, replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') FROM pg_index i"
            " JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = CAST(:table AS regclass) AND NOT EXISTS"
            " (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid) ORDER BY 1"
        ),
        {"table": table},
    ).all()
    words = bind.scalar(sa.text("SELECT obj_description(CAST(:table AS regclass), 'pg_class')"), {"table": table})
    statements = [f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}' for name, definition in keys]
    statements += [definition for _, definition in indexes]
    if words:
        quoted = words.replace("'", "''")
        statements.append(f"COMMENT ON TABLE {table} IS '{quoted}'")
    return _Shape([name for name, _ in [*keys, *indexes]], statements)


# ── what people wrote ─────────────────────────────────────────────────────────────────────────────────────────────────

_WRITTEN = '"id", "channel", "account", "event_id", "sender_hash", "member_id", "text", "intent", "at"'


def _columns() -> list[sa.Column[object]]:
    return [
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("sender_hash", sa.String(length=22), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("intent", sa.String(length=20), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    ]


def _write_inbound_anew(month: str) -> None:
    """`month` is SQL for the month of a row."""
    bind = op.get_bind()
    months = list(bind.execute(sa.text(f"SELECT DISTINCT {month} FROM inbound")).scalars())
    op.drop_index("ix_inbound_member_id", table_name="inbound")
    op.rename_table("inbound", "inbound_before")
    partitioned = bind.dialect.name == "postgresql"
    if partitioned:
        op.execute("ALTER INDEX pk_inbound RENAME TO pk_inbound_before")
    op.create_table(
        "inbound",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("month", sa.Integer(), autoincrement=False, nullable=False, comment="yyyymm of its arrival"),
        *_columns(),
        sa.PrimaryKeyConstraint("id", "month", name=op.f("pk_inbound")),
        comment="What people wrote to us",
        postgresql_partition_by="RANGE (month)",
    )
    op.create_index("ix_inbound_member_id", "inbound", ["member_id"], unique=False)
    if partitioned:
        for one in sorted(months):
            bounds = f"FOR VALUES FROM ({one}) TO ({one + 1})"
            op.execute(f"CREATE TABLE inbound_{one} PARTITION OF inbound {bounds} WITH ({_AUTOVACUUM})")
        op.execute(f"CREATE TABLE inbound_default PARTITION OF inbound DEFAULT WITH ({_AUTOVACUUM})")
    op.execute(f"INSERT INTO inbound (month, {_WRITTEN}) SELECT {month}, {_WRITTEN} FROM inbound_before")
    op.execute("INSERT INTO inbound_claim SELECT channel, account, event_id, month FROM inbound")
    op.execute(
        "UPDATE thread SET inbound_month = coalesce((SELECT i.month FROM inbound i WHERE i.id = thread.inbound_id), 0)"
    )
    op.drop_table("inbound_before")


def _write_inbound_back() -> None:
    bind = op.get_bind()
    op.drop_index("ix_inbound_member_id", table_name="inbound")
    op.rename_table("inbound", "inbound_before")
    if bind.dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_inbound RENAME TO pk_inbound_before")
    op.create_table(
        "inbound",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        *_columns(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound")),
        sa.UniqueConstraint("channel", "account", "event_id", name=op.f("uq_inbound_channel_account_event_id")),
        comment="What people wrote to us",
    )
    op.execute(f"INSERT INTO inbound ({_WRITTEN}) SELECT {_WRITTEN} FROM inbound_before")
    op.drop_table("inbound_before")
    op.create_index("ix_inbound_member_id", "inbound", ["member_id"], unique=False)
