"""What ``outreach keys`` makes is what the channels and mailbox providers take."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest

from channels.email.signing import Signer
from channels.telegram.adapter import TelegramChannel
from channels.webpush.vapid import Vapid
from router.cli.dns import mail_records, new_dkim_key
from router.cli.envfile import append_variables, read_variables
from router.cli.keys import MADE
from router.core.errors import BadInput
from router.wire import HttpWire

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
HEADERS = b"From: news@example.org\r\nTo: ana@example.org\r\nSubject: Come\r\n"
BODY = b"On Thursday.\r\n"


def record(records: list[str], name: str) -> str:
    """The text of the TXT record of this name, its strings joined as resolvers do."""
    [line] = [line for line in records if line.startswith(f"{name}. TXT ")]
    strings = re.findall(r'"([^"]*)"', line)
    assert all(len(string) <= 255 for string in strings)
    return "".join(strings)


def test_mail_signed_with_the_key_is_verified_with_the_record() -> None:
    key = new_dkim_key()
    published = record(mail_records(key, "s1", "example.org"), "s1._domainkey.example.org")
    signature = Signer(key, domain="example.org", selector="s1").sign(HEADERS, BODY, NOW)
    asked = []

    def look_up(name: bytes, timeout: int = 5) -> bytes:
        asked.append(name)
        return published.encode()

    assert dkim.verify(signature + HEADERS + b"\r\n" + BODY, dnsfunc=look_up)
    assert asked == [b"s1._domainkey.example.org."]
    assert not dkim.verify(signature + HEADERS + b"\r\n" + BODY + b"More.\r\n", dnsfunc=look_up)


@pytest.mark.parametrize(
    ("host", "senders"),
    [
        ("smtp.sendgrid.net", "include:sendgrid.net"),
        ("email-smtp.eu-west-1.amazonaws.com", "include:amazonses.com"),
        ("mail.example.org", "a:mail.example.org"),
        ("notsendgrid.net", "a:notsendgrid.net"),
        ("", "include:SPF-NAME-OF-YOUR-MAIL-PROVIDER"),
    ],
)
def test_who_may_send_for_the_domain(host: str, senders: str) -> None:
    records = mail_records(new_dkim_key(), "s1", "example.org", host)
    assert record(records, "example.org") == f"v=spf1 {senders} ~all"
    assert record(records, "_dmarc.example.org") == "v=DMARC1; p=none; rua=mailto:dmarc@example.org"


def test_what_is_no_key_is_refused_without_repeating_it() -> None:
    with pytest.raises(BadInput) as refused:
        mail_records("not a key", "s1", "example.org")
    assert "not a key" not in str(refused.value)


async def test_the_channels_take_what_is_made() -> None:
    made = {name: make() for one in MADE.values() for name, make in [one]}
    assert len(made["OUTREACH_SECRET_KEY"]) >= 32
    assert Vapid(made["OUTREACH_WEBPUSH_VAPID_PRIVATE_KEY"], "mailto:office@example.org").public_key
    settings = {"token": "12345:token", "webhook_secret": made["OUTREACH_TELEGRAM_WEBHOOK_SECRET"]}
    about = {"account": "main", "webhook_url": "https://example.org/hooks/telegram/main", "organization": "T"}
    async with HttpWire() as wire:
        TelegramChannel({**settings, **about}, wire)


def test_a_file_of_variables_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.env"
    assert read_variables(path) == {}
    values = {"PLAIN": "a-b_c.d", "SPACES": "a b", "KEY": new_dkim_key()}
    append_variables(path, values)
    assert read_variables(path) == values
    assert dict(word.split("=", 1) for word in shlex.split(path.read_text("utf-8"))) == values
    path.write_text("# A=1\nexport B='2'\nC=\"3\"\nnonsense\n")
    assert read_variables(path) == {"B": "2", "C": "3"}


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_variables(tmp_path)
    with pytest.raises(BadInput, match="cannot be written"):
        append_variables(tmp_path / "no" / "such" / "folder", {"A": "1"})
