"""People's addresses that belong to an account of ours: by the API and from a file, with the rules of all others."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from channels import SPECS
from router.core.errors import BadInput
from router.core.own_addresses import parse_own
from router.records.members import MemberRecord, UpsertResult, upsert_member
from router.records.record import OWN_CHANNELS, Attestation
from router.store.engine import Store
from tests.records.ledger import KEY, NOW, bring

TOKEN = "d3:APA91bH_registration-token"
ACCOUNTS = {"telegram": ["main", "north"], "fcm": ["main"]}


def test_these_are_the_channels_whose_people_have_addresses_of_their_own_account() -> None:
    bound = {spec.name for spec in SPECS.values() if spec.bound and spec.people and not spec.strangers}
    assert set(OWN_CHANNELS) == bound
    assert all(SPECS[name].address_kind == name for name in OWN_CHANNELS)


@pytest.mark.parametrize(
    ("kind", "raw", "found"),
    [
        ("telegram", " 5150 ", ("5150", "")),
        ("telegram", "5150@North", ("5150", "north")),
        ("slack", "U012AB3CD", ("U012AB3CD", "")),
        ("slack", "W012AB3CD@second", ("W012AB3CD", "second")),
        ("fcm", TOKEN, (TOKEN, "")),
        ("telegram", "@ana", "@username"),
        ("telegram", "-1001234", "Telegram chat"),
        ("telegram", "0150", "Telegram chat"),
        ("telegram", "5" * 17, "Telegram chat"),
        ("slack", "ana", "member ID"),
        ("slack", "C012AB3CD", "member ID"),
        ("slack", "@north", "member ID"),
        ("fcm", "short", "registration token"),
        ("fcm", "two words of a token that is long", "registration token"),
    ],
)
def test_what_can_be_a_persons_address(kind: str, raw: str, found: Any) -> None:
    if isinstance(found, tuple):
        assert parse_own(kind, raw) == found
        return
    with pytest.raises(BadInput, match=found) as refused:
        parse_own(kind, raw)
    assert raw.strip() not in str(refused.value), "an error never repeats an address"


async def addresses(store: Store) -> list[tuple[Any, ...]]:
    """(whose, channel, value, account, consent)."""
    query = (
        "SELECT m.first_name, a.channel, a.value, a.account, a.consent FROM address a"
        " JOIN member m ON m.id = a.member_id ORDER BY m.first_name, a.channel"
    )
    async with store.read() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def upsert(store: Store, **fields: Any) -> UpsertResult:
    record = MemberRecord.model_validate(fields)
    return await upsert_member(store, KEY, "FR", record, source="test", now=NOW, accounts=ACCOUNTS)


async def test_the_api_takes_them_with_their_consent(store: Store) -> None:
    agreed = [{"channel": "telegram", "source": "form", "wording": "Yes"}]
    made = await upsert(store, first_name="Ana", telegram="5150@north", slack="U012AB3CD", consents=agreed)
    assert made.consents == {"telegram": "granted", "slack": "unconfirmed"}
    assert [row[1:] for row in await addresses(store)] == [
        ("slack", "U012AB3CD", "main", "unconfirmed"),
        ("telegram", "5150", "north", "granted"),
    ]
    again = await upsert(store, first_name="Ana", telegram="5150", fcm=TOKEN, whatsapp="06 39 98 00 07")
    assert again.member_id == made.member_id
    assert [row[1:] for row in await addresses(store)] == [
        ("fcm", TOKEN, "main", "unconfirmed"),
        ("slack", "U012AB3CD", "main", "unconfirmed"),
        ("telegram", "5150", "main", "granted"),
        ("whatsapp", "+33639980007", "", "unconfirmed"),
    ]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"telegram": "@ana"}, "telegram"),
        ({"telegram": "5150@south"}, "telegram"),
        ({"fcm": f"{TOKEN}@north"}, "fcm"),
        ({"whatsapp": "12"}, "whatsapp"),
        ({"phone": "+33639980001", "consents": [{"channel": "slack"}]}, "consents"),
    ],
)
async def test_the_api_refuses_what_cannot_be_one(store: Store, fields: dict[str, Any], place: str) -> None:
    with pytest.raises(BadInput) as refused:
        await upsert(store, first_name="Ana", **fields)
    assert refused.value.place == place
    assert await addresses(store) == []


FILE = (
    "name,phone,telegram,slack,fcm,whatsapp,consent\n"
    f"Ana,+33639980001,5150,U012AB3CD,{TOKEN},+33639980009,yes\n"
    "Bo,+33639980002,@bo,,,yes,\n"
    "Cy,,6006@north,,,,\n"
    "Di,,6007@south,,,,yes\n"
)


async def test_a_file_brings_them_in_and_its_report_names_what_cannot_be_used(store: Store) -> None:
    report = await bring(store, FILE, accounts=ACCOUNTS)
    assert (report.rows, report.new, report.bad_rows) == (4, 3, 1)
    assert await addresses(store) == [
        ("Ana", "fcm", TOKEN, "main", "granted"),
        ("Ana", "slack", "U012AB3CD", "main", "granted"),
        ("Ana", "sms", "+33639980001", "", "granted"),
        ("Ana", "telegram", "5150", "main", "granted"),
        ("Ana", "whatsapp", "+33639980009", "", "granted"),
        ("Bo", "sms", "+33639980002", "", "unconfirmed"),
        ("Bo", "whatsapp", "+33639980002", "", "granted"),
        ("Cy", "telegram", "6006", "north", "unconfirmed"),
    ]
    problems = [(one.line, one.column, one.sentence) for one in report.first_problems]
    assert [(line, column) for line, column, _ in problems][:1] == [(3, "telegram")]
    assert "names an account of telegram that is not here; there is main, north" in {said for _, _, said in problems}


async def test_an_attested_basis_stands_for_them_too(store: Store) -> None:
    basis = Attestation.model_validate({"basis": "membership", "source": "the roll", "dated": "2026-01-02"})
    await bring(store, "name,telegram\nCy,6006\n", attestation=basis)
    assert [row[1:] for row in await addresses(store)] == [("telegram", "6006", "main", "granted")]
