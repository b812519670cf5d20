"""An admin's word for the legal basis of a file, signed so that nobody can change it afterwards unnoticed."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from router.core.errors import BadInput
from router.core.model import LegalBasis
from router.records.ready import Claim
from router.records.record import Attestation
from router.store.tables import to_ms

SOFT_OPT_IN_SINCE = date(2026, 2, 5)
"""UK charities, Data (Use and Access) Act 2025 s. 114: details collected before do not count (FACTS.md 2.2)."""

SIGNED = ("id", "basis", "source", "dated", "file_sha256", "attested_by", "at")


def check_attestation(attestation: Attestation, now: datetime) -> None:
    """Raise `BadInput` where the basis cannot hold."""
    if attestation.dated > now.date():
        raise BadInput("lies in the future", place="attestation.dated")
    if attestation.basis is LegalBasis.CHARITY_SOFT_OPT_IN and attestation.dated < SOFT_OPT_IN_SINCE:
        raise BadInput(
            f"the charity soft opt-in is never retroactive: it holds for details collected since {SOFT_OPT_IN_SINCE}",
            place="attestation.dated",
        )


def attestation_row(
    attestation: Attestation, *, number: int, file_sha256: str, by: str, at: datetime, key: bytes
) -> dict[str, Any]:
    """The row of the ledger, with its signature."""
    row = {
        "id": number,
        "basis": attestation.basis.value,
        "source": attestation.source,
        "dated": attestation.dated.isoformat(),
        "file_sha256": file_sha256,
        "attested_by": by,
        "at": at,
    }
    return row | {"signature": sign(row, key)}


def sign(row: Mapping[str, Any], key: bytes) -> str:
    """HMAC-SHA256 of what was attested, in hex."""
    fields = [to_ms(row[name]) if name == "at" else row[name] for name in SIGNED]
    text = json.dumps(["attestation", *fields], ensure_ascii=False, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def is_genuine(row: Mapping[str, Any], key: bytes) -> bool:
    """Whether a row of the ledger is as it was when it was signed."""
    return hmac.compare_digest(sign(row, key), row["signature"])


def attested_claim(attestation: Attestation) -> Claim:
    """What the attestation amounts to for each address of the file."""
    at = datetime.fromisoformat(f"{attestation.dated.isoformat()}T00:00:00+00:00")
    return Claim("granted", attestation.basis.value, attestation.source, "", to_ms(at))
