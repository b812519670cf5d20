"""Phone numbers and mailboxes: from what people type to the one form under which we know an address.

Nothing here ever repeats an address in an error.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult

from router.core.errors import BadAddress
from router.core.zones import COUNTRY_ALIASES

FICTION = re.compile(
    # NANPA, "555 line number guidelines" (ATIS-0300115): 555-0100 to 555-0199 in every geographic area code are kept
    # for fiction. Area codes are N[0-8]X; N11 and the premium code 900 are no geographic ones.
    r"\+1(?!900)[2-9](?!11)[0-8][0-9]55501[0-9]{2}"
    # Ofcom, "Telephone numbers for use in TV and radio drama programmes": 07700 900000 to 900999.
    r"|\+447700900[0-9]{3}"
    # Arcep, décision 2018-0881: 06 39 98 00 00 to 06 39 98 99 99 are kept for audiovisual works.
    r"|\+3363998[0-9]{4}"
)
"""Numbers reserved for fiction: they reach nobody, so samples and tests use them. The library calls some invalid."""

_LONGEST = 100
_OTHER_LONGEST = 2_000
_EMAIL_LONGEST = 254  # RFC 5321 4.5.3.1.3 less the angle brackets

# The national part of these never begins with a trunk prefix, so they need no parsing, only the check.
_CANONICAL = re.compile(r"\+(?:(1)([2-9][0-9]{9})|(44)(7[0-9]{9}))")
_SPREADSHEET = re.compile(r"[+-]?[0-9](?:[.,][0-9]*)?e[+-]?[0-9]{1,3}|#+|#[a-z]+[!?]", re.IGNORECASE)
_FLOAT = re.compile(r"(\+?[0-9]{7,15})[.,]0")
_NUMBER = re.compile(r"[+0-9][0-9 ()\[\]./~\u2010-\u2015\u2212\u30fc-]*")
_EXTENSION = re.compile(r"[0-9) ](?:;? ?ext?n?|;? ?#|,| ?x)[ .:=]*[0-9]{1,7}#?\Z", re.IGNORECASE)
_COSTLY = frozenset({PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST})


_WHY_NOT_POSSIBLE = {
    ValidationResult.INVALID_COUNTRY_CODE: "this phone number's country code does not exist",
    ValidationResult.TOO_SHORT: "this phone number is too short; write it in full, with its country code (+1 …, +44 …)",
    ValidationResult.TOO_LONG: "this phone number is too long; check for extra digits or two numbers in one field",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "this phone number lacks its area code",
    ValidationResult.INVALID_LENGTH: "this phone number has a wrong number of digits",
}
_WHY_NOT_PARSED = {
    NumberParseException.INVALID_COUNTRY_CODE: _WHY_NOT_POSSIBLE[ValidationResult.INVALID_COUNTRY_CODE],
    NumberParseException.TOO_LONG: _WHY_NOT_POSSIBLE[ValidationResult.TOO_LONG],
}

_DOT_ATOM = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


def parse_phone(raw: str, region: str) -> str:
    """E.164 of a phone number as people write it; numbers without a country code belong to `region` (ISO 3166).

    Raises `BadAddress` for what cannot exist, costs the caller extra, or was destroyed by a spreadsheet. Numbers
    reserved for fiction are accepted.
    """
    found = _CANONICAL.fullmatch(raw)
    if found:
        if FICTION.fullmatch(raw):
            return raw
        code, national = (found[1], found[2]) if found[1] else (found[3], found[4])
        return _checked(PhoneNumber(country_code=int(code), national_number=int(national)), raw)
    return _parse_written(_tidy_phone(raw), COUNTRY_ALIASES.get(region.upper(), region.upper()))


def parse_email(raw: str) -> str:
    """A mailbox in the one form under which we know it.

    Takes off ``mailto:``, a display name with angle brackets, quotes and spaces. The domain goes to lower case and
    ASCII (IDNA). The part before the @ goes to lower case too: RFC 5321 2.4 lets a host tell cases apart, no host
    that people use does, and two spellings must not become two people. Raises `BadAddress`.
    """
    text = raw if raw.isascii() else _plain_text(raw)
    text = text.strip().lower()
    local, at, domain = text.partition("@")
    if at and domain.isascii() and len(text) <= _EMAIL_LONGEST and len(local) <= 64 and _DOT_ATOM.fullmatch(local):
        checked = _domain(domain)
        if checked is not None:
            return f"{local}@{checked}"
    return _parse_written_email(text)


def normalise(kind: str, raw: str, region: str) -> str:
    """The one form of an address of this kind: ``phone``, ``email``, or any other (a chat id, a device token)."""
    if kind == "phone":
        return parse_phone(raw, region)
    if kind == "email":
        return parse_email(raw)
    text = raw.strip()
    if not text:
        raise BadAddress("this address is empty")
    if len(text) > _OTHER_LONGEST:
        raise BadAddress(f"this address is longer than {_OTHER_LONGEST} characters")
    if not text.isprintable():
        raise BadAddress("this address has characters in it that cannot be printed")
    return text


def address_hash(key: bytes, kind: str, value: str) -> str:
    """The keyed hash of a normalised address: 22 characters of base64url, over 16 bytes of BLAKE2b.

    The same person, channel aside, has the same hash; without `key` it cannot be guessed from a list of numbers.
    """
    if not key:
        raise ValueError("address_hash needs a key")
    if len(key) > 64:
        key = blake2b(key).digest()
    text = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
    digest = blake2b(text, key=key, digest_size=16, person=b"outreach-address").digest()
    return urlsafe_b64encode(digest)[:22].decode("ascii")


def mask(value: str) -> str:
    """What a log may say of an address: ``+1•••0123``, ``a•••@example.org``."""
    local, at, domain = value.rpartition("@")
    if at:
        return f"{local[:1]}•••@{domain}"
    if value.startswith("+") and len(value) >= 10:
        return f"{value[:2]}•••{value[-4:]}"
    return f"{value[:1]}•••"


def _plain_text(raw: str) -> str:
    """`raw` without invisible characters, full-width forms narrow, every script's digits as 0–9."""
    text = unicodedata.normalize("NFKC", raw)
    return "".join(
        c if c.isascii() else str(unicodedata.decimal(c)) if c.isdecimal() else c
        for c in text
        if c.isascii() or unicodedata.category(c) != "Cf"
    )


def _tidy_phone(raw: str) -> str:
    """What is left of a cell when prefixes, quotes and the traces of spreadsheets are taken off."""
    if len(raw) > _LONGEST:
        raise BadAddress("this phone number is too long; check for extra digits or two numbers in one field")
    text = " ".join(_plain_text(raw).split())
    text = text.lstrip("=").strip("'\"`’‘“” ")
    if text[:4].lower() == "tel:":
        text = text[4:].partition(";phone-context")[0].strip()
    if not text:
        raise BadAddress("the phone number is empty")
    if _SPREADSHEET.fullmatch(text):
        raise BadAddress(
            "a spreadsheet destroyed this phone number (it turned it into a rounded figure); "
            "export it again with the column formatted as text"
        )
    whole = _FLOAT.fullmatch(text)
    text = whole[1] if whole else text
    if _EXTENSION.search(text):
        raise BadAddress("this phone number has an extension, and extensions get no messages; give a direct number")
    if not _NUMBER.fullmatch(text.lstrip("([")):
        raise BadAddress("this is not a phone number; write one number, digits only, with its country code")
    return text


def _parse_written(text: str, region: str) -> str:
    """Read a tidied number; ``00`` counts as ``+`` where it is not the region's own way of dialling abroad."""
    try:
        return _read(text, region)
    except BadAddress:
        if not text.startswith("00"):
            raise
        return _read("+" + text[2:], region)


def _read(text: str, region: str) -> str:
    try:
        number = phonenumbers.parse(text, region or None)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE and not text.startswith("+"):
            raise BadAddress("this phone number needs its country code in front (+1 …, +44 …)") from None
        raise BadAddress(_WHY_NOT_PARSED.get(error.error_type, _WHY_NOT_POSSIBLE[ValidationResult.TOO_SHORT])) from None
    return _checked(number, phonenumbers.format_number(number, PhoneNumberFormat.E164))


def _checked(number: PhoneNumber, written: str) -> str:
    """`written`, the number in E.164, if it may exist and may be written to."""
    if FICTION.fullmatch(written):
        return written
    kind = phonenumbers.number_type(number)
    if kind in _COSTLY:
        raise BadAddress("this is a premium-rate number, which is nobody's own phone")
    if kind == PhoneNumberType.UNKNOWN:
        why = phonenumbers.is_possible_number_with_reason(number)
        raise BadAddress(_WHY_NOT_POSSIBLE.get(why, "no such phone number can exist; check it for typing errors"))
    return written


@lru_cache(maxsize=16_384)
def _domain(domain: str) -> str | None:
    """A mail domain in lower-case ASCII, or None if it cannot exist. Remembered, because people share a few."""
    if "." not in domain:
        return None
    try:
        checked = validate_email(f"a@{domain}", check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return checked.ascii_domain.lower()


def _parse_written_email(text: str) -> str:
    """Read a mailbox that is not written plainly, or say what is wrong with it."""
    text = text.strip("'\"`’‘“”,; ").removeprefix("mailto:").partition("?subject=")[0].strip()
    if text.endswith(">"):
        text = text[:-1].rpartition("<")[2].strip().removeprefix("mailto:")
    if not text:
        raise BadAddress("the mailbox is empty")
    local, at, domain = text.rpartition("@")
    if not at:
        raise BadAddress("this mailbox has no @ in it")
    if "@" in local:
        raise BadAddress("there is more than one @ in this field; give one mailbox")
    if "." not in domain:
        raise BadAddress("the part of this mailbox after the @ is no full domain, such as example.org")
    if not local.isascii():
        raise BadAddress("the part of this mailbox before the @ has letters that most mail servers refuse")
    checked = _domain(domain) if len(domain) <= _EMAIL_LONGEST else None
    if checked is None:
        raise BadAddress("the part of this mailbox after the @ is no domain that can exist; check it for typing errors")
    if len(local) > 64 or len(local) + 1 + len(checked) > _EMAIL_LONGEST:
        raise BadAddress("this mailbox is longer than any mail server takes")
    if not _DOT_ATOM.fullmatch(local):
        raise BadAddress("the part of this mailbox before the @ is misspelt; check dots, spaces and brackets")
    return f"{local}@{checked}"
