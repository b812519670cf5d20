"""The ledger of a test, told without numbers, so that two runs can be compared."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from router.core.model import LegalBasis
from router.records.imports import ImportOptions, ImportReport, import_file
from router.records.record import Attestation
from router.store.engine import Store
from router.store.tables import address, consent, import_problem, member, member_tag, suppression

KEY = b"a key of the tests, 32 bytes long"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIXTURES = Path(__file__).parent / "fixtures"
HEADER = "first_name,last_name,phone,email,consent,tags,zip\n"
MEMBERSHIP = Attestation(basis=LegalBasis.MEMBERSHIP, source="Membership forms 2024", dated=date(2024, 5, 1))
PEOPLE = (
    HEADER
    + """\
Ann,Lee,2025550101,,yes,a,
Bob,Ray,2025550102,bob@example.org,,b,10001
Sam,Lee,2025550101,,no,,
,,2025550102,b2@example.org,yes,c,
Cy,Fox,12,,,,
Ann,Lee,,ann@example.org,yes,d,94110
ANN,LEE,2025550101,ann@example.org,,e,
Di,Orr,,bob@example.org,no,,
,,2025550101,,no,,
Ed,Poe,2025550105,,yes,,60601
Flo,Orr,2025550105,ann@example.org,,,
Ed,Poe,2025550105,,yes,,60601
"""
)
"""A file with most of what can be odd about people."""


async def bring(
    store: Store, content: bytes | str | Path, tmp_path: Path | None = None, **options: Any
) -> ImportReport:
    """Import a file, or text as a stream, into a ledger of a US organization."""
    progress = options.pop("progress", None)
    region = options.pop("region", "US")
    now = options.pop("now", NOW)
    accounts = options.pop("accounts", None)
    options.setdefault("file_name", "file.csv")
    source: Any = content if isinstance(content, Path) else _stream(content)
    return await import_file(
        store, source, key=KEY, default_region=region, by="Ida", now=now, options=ImportOptions(**options),
        progress=progress, accounts=accounts,
    )  # fmt: skip


async def _stream(content: bytes | str) -> Any:
    data = content.encode() if isinstance(content, str) else content
    for start in range(0, len(data), 7_000):
        yield data[start : start + 7_000]


async def people(store: Store) -> list[dict[str, Any]]:
    """Every member with addresses, tags and evidence; households as the names of those who share one."""
    async with store.read() as connection:
        members = (await connection.execute(select(member).order_by(member.c.id))).mappings().all()
        addresses = (await connection.execute(select(address).order_by(address.c.id))).mappings().all()
        tags = (await connection.execute(select(member_tag))).all()
        consents = (await connection.execute(select(consent).order_by(consent.c.id))).mappings().all()
    houses = defaultdict(list)
    for row in members:
        houses[row["household_id"]].append(f"{row['first_name']} {row['last_name']}".strip())
    told = [
        {
            "name": f"{row['first_name']} {row['last_name']}".strip(),
            **{k: row[k] for k in ("locale", "zone", "zone_source", "country", "postcode", "place", "external_id")},
            "attributes": row["attributes"],
            "joined_at": row["joined_at"],
            "household": sorted(houses[row["household_id"]]) if row["household_id"] else None,
            "addresses": sorted(
                (a["channel"], a["value"], a["consent"], a["rank"]) for a in addresses if a["member_id"] == row["id"]
            ),
            "tags": sorted(tag for tag, owner in tags if owner == row["id"]),
            "consents": sorted(
                (c["channel"], c["state"], c["basis"], c["source"], c["wording"], c["at"])
                for c in consents
                if c["member_id"] == row["id"]
            ),
        }
        for row in members
    ]
    return sorted(told, key=lambda one: (one["name"], one["addresses"]))


async def names(store: Store) -> list[str]:
    """The names of all members."""
    return [one["name"] for one in await people(store)]


async def problems(store: Store, report: ImportReport) -> list[tuple[int, str, str]]:
    """The problems of an import."""
    table = import_problem.c
    async with store.read() as connection:
        rows = await connection.execute(
            select(table.line, table.column, table.sentence)
            .where(table.import_id == report.id)
            .order_by(table.line, table.column)
        )
        return [tuple(row) for row in rows]


async def suppressed(store: Store) -> list[tuple[str, str]]:
    """(channel, reason) of all suppressions."""
    async with store.read() as connection:
        rows = await connection.execute(select(suppression.c.channel, suppression.c.reason))
        return sorted(tuple(row) for row in rows)
