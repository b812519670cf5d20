"""The skeleton's bytes mean what `email.message.EmailMessage` would have said: proven by reading them back."""

from __future__ import annotations

import dataclasses
import re
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.mime import Skeleton, header_text, is_mailbox
from router.core.errors import FailureClass, Refused
from router.wire import HttpWire
from tests.channels.contract.email import TABLE

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=120) | st.text(
    alphabet="ab=?_. \t\n\r\u00e9\u200d🎉\u2028From-", max_size=200
)
HEADER_TEXT = ANY_TEXT.map(header_text)


def parse(raw: bytes) -> EmailMessage:
    """Read a message, sure of what every relay demands: CRLF only, short lines, seven bits."""
    assert raw.endswith(b"\r\n")
    assert raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.isascii()
    message = BytesParser(policy=policy.default).parsebytes(raw)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def skeleton(**changes: str) -> Skeleton:
    return Skeleton(**({"from_name": "Example Union", "from_address": "news@example.org"} | changes))  # type: ignore[arg-type]


@given(text=ANY_TEXT, html=ANY_TEXT.filter(bool), subject=ANY_TEXT)
def test_what_was_written_is_what_is_read(text: str, html: str, subject: str) -> None:
    message = parse(skeleton().build(TABLE.message(text=text, html=html, subject=subject)))
    plain, rich = message.iter_parts()
    assert lines(plain.get_content()) == lines(text)
    assert lines(rich.get_content()) == lines(html)
    assert message["Subject"] == header_text(subject)
    assert message.keys() == [
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    ]  # fmt: skip


@given(text=ANY_TEXT)
def test_a_message_without_html_is_plain(text: str) -> None:
    message = parse(skeleton().build(TABLE.message(text=text)))
    assert message.get_content_type() == "text/plain"
    assert lines(message.get_content()) == lines(text) + "\n"


@given(name=HEADER_TEXT)
def test_a_senders_name_survives(name: str) -> None:
    raw = skeleton(from_name=name).build(TABLE.message())
    [sender] = parse(raw)["From"].addresses
    assert sender.addr_spec == "news@example.org"
    # The newer parser puts blanks between the encoded words of a long name, the older one does not.
    shown, address = parseaddr(BytesParser(policy=policy.compat32).parsebytes(raw)["From"])
    assert address == "news@example.org"
    assert str(make_header(decode_header(shown))).split() == name.split()


@given(
    part=st.sampled_from(["subject", "from_name"]),
    before=ANY_TEXT,
    end=st.sampled_from(["\r", "\n", "\r\n", "\x00", "\x0b", "\x85"]),
)
def test_nobody_writes_a_header_of_their_own(part: str, before: str, end: str) -> None:
    evil = f"{before}{end}Bcc: everybody@example.com{end}{end}evil body"
    if part == "subject":
        raw = skeleton().build(TABLE.message(subject=evil))
    else:
        raw = skeleton(from_name=evil).build(TABLE.message())
    message = parse(raw)
    assert "Bcc" not in message
    assert message.get_content() == "Come on Saturday!\r\n"


@pytest.mark.parametrize(
    "address",
    [
        "a@example.net\r\nBcc: b@example.net",
        "a@example.net>\r\nDATA",
        "a@example.net> SIZE=1",
        "a@b@example.net",
        "a,b@example.net",
        "a b@example.net",
        '"a"@example.net',
        "\ud800@example.net",
        "a@",
        "@example.net",
        "a",
        "",
    ],
)
async def test_an_address_cannot_leave_its_place(address: str) -> None:
    assert not is_mailbox(address)
    channel = TABLE.open(HttpWire(), host="127.0.0.1", port="1")
    with pytest.raises(Refused) as caught:
        await channel.send(dataclasses.replace(TABLE, to=address).message())
    assert caught.value.failure is FailureClass.ADDRESS_DEAD


@pytest.mark.parametrize("url", ["https://a/>\r\nBcc: x", "https://a/ b", "https://a/ä", "https://a/>,<b"])
def test_an_unsubscribe_address_cannot_leave_its_place(url: str) -> None:
    with pytest.raises(Refused) as caught:
        skeleton().build(TABLE.message(unsubscribe_url=url))
    assert caught.value.failure is FailureClass.SENDER_CONFIG


def test_the_same_delivery_has_the_same_bytes() -> None:
    message = TABLE.message(html="<p>x</p>", unsubscribe_url="https://router.example.org/u/1")
    assert skeleton().build(message) == skeleton().build(message)


def test_lines_that_mail_stores_would_change_are_quoted() -> None:
    raw = skeleton().build(TABLE.message(text="From here on\n\nFrom there"))
    assert re.search(rb"(?m)^From ", raw.partition(b"\r\n\r\n")[2]) is None
