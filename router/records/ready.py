"""A record made ready for the ledger: addresses normalised and hashed, the name folded, consent weighed up front."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import phonenumbers

from router.core.address import address_hash, parse_email, parse_phone
from router.core.errors import BadAddress, BadInput
from router.core.model import UNRANKED, ConsentState
from router.core.own_addresses import parse_own
from router.core.zones import country_of_phone, known_zone, zone_of
from router.records.record import CHANNELS, OWN_CHANNELS, ConsentRecord, MemberRecord
from router.settings import MAIN

GRANTED, UNCONFIRMED, REVOKED, NONE = (
    ConsentState.GRANTED.value,
    ConsentState.UNCONFIRMED.value,
    ConsentState.REVOKED.value,
    ConsentState.NONE.value,
)

_AMERICAN = ("US", "PR", "GU", "VI", "AS", "MP")
"""The USA and their territories, where the TCPA holds too."""
_NORTH_AMERICA = frozenset(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1])
_PLAIN_AMERICAN = re.compile(r"(?:\+?1[ .-]?)?\(?([2-9][0-9]{2})\)?[ .-]{0,2}([2-9][0-9]{2})[ .-]?([0-9]{4})")
EVERY = (*CHANNELS, *OWN_CHANNELS)
_KINDS = {"sms": "phone", "whatsapp": "phone"}
"""channel → its kind of address, where that has another name."""
Report = Callable[[str, str], None]
"""Told of (field, sentence) for each part that cannot be used."""


class Claim(NamedTuple):
    """What is known of the consent for one address, ready to be weighed against what the ledger knows."""

    state: str
    basis: str
    source: str
    wording: str
    at: int | None
    """Milliseconds; None where nobody knows when."""
    unnamed: bool = False
    """Whether the record named no source, so that `source` only says which file or call it came in."""


class ReadyAddress(NamedTuple):
    """A normalised address of a person."""

    channel: str
    value: str
    hash: str
    rank: int
    claims: tuple[Claim, ...]
    account: str
    """The only account of ours that can write to it, "" for any."""
    needs_own_word: bool
    """A US number that only the file's basis stands for: texts need the person's own consent."""


class Ready(NamedTuple):
    """A person ready to be found, merged or made in the ledger."""

    line: int
    first_name: str
    last_name: str
    name_key: str
    locale: str
    zone: str
    zone_source: str
    country: str
    postcode: str
    place: str
    joined_at: int | None
    external_id: str | None
    tags: tuple[str, ...]
    attributes: Mapping[str, str]
    ranked: bool
    """Whether the person said which channel they like best."""
    addresses: tuple[ReadyAddress, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How records are read: the installation's secret and region, and what stands for all of them."""

    key: bytes
    region: str
    """ISO 3166 letters of the country whose numbers are written without +."""
    source: str
    """Where consent came from where the record does not say."""
    attested: Claim | None = None
    accounts: Mapping[str, Collection[str]] = field(default_factory=dict)
    """channel → its accounts, where it is set up."""


def name_key(first: str, last: str) -> str:
    """A name without case, accents, punctuation and doubled spaces: two records with the same one may be one person."""
    text = f"{first} {last}"
    if text.isascii():
        folded = text.lower()
    else:
        folded = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    if not folded.replace(" ", "").isalnum():
        # Combining vowels of Indic scripts are gone with the accents above; letters and digits of all scripts stay.
        folded = "".join(c if c.isalnum() else "" if c in "'’ʼ.`´" else " " for c in folded)
    return " ".join(folded.split())[:400]


def prepare(record: MemberRecord, reading: Reading, report: Report, *, line: int = 0) -> Ready:
    """Normalise what is there; parts that cannot be used are reported and left out."""
    country = record.country
    region = country if country in phonenumbers.SUPPORTED_REGIONS else reading.region
    phone = _address(_written_phone, record.phone, region, report=report, field="phone")
    email = _address(parse_email, record.email, report=report, field="email")
    zone, zone_source = _zone(record, phone, reading.region, report)
    return Ready(
        line=line,
        first_name=record.first_name.strip(),
        last_name=record.last_name.strip(),
        name_key=name_key(record.first_name, record.last_name),
        locale=record.locale,
        zone=zone,
        zone_source=zone_source,
        country=country,
        postcode=record.postcode.strip(),
        place=record.place.strip(),
        joined_at=_ms(record.joined_at),
        external_id=record.external_id.strip() or None,
        tags=tuple(dict.fromkeys(tag for raw in record.tags if (tag := " ".join(raw.lower().split())))),
        attributes={name: value for name, value in record.attributes.items() if value},
        ranked=bool(record.channel_order),
        addresses=tuple(_addresses(record, reading, phone, email, report)),
    )


def _written_phone(raw: str, region: str) -> str:
    """`parse_phone`, by a short cut for the way in which half the world's lists write numbers: ``(202) 555-0123``."""
    plain = _PLAIN_AMERICAN.fullmatch(raw)
    if plain and region in _NORTH_AMERICA:
        return parse_phone(f"+1{plain[1]}{plain[2]}{plain[3]}", region)
    return parse_phone(raw, region)


def _address(parse: Callable[..., str], raw: str, *rest: str, report: Report, field: str) -> str:
    if not raw or raw.isspace():
        return ""
    try:
        return parse(raw, *rest)
    except BadAddress as error:
        report(field, error.sentence)
        return ""


def _zone(record: MemberRecord, phone: str, region: str, report: Report) -> tuple[str, str]:
    if record.zone:
        if known_zone(record.zone) is not None:
            return record.zone, "given"
        report("zone", "is not an IANA time zone name such as Europe/Berlin; it was left out")
    # Postcodes look alike in many countries: ours is the best guess where neither country nor phone names another.
    postcode = record.postcode.strip()
    country = record.country or (region if postcode and not phone else "")
    return zone_of(country=country, postcode=postcode, phone=phone)


def _addresses(
    record: MemberRecord, reading: Reading, phone: str, email: str, report: Report
) -> Iterable[ReadyAddress]:
    order = _order(record, report)
    told: dict[str, list[ConsentRecord]] = {}
    for consent in record.consents:
        told.setdefault(consent.channel, []).append(consent)
    values = {"sms": phone, "email": email}
    if record.whatsapp:
        region = record.country if record.country in phonenumbers.SUPPORTED_REGIONS else reading.region
        values["whatsapp"] = _address(_written_phone, record.whatsapp, region, report=report, field="whatsapp")
    elif "whatsapp" in told or "whatsapp" in order:
        values["whatsapp"] = phone
    accounts = dict(_own(record, reading, values, report)) if record.telegram or record.slack or record.fcm else {}
    phone_hash = address_hash(reading.key, "phone", phone) if phone else ""
    for channel in told.keys() - {c for c, value in values.items() if value}:
        wanted = "mailbox" if channel == "email" else "phone number" if channel in CHANNELS else "address there"
        had = record.phone if channel in ("sms", "whatsapp") else getattr(record, channel) if channel in EVERY else ""
        if channel not in EVERY:
            report("consents", f"names a channel that is not known here; there are {', '.join(EVERY)}")
        elif not had:  # a bad address has been reported already
            report("consents", f"consent for {channel} needs a {wanted}")
    for channel, value in values.items():
        if not value:
            continue
        american = channel == "sms" and is_american(value, record.country)
        claims = [_claim(consent, reading.source) for consent in told.get(channel, ())]
        if not claims and reading.attested is not None and not american:
            claims = [reading.attested]
        yield ReadyAddress(
            channel=channel,
            value=value,
            hash=phone_hash if value is phone else address_hash(reading.key, _KINDS.get(channel, channel), value),
            rank=order.index(channel) if channel in order else UNRANKED,
            claims=tuple(claims) or (Claim("unconfirmed", "consent", reading.source, "", None, True),),
            account=accounts.get(channel, ""),
            needs_own_word=american and not claims and reading.attested is not None,
        )


def _own(record: MemberRecord, reading: Reading, values: dict[str, str], report: Report) -> Iterable[tuple[str, str]]:
    """Put the addresses that belong to accounts of ours into `values`; (channel, account) of each that can be used."""
    for channel in OWN_CHANNELS:
        raw = getattr(record, channel)
        if not raw or raw.isspace():
            continue
        try:
            value, account = parse_own(channel, raw)
        except BadAddress as error:
            report(channel, error.sentence)
            continue
        known = reading.accounts.get(channel)
        if known and (account or MAIN) not in known:
            report(channel, f"names an account of {channel} that is not here; there is {', '.join(sorted(known))}")
            continue
        values[channel] = value
        yield channel, account or MAIN


def _order(record: MemberRecord, report: Report) -> list[str]:
    order = []
    for channel in record.channel_order:
        if channel.strip().lower() in EVERY:
            order.append(channel.strip().lower())
        else:
            report("channel_order", f"names a channel on which no person can be entered; there are {', '.join(EVERY)}")
    return list(dict.fromkeys(order))


def _claim(consent: ConsentRecord, source: str) -> Claim:
    named = consent.source or source
    return Claim(consent.state, consent.basis.value, named, consent.wording, _ms(consent.at), not consent.source)


def is_american(phone: str, country: str) -> bool:
    """Whether US rules on texting cover this number: it is one of the USA, or +1 and its owner lives there.

    A +1 number that no country can be told of counts as one of the USA.
    """
    return phone.startswith("+1") and (country in _AMERICAN or country_of_phone(phone) in ("", *_AMERICAN))


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)


def refuse(field: str, sentence: str) -> None:
    """The `Report` of an API call: whatever cannot be used refuses the whole."""
    raise BadInput(sentence, place=field)
