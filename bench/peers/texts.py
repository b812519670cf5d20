"""The messages of the peers, and the table in which those that keep one write what became of each."""

from __future__ import annotations

import base64

from bench.members import BODY, VALID_SECONDS, phone
from bench.yardsticks import Account, callback

CREATE = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY, phone TEXT NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'queued',
    provider_id TEXT)
"""
"""One row a message, as GOV.UK Notify's ``notifications`` is."""
WAITING = "SELECT count(*) FROM message WHERE status = 'queued'"


def rows(messages: int) -> list[tuple[int, str, str]]:
    """What the table holds before the clock runs."""
    return [(number, phone(number), BODY) for number in range(messages)]


def endpoint(account: Account, url: str) -> str:
    """Where a message is created."""
    return f"{url}/2010-04-01/Accounts/{account.sid}/Messages.json"


def authorization(account: Account) -> str:
    """The value of that header."""
    return "Basic " + base64.b64encode(f"{account.sid}:{account.token}".encode()).decode()


def fields(account: Account, number: int, to: str, body: str) -> dict[str, str]:
    """The same fields as in a request of ours."""
    return {
        "To": to,
        "From": account.sender,
        "Body": body,
        "StatusCallback": callback(number),
        "ValidityPeriod": str(VALID_SECONDS),
    }
