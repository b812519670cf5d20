"""From the cells of one row to a `MemberRecord`, with a sentence for each cell that cannot be used."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from router.records.columns import ColumnRules, Plan, fold, said
from router.records.dates import DateOrder, parse_moment
from router.records.ready import Report
from router.records.record import MAX_TAGS, OWN_CHANNELS, MemberRecord

_SPLIT = re.compile(r"[;,|\n]")
_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z0-9]{2,8}))?")
_CONSENTS = ("sms", "email", "whatsapp")
_BROKEN = "\ufffd"
_LIMITS = {"first_name": 200, "last_name": 200, "place": 200, "postcode": 20, "external_id": 200}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReader:
    """How the rows of one file are read."""

    plan: Plan
    rules: ColumnRules
    order: DateOrder
    now: datetime
    asks: bool = field(init=False)
    """Whether any column says something of consent."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "asks", bool(self.plan.fields.keys() & _CONSENT_FIELDS))

    def read(self, cells: list[str], report: Report) -> MemberRecord | None:
        """The person of one row; `report` is told of (column, sentence). None where nothing of it can be used."""
        row = _Cells(self.plan, cells, report)
        values: dict[str, Any] = {
            "phone": "" if self._is_dead(row, "phone") else row.short("phone", 100),
            "email": "" if self._is_dead(row, "email") else row.short("email", 320),
            "whatsapp": "" if self._is_answer(row, "whatsapp") else row.short("whatsapp", 100),
            "telegram": row.short("telegram", 200),
            "slack": row.short("slack", 200),
            "fcm": row.short("fcm", 2_100),
            "locale": self._locale(row),
            "country": self._country(row),
            "zone": row.take("zone"),
            "joined_at": self._moment(row, "joined_at"),
            "attributes": self._attributes(row),
        }
        for name, limit in _LIMITS.items():
            values[name] = row.short(name, limit)
        if not (values["first_name"] or values["last_name"]):
            values["first_name"], values["last_name"] = _split_name(row.short("name", 400))
        tags = row.take("tags")
        values["tags"] = [t for tag in _SPLIT.split(tags) if (t := tag.strip()[:200])][:MAX_TAGS] if tags else []
        order = row.take("channel_order")
        values["channel_order"] = (
            [_channel(c) for c in re.split(r"[;,|/>\n]", order) if c.strip()][:20] if order else []
        )
        values["consents"] = list(self._consents(row, values))
        try:
            return MemberRecord.model_validate(values)
        except ValidationError as error:
            for problem in error.errors():
                report(self.plan.header(str(problem["loc"][0])), f"cannot be used: {problem['msg'].lower()}")
            return None

    # ── single fields ─────────────────────────────────────────────────────────────────────────────────────────────

    def _locale(self, row: _Cells) -> str:
        text = row.take("locale")
        if not text:
            return ""
        if found := self.rules.languages.get(fold(text)):
            return found
        match = _LOCALE.fullmatch(text)
        if not match:
            row.complain("locale", "is no language such as en, es-MX or Spanish; it was left out")
            return ""
        return match[1].lower() + (f"-{match[2].upper() if len(match[2]) == 2 else match[2]}" if match[2] else "")

    def _country(self, row: _Cells) -> str:
        text = row.take("country")
        if not text:
            return ""
        code = self.rules.countries.get(fold(text)) or text.upper()
        if len(code) == 2 and code.isascii() and code.isalpha():
            return code
        row.complain("country", "is not known; write the two letters of ISO 3166, such as US or DE. It was left out")
        return ""

    def _attributes(self, row: _Cells) -> dict[str, str]:
        found = {}
        for name, value in row.attributes:
            if len(value) > 2_000:
                row.report(name, "is longer than 2,000 characters; it was left out")
            else:
                found[name] = value
        return found

    def _moment(self, row: _Cells, field: str) -> datetime | None:
        text = row.take(field)
        if not text or self._said(text) == "unsaid":
            return None
        try:
            moment = self._parse(text)
        except (ValueError, OverflowError):
            row.complain(field, "is no date such as 2026-03-31; it was left out")
            return None
        if moment > self.now:
            row.complain(field, "lies in the future; it was left out")
            return None
        return moment

    def _parse(self, text: str) -> datetime:
        return _parse_moment(text, self.order)

    def _said(self, text: str) -> str | None:
        return said(self.rules, text) if len(text) <= 40 else None

    def suppressed(self, cells: list[str], report: Report) -> tuple[str, str, datetime | None] | None:
        """(phone, mailbox, since when) of one row of an old tool's unsubscribes and bounces; None where it says that
        this person is still subscribed."""
        row = _Cells(self.plan, cells, lambda column, sentence: None)
        asked = ("consent", "email_consent", "sms_consent")
        answers = [self._answer(row, field) for field in asked]
        silent = [self._answer(row, field, turned=True) for field in _SILENT]
        states = [state for state, _ in (*answers, *silent)]
        if "granted" in states and "revoked" not in states:
            field = asked[states.index("granted")]
            report(self.plan.header(field), "this row says that the person is subscribed; it was not suppressed")
            return None
        moments = [at for _, at in (*silent, *answers) if at] + [self._moment(row, "consent_date")]
        row.report = report
        return row.short("phone", 100), row.short("email", 320), moments[0]

    def _is_dead(self, row: _Cells, address: str) -> bool:
        """Whether a column says that the phone or mailbox does not work. A date means yes."""
        text = row.take(f"{address}_dead")
        if not text or self._said(text) in ("no", "unsaid"):
            return False
        if row.take(address):
            row.complain(address, "does not work any more, says the file; it was left out")
        return True

    # ── consent ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _consents(self, row: _Cells, values: dict[str, Any]) -> list[dict[str, Any]]:
        if not self.asks:
            return []
        there = [c for c in ("sms", "email", "whatsapp", *OWN_CHANNELS) if values["phone" if c == "sms" else c]]
        general, general_at = self._answer(row, "consent")
        refused, refused_at = self._answer(row, "refused", turned=True)
        named = [_channel(c) for c in _SPLIT.split(row.take("consent_channel")) if c.strip()]
        asserted = self._moment(row, "consent_date")
        if general is None and named and asserted is not None:
            general = "granted"  # a channel and a day are a yes, also without a column that says so
        found = []
        for channel in dict.fromkeys((*_CONSENTS, *there, *named)):
            state, at = self._answer(row, f"{channel}_consent")
            if state is None and channel == "whatsapp" and self._is_answer(row, channel):
                state, at = self._answer(row, channel)
            if state is None and (channel in named if named else channel in there):
                state, at = general, general_at
            no, no_at = self._answer(row, f"{channel}_refused", turned=True)
            if no is None and refused == "revoked" and (channel in there or state is not None):
                no, no_at = refused, refused_at
            if no == "revoked":
                state, at = no, no_at
            elif state is not None:
                at = self._moment(row, f"{channel}_consent_date") or asserted or at
            reachable = channel in there or (channel == "whatsapp" and "sms" in there) or channel not in _CONSENTS
            if state is not None and reachable:
                found.append(self._consent(row, channel, state, at))
        return found

    def _consent(self, row: _Cells, channel: str, state: str, at: datetime | None) -> dict[str, Any]:
        source = row.take(f"{channel}_consent_source") or row.take("consent_source")
        if not source and state == "granted":
            source = self.plan.defaults.get("consent_source", "")
        wording = row.take(f"{channel}_consent_wording") or row.take("consent_wording")
        return {"channel": channel[:20], "state": state, "at": at, "source": source[:400], "wording": wording[:10_000]}

    def _is_answer(self, row: _Cells, field: str) -> bool:
        """Whether a cell that may hold a number says yes, no or since when instead."""
        text = row.take(field)
        if not text or self._said(text) is not None:
            return bool(text)
        try:
            self._parse(text)
        except (ValueError, OverflowError):
            return False
        return True

    def _answer(self, row: _Cells, field: str, *, turned: bool = False) -> tuple[str | None, datetime | None]:
        """``granted`` or ``revoked`` and when; a date means yes on that day. `turned`: a yes in this column is a no."""
        text = row.take(field)
        if not text:
            return None, None
        word = self._said(text)
        if word == "unsaid" or (turned and word == "no"):
            return None, None
        at = None
        if word is None:
            try:
                at = self._parse(text)
            except (ValueError, OverflowError):
                row.complain(field, "is neither yes, no nor a date; it was taken for no answer")
                return None, None
            if at > self.now:
                row.complain(field, "lies in the future; it was taken for no answer")
                return None, None
        return "revoked" if turned or word == "no" else "granted", at


_CONSENT_FIELDS = frozenset(
    ["consent", "refused", "consent_channel", "whatsapp"]
    + [f"{channel}_{what}" for channel in _CONSENTS for what in ("consent", "refused")]
)


_SILENT = ("refused", "email_refused", "sms_refused", "email_dead", "phone_dead")


class _Cells:
    """The cells of one row by field: the first of a field's columns that is not empty, trimmed."""

    __slots__ = ("_plan", "_values", "attributes", "report")

    def __init__(self, plan: Plan, cells: list[str], report: Report) -> None:
        self._plan = plan
        self.report = report
        self._values: dict[str, str] = {}
        count = len(cells)
        for name, places in plan.fields.items():
            for place in places:
                if place < count and (text := cells[place].strip()) and self._is_readable(text, place):
                    self._values[name] = text
                    break
        self.attributes = [
            (name, text.replace("\r\n", "\n").replace("\r", "\n"))
            for place, name in plan.attributes
            if place < count and (text := cells[place].strip()) and self._is_readable(text, place)
        ]

    def _is_readable(self, text: str, place: int) -> bool:
        if _BROKEN in text:
            self.report(self._plan.headers[place], "has characters that are not in this encoding; it was left out")
            return False
        return True

    def take(self, field: str) -> str:
        """What the row says of a field, "" where it says nothing."""
        return self._values.get(field, "")

    def short(self, field: str, limit: int) -> str:
        """The same on one line, if it is not too long to be meant."""
        text = self._values.get(field, "")
        if len(text) > limit:
            self.complain(field, f"is longer than {limit} characters; it was left out")
            return ""
        return " ".join(text.split()) if "\n" in text or "  " in text else text

    def complain(self, field: str, sentence: str) -> None:
        """Report a field under the name that the file gives it."""
        self.report(self._plan.header(field), sentence)


def _split_name(full: str) -> tuple[str, str]:
    """First and last name of a name in one column: ``Lee, Ann`` or ``Ann Lee``."""
    last, comma, first = full.partition(",")
    if comma:
        return first.strip()[:200], last.strip()[:200]
    first, _, last = full.partition(" ")
    return first[:200], last[:200]


_CHANNEL_WORDS = {
    "text": "sms", "texts": "sms", "textmessage": "sms", "phone": "sms", "mobile": "sms", "cell": "sms",
    "mail": "email", "emails": "email", "emailaddress": "email", "wa": "whatsapp",
}  # fmt: skip


@lru_cache(maxsize=1_000)
def _channel(word: str) -> str:
    folded = fold(word)
    return _CHANNEL_WORDS.get(folded, folded)


@lru_cache(maxsize=10_000)
def _parse_moment(text: str, order: DateOrder) -> datetime:
    return parse_moment(text, order)
