"""Whole files into both databases: what becomes of them, and the laws that hold whatever is in them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from router.core.address import address_hash
from router.core.errors import BadInput, NotFound
from router.core.model import UNRANKED, LegalBasis
from router.records.attest import is_genuine
from router.records.imports import ImportProgress, import_status, problems_csv
from router.records.record import Attestation
from router.records.report import csv_line
from router.store.engine import Store
from router.store.tables import address, attestation, audit, consent, member, suppression
from tests.records.ledger import (
    FIXTURES,
    HEADER,
    KEY,
    MEMBERSHIP,
    NOW,
    PEOPLE,
    bring,
    names,
    people,
    problems,
    suppressed,
)


async def test_a_row_becomes_a_member(store: Store) -> None:
    report = await bring(store, HEADER + "Ann,Lee,(202) 555-0123,Ann@Example.org,yes,Tenant;North,10001\n")
    assert (report.rows, report.new, report.unconfirmed, report.status) == (1, 1, 0, "finished")
    assert await people(store) == [
        {
            "name": "Ann Lee", "locale": "", "zone": "America/New_York", "zone_source": "postcode", "country": "",
            "postcode": "10001", "place": "", "external_id": None, "attributes": {}, "joined_at": NOW,
            "household": None,
            "addresses": [
                ("email", "ann@example.org", "granted", UNRANKED), ("sms", "+12025550123", "granted", UNRANKED),
            ],
            "tags": ["north", "tenant"],
            "consents": [
                ("email", "granted", "consent", "import of file.csv", "", NOW),
                ("sms", "granted", "consent", "import of file.csv", "", NOW),
            ],
        }
    ]  # fmt: skip


async def test_the_messy_file(store: Store) -> None:
    """Everything at once: CP1252, semicolons, quoted newlines, ragged and broken rows, households and duplicates."""
    report = await bring(store, FIXTURES / "messy_cp1252.csv", region="GB")
    assert (report.encoding, report.delimiter) == ("cp1252", ";")
    assert (report.rows, report.new, report.merged_in_file, report.bad_rows, report.households) == (10, 4, 1, 5, 1)
    assert await names(store) == ["Chloé Müller", "François Dupré", "Jo Lee", "Sam Lee"]
    told = await problems(store, report)
    assert [(line, column) for line, column, _ in told] == [
        (5, "Handy"),
        (6, "Handy"),
        (7, ""),
        (8, ""),
        (12, "E-Mail"),
    ]
    assert "area code" in told[0][2]
    assert "spreadsheet destroyed" in told[1][2]
    assert "7 cells where the header has 6" in told[2][2]
    assert told[3][2].startswith("this row has no phone number and no mailbox")
    by_name = {one["name"]: one for one in await people(store)}
    assert by_name["Chloé Müller"]["attributes"] == {"Notiz": "mag\nKatzen; sehr"}
    assert by_name["Jo Lee"]["household"] == ["Jo Lee", "Sam Lee"]
    assert by_name["François Dupré"]["addresses"] == [("sms", "+447700900123", "granted", UNRANKED)]


@pytest.mark.parametrize(
    ("file", "profile", "expected"),
    [
        (
            "mailchimp_subscribed.csv",
            "mailchimp",
            {
                "Ann Lee": ([("email", "ann@example.org", "granted", UNRANKED)], "America/New_York"),
                "Bob Ray": ([("email", "bob@example.com", "unconfirmed", UNRANKED)], "America/Los_Angeles"),
            },
        ),
        (
            "action_network.csv",
            "action_network",
            {
                "Ann Lee": (
                    [("email", "ann@example.org", "granted", UNRANKED), ("sms", "+12025550123", "granted", UNRANKED)],
                    "America/New_York",
                ),
                "Bob Ray": ([("email", "bob@example.com", "revoked", UNRANKED)], "America/Chicago"),
            },
        ),
        (
            "nationbuilder.csv",
            "nationbuilder",
            {
                "Ann Lee": (
                    [("email", "ann@example.org", "granted", UNRANKED), ("sms", "+12025550123", "revoked", UNRANKED)],
                    "America/New_York",
                ),
                "Bob Ray": ([("email", "bob@example.com", "revoked", UNRANKED)], "America/Chicago"),
            },
        ),
    ],
)
async def test_exports_of_other_tools(ledger: Store, file: str, profile: str, expected: dict[str, Any]) -> None:
    report = await bring(ledger, FIXTURES / file)
    assert report.profile == profile
    assert {one["name"]: (one["addresses"], one["zone"]) for one in await people(ledger)} == expected


# ── consent ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_rows_without_consent_are_kept_and_not_written_to(ledger: Store) -> None:
    report = await bring(ledger, HEADER + "Ann,Lee,2025550123,ann@example.org,,,\nBob,Ray,,bob@example.org,yes,,\n")
    assert report.unconfirmed == 1
    states = {a for one in await people(ledger) for a in one["addresses"]}
    assert {(channel, state) for channel, value, state, _ in states if "bob" not in value} == {
        ("sms", "unconfirmed"),
        ("email", "unconfirmed"),
    }


async def test_an_attested_basis_covers_all_but_american_texts(store: Store) -> None:
    rows = (
        "Ann,Lee,2025550123,ann@example.org,,,\nBob,Ray,+447700900123,,,,\nCy,Fox,2025550124,,yes,,\n"
        "Di,Orr,,di@example.org,no,,\n"
    )
    report = await bring(store, HEADER + rows, attestation=MEMBERSHIP)
    assert (report.own_word, report.unconfirmed) == (1, 1)
    found = {(channel, value): state for one in await people(store) for channel, value, state, _ in one["addresses"]}
    assert found == {
        ("sms", "+12025550123"): "unconfirmed",
        ("email", "ann@example.org"): "granted",
        ("sms", "+447700900123"): "granted",
        ("sms", "+12025550124"): "granted",
        ("email", "di@example.org"): "revoked",
    }
    bases = {(c[0], c[1], c[2], c[3]) for one in await people(store) for c in one["consents"] if c[2] != "consent"}
    assert bases == {
        ("email", "granted", "membership", "Membership forms 2024"),
        ("sms", "granted", "membership", "Membership forms 2024"),
    }


async def test_an_attestation_is_signed_and_audited(store: Store) -> None:
    report = await bring(store, HEADER + "Ann,Lee,,ann@example.org,,,\n", attestation=MEMBERSHIP)
    async with store.read() as connection:
        row = dict((await connection.execute(select(attestation))).mappings().one())
        audited = (
            await connection.execute(select(audit.c.what, audit.c.who, audit.c.subject).order_by(audit.c.id))
        ).all()
    assert [tuple(a) for a in audited] == [
        ("import.begin", "Ida", f"import {report.id}"),
        ("import.attest", "Ida", f"import {report.id}"),
    ]
    assert is_genuine(row, KEY)
    changes = {"basis": "consent", "source": "x", "dated": "2020-01-01", "attested_by": "Eve", "file_sha256": "0" * 64}
    assert not any(is_genuine({**row, name: value}, KEY) for name, value in changes.items())
    assert not is_genuine({**row, "at": row["at"] + timedelta(seconds=1)}, KEY)
    assert not is_genuine(row, b"another key")


@pytest.mark.parametrize(
    ("basis", "dated"), [(LegalBasis.CHARITY_SOFT_OPT_IN, date(2026, 2, 4)), (LegalBasis.CONSENT, date(2026, 11, 23))]
)
async def test_a_basis_that_cannot_hold_is_refused(ledger: Store, basis: LegalBasis, dated: date) -> None:
    with pytest.raises(BadInput, match=r"attestation\.dated"):
        await bring(ledger, HEADER, attestation=Attestation(basis=basis, source="x", dated=dated))


async def test_a_no_in_the_ledger_is_never_overturned(store: Store) -> None:
    rows = HEADER + "Ann,Lee,,ann@example.org,yes,,\nBob,Ray,,bob@example.org,yes,,\n"
    await bring(store, rows)
    async with store.write() as connection:
        await connection.execute(update(address).where(address.c.value == "ann@example.org").values(consent="revoked"))
        await connection.execute(
            insert(suppression).values(
                address_hash=address_hash(KEY, "email", "bob@example.org"), channel="email", reason="stop", at=NOW
            )
        )
    before = await people(store)
    report = await bring(store, rows + "Cy,Fox,,bob@example.org,yes,,\n", attestation=MEMBERSHIP)
    assert report.silenced == 3
    after = await people(store)
    assert [one["addresses"] for one in after if one["name"] == "Ann Lee"] == [
        [("email", "ann@example.org", "revoked", UNRANKED)]
    ]
    assert [one["addresses"] for one in after if one["name"] == "Cy Fox"] == [
        [("email", "bob@example.org", "unconfirmed", UNRANKED)]
    ]
    assert [one["consents"] for one in after if one["name"] != "Cy Fox"] == [one["consents"] for one in before]
    assert await suppressed(store) == [("email", "stop")]


@pytest.mark.parametrize(
    ("first", "then", "state"),
    [
        (("yes", "2024-01-01"), ("no", "2025-01-01"), "revoked"),
        (("yes", "2025-01-01"), ("no", "2024-01-01"), "granted"),
        (("yes", ""), ("no", "2024-01-01"), "revoked"),
        (("yes", "2024-01-01"), ("no", ""), "revoked"),
        (("no", "2024-01-01"), ("yes", "2025-01-01"), "revoked"),
        (("", ""), ("yes", "2025-01-01"), "granted"),
        (("yes", "2025-01-01"), ("", ""), "granted"),
    ],
)
async def test_yes_and_no_in_one_file_or_two(
    ledger: Store, first: tuple[str, str], then: tuple[str, str], state: str
) -> None:
    header = "name,email,consent,consent_date\n"
    one, two = (f"Ann Lee,ann@example.org,{word},{day}\n" for word, day in (first, then))
    await bring(ledger, header + one)
    await bring(ledger, header + two)
    assert [one["addresses"][0][2] for one in await people(ledger)] == [state]


async def test_whatsapp_is_a_channel_of_the_phone_where_its_owner_says_so(ledger: Store) -> None:
    await bring(
        ledger,
        "name,phone,whatsapp opt-in,preferred channel\n"
        "Ann,2025550123,yes,\nBob,2025550124,,whatsapp\nCy,2025550125,,\n",
    )
    assert [one["addresses"] for one in await people(ledger)] == [
        [("sms", "+12025550123", "unconfirmed", UNRANKED), ("whatsapp", "+12025550123", "granted", UNRANKED)],
        [("sms", "+12025550124", "unconfirmed", UNRANKED), ("whatsapp", "+12025550124", "unconfirmed", 0)],
        [("sms", "+12025550125", "unconfirmed", UNRANKED)],
    ]


# ── suppress ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_old_tools_unsubscribes_come_first(store: Store) -> None:
    text = (
        "Email,Phone,Status\nann@example.org,,Unsubscribed\n,2025550123,\nbob@example.org,,subscribed\n"
        "nonsense,,\n,,no\n"
    )
    report = await bring(store, text, suppress=True, mapping={"Status": "email_consent"})
    assert await names(store) == []
    assert await suppressed(store) == [("email", "import"), ("sms", "import"), ("whatsapp", "import")]
    assert (report.rows, report.suppressed, report.unchanged, report.bad_rows) == (5, 2, 0, 3)
    assert [(line, column) for line, column, _ in await problems(store, report)] == [
        (4, "Status"),
        (5, "Email"),
        (6, ""),
    ]
    again = await bring(store, text, suppress=True, mapping={"Status": "email_consent"})
    assert (again.suppressed, again.unchanged) == (0, 2)
    later = await bring(store, HEADER + "Ann,Lee,2025550123,ann@example.org,yes,,\n")
    assert (later.silenced, later.unconfirmed) == (2, 1)


async def test_mailchimps_cleaned_addresses_are_suppressed(ledger: Store) -> None:
    report = await bring(ledger, FIXTURES / "mailchimp_cleaned.csv", suppress=True)
    assert (report.profile, report.suppressed) == ("mailchimp", 2)
    async with ledger.read() as connection:
        moments = set((await connection.execute(select(suppression.c.at))).scalars())
    assert moments == {datetime(2023, 5, 1, 10, tzinfo=UTC), datetime(2022, 1, 2, 3, 4, 5, tzinfo=UTC)}


# ── who is who ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rows", "counts", "expected"),
    [
        ("Ann,Lee,2025550123,,,,\nANN,LEE,+1 202 555 0123,ann@example.org,,,\n", (1, 1, 0), ["Ann Lee"]),
        ("Ann,Lee,2025550123,,,,\nSam,Lee,2025550123,,,,\n", (2, 0, 1), ["Ann Lee", "Sam Lee"]),
        ("Ann,Lee,2025550123,,,,\n,,2025550123,ann@example.org,,,\n", (1, 1, 0), ["Ann Lee"]),
        (",,2025550123,,,,\nAnn,Lee,2025550123,,,,\n", (1, 1, 0), ["Ann Lee"]),
        ("Ann,Lee,2025550123,,,,\nAnn,Lee,,ann@example.org,,,\n", (2, 0, 0), ["Ann Lee", "Ann Lee"]),
        ("Ann,Lee,2025550123,,,,\nSam,Lee,2025550123,,,,\n,,2025550123,,,x,\n", (2, 0, 1), ["Ann Lee", "Sam Lee"]),
    ],
    ids=["same name", "household", "no name", "no name first", "nothing in common", "no name, several people"],
)
async def test_duplicates_and_households(
    ledger: Store, rows: str, counts: tuple[int, int, int], expected: list[str]
) -> None:
    report = await bring(ledger, HEADER + rows)
    assert (report.new, report.merged_in_file, report.households) == counts
    assert await names(ledger) == expected


async def test_a_row_that_cannot_say_whom_it_means_is_a_problem_but_its_no_counts(store: Store) -> None:
    await bring(store, HEADER + "Ann,Lee,2025550123,,yes,,\nSam,Lee,2025550123,,yes,,\n")
    report = await bring(store, HEADER + ",,2025550123,,no,x,\n")
    assert report.bad_rows == 1
    assert "several members share" in (await problems(store, report))[0][2]
    assert await suppressed(store) == [("sms", "import")]
    assert {tuple(one["tags"]) for one in await people(store)} == {()}


async def test_two_records_that_a_row_shows_to_be_one_person_become_one(store: Store) -> None:
    report = await bring(
        store,
        HEADER
        + "Ann,Lee,2025550123,,,a,\nAnn,Lee,,ann@example.org,no,b,10001\nAnn,Lee,2025550123,ann@example.org,,c,\n",
    )
    assert (report.new, report.records_joined) == (2, 1)
    (ann,) = await people(store)
    assert ann["addresses"] == [
        ("email", "ann@example.org", "revoked", UNRANKED),
        ("sms", "+12025550123", "unconfirmed", UNRANKED),
    ]
    assert (ann["tags"], ann["postcode"], ann["household"]) == (["a", "b", "c"], "10001", None)


async def test_households_that_meet_become_one(ledger: Store) -> None:
    await bring(ledger, HEADER + "A,,2025550101,,,,\nB,,2025550101,,,,\n")
    await bring(ledger, HEADER + "C,,2025550102,,,,\nD,,2025550102,,,,\n")
    await bring(
        ledger, HEADER + "B,,2025550101,b@example.org,,,\nC,,,b@example.org,,,\nC,,2025550102,b@example.org,,,\n"
    )
    assert [one["household"] for one in await people(ledger)] == [["A", "B", "C", "D"]] * 4


async def test_the_organizations_own_key_tells_people_apart_and_together(store: Store) -> None:
    header = "member_id,name,email\n"
    await bring(store, header + "1,Ann Lee,lee@example.org\n2,Ann Lee,lee@example.org\n")
    assert [one["external_id"] for one in await people(store)] == ["1", "2"]
    await bring(store, header + "1,Anna Ray,new@example.org\n2,,\n3,,\n")
    assert await names(store) == ["Ann Lee", "Anna Ray"]
    report = await bring(store, header + "9,Nobody,\n")
    assert (report.bad_rows, report.new) == (1, 0)


async def test_what_a_row_leaves_empty_stays(ledger: Store) -> None:
    await bring(ledger, "name,email,city,zip,time zone,colour\nAnn,ann@example.org,Leeds,10001,Europe/London,red\n")
    report = await bring(ledger, "name,email,city,zip,size\nann,ann@example.org,,94110,9\n")
    assert (report.updated, report.new) == (1, 0)
    (ann,) = await people(ledger)
    assert (ann["place"], ann["postcode"], ann["zone"], ann["zone_source"]) == (
        "Leeds",
        "94110",
        "Europe/London",
        "given",
    )
    assert ann["attributes"] == {"colour": "red", "size": "9"}


async def test_of_two_spellings_of_a_name_the_better_stays(ledger: Store) -> None:
    for name in ("ZOE LEE", "Zoe Lee", "zoe lee", "Zoë Lee", "Zoe lee"):
        await bring(ledger, f"name,email\n{name},zoe@example.org\n")
    assert await names(ledger) == ["Zoë Lee"]


async def test_the_good_address_of_a_row_with_a_bad_one_is_kept(ledger: Store) -> None:
    report = await bring(ledger, HEADER + "Ann,Lee,12,ann@example.org,yes,,\nBob,Ray,2025550123,bob,yes,,\n")
    assert (report.new, report.bad_rows, report.problems) == (2, 0, 2)
    assert [(line, column) for line, column, _ in await problems(ledger, report)] == [(2, "phone"), (3, "email")]


# ── report ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_problems_download_as_csv_that_no_spreadsheet_runs(store: Store) -> None:
    report = await bring(store, 'email,=HYPERLINK("x")\nann@example.org,' + "y" * 2_001 + "\nbob,\n")
    data = b"".join([piece async for piece in problems_csv(store, report.id)])
    lines = data.decode().splitlines()
    assert lines[0] == "line,column,problem"
    assert lines[1].startswith("2,\"'=HYPERLINK(")
    assert lines[2].startswith("3,email,")
    with pytest.raises(NotFound):
        await anext(problems_csv(store, 10**9))
    with pytest.raises(NotFound):
        await import_status(store, 10**9)


@pytest.mark.parametrize("first", list("=+-@\t\r"))
def test_formulas_become_text(first: str) -> None:
    assert csv_line(f"{first}1+1", 7).decode().lstrip('"').startswith(f"'{first}1+1")
    assert csv_line("1=1", -7) == b"1=1,-7\r\n"


async def test_the_report_says_how(ledger: Store) -> None:
    report = await bring(ledger, PEOPLE)
    assert report.rows == report.new + report.updated + report.unchanged + report.merged_in_file + report.bad_rows
    text = " ".join(report.sentences)
    for part in (
        "12 rows read",
        "merged with an earlier row",
        "1 record joined",
        "household",
        "unconfirmed",
        "could not be used",
    ):
        assert part in text
    assert report.columns["zip"] == "postcode"


async def test_progress_tells_bytes_rows_and_rate(ledger: Store) -> None:
    seen: list[ImportProgress] = []
    await bring(ledger, PEOPLE, chunk_rows=5, progress=seen.append)
    assert [p.rows for p in seen] == [0, 5, 10, 12]
    assert seen[0].import_id > 0
    assert seen[-1].bytes_done == seen[-1].bytes_total == len(PEOPLE)
    assert seen[-1].rate > 0


async def test_an_erased_member_stays_erased(store: Store) -> None:
    await bring(store, HEADER + "Ann,Lee,2025550123,,yes,,\n")
    async with store.write() as connection:
        await connection.execute(update(member).values(erased_at=NOW, first_name="", last_name="", name_key=""))
    report = await bring(store, HEADER + "Ann,Lee,2025550123,,yes,,\n")
    assert report.new == 1
    async with store.read() as connection:
        assert len((await connection.execute(select(consent.c.id))).all()) == 2
