"""Codes by which people join: JOIN DINNERS by reply, ``/join/DINNERS`` as a page, a QR code on a poster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.joining_links import page_link, sms_link
from router.core.audience import ShortText
from router.core.errors import BadInput, NotAllowed, NotFound
from router.runtime import Runtime
from router.store.bulk import insert_new_rows
from router.store.campaigns import write_audit
from router.store.tables import join_code, member_tag

CODE = re.compile(r"[A-Z0-9][A-Z0-9_-]{1,31}")
"""Capitals and digits: what a thumb can write, what ``t.me/BOT?start=`` carries and what needs no escape in a link."""

LONGEST_STEP = 160
"""Characters of a first step: with it a welcome is three text messages at most."""

Number = Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)]


class JoinCodeIn(BaseModel):
    """A new way in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, Field(pattern=rf"^{CODE.pattern}$")]
    """What people write after JOIN: 2 to 32 capitals and digits. Never used again once it was closed."""
    title: ShortText
    """What they join, in a few words; they read it when they are asked to confirm."""
    campaign_id: Number = 0
    """The campaign that they come through, which may ask them more in their first days; 0 for none."""
    tags: Annotated[list[ShortText], Field(max_length=20)] = []
    """Whoever joins by it gets these."""
    first_step: Annotated[str, Field(max_length=LONGEST_STEP), AfterValidator(str.strip)] = ""
    """What the welcome asks them to do first; a general sentence where it is left out."""


class JoinCodeView(BaseModel):
    """A way in, and how many came by it."""

    model_config = ConfigDict(frozen=True)

    code: str
    title: str
    campaign_id: int
    tags: list[str]
    first_step: str
    created_by: str
    created_at: datetime
    closed_at: datetime | None
    link: str
    """The page with the form; ``.svg`` behind it is its QR code."""
    sms: str
    """A link that opens a phone's messages with the words filled in; "" where no number of ours can be written to."""
    joined: int
    """How many were welcomed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A code as joining needs it."""

    code: str = ""
    title: str = ""
    campaign_id: int = 0
    tags: tuple[str, ...] = ()
    first_step: str = ""
    closed: bool = False
    passed_by: int = 0
    """In place of a code: the member whose link brought them (`community.forwarding`); 0 for none."""


async def create_code(runtime: Runtime, body: JoinCodeIn, *, by: str, now: datetime) -> JoinCodeView:
    """Open a way in. Raises `BadInput`, or `NotAllowed` where there is, or was, one of this name."""
    understood = runtime.keywords.classify(f"JOIN {body.code}")
    if understood.kind != "join" or understood.value != body.code:
        raise BadInput("this code would be read as an everyday word after JOIN; choose another", place="code")
    (audit_id,) = await runtime.store.take_ids(1)
    tags = list(dict.fromkeys(" ".join(tag.lower().split()) for tag in body.tags))

    async def work(connection: AsyncConnection) -> None:
        known = await connection.scalar(text("SELECT 1 FROM campaign WHERE id = :id"), {"id": body.campaign_id})
        if body.campaign_id and known is None:
            raise BadInput(f"there is no campaign {body.campaign_id}", place="campaign_id")
        if await read_code(connection, body.code) is not None:
            raise NotAllowed(f"{body.code} is in use, or was; what is printed stays printed, so choose another code")
        await connection.execute(
            insert(join_code).values(
                code=body.code, title=body.title, campaign_id=body.campaign_id, tags=tags, first_step=body.first_step,
                created_by=by, created_at=now,
            )
        )  # fmt: skip
        await write_audit(
            connection, audit_id, who=by, what="join_code.create", subject=body.code, detail={"tags": tags}, now=now
        )

    await runtime.store.transact(work)
    return await view_code(runtime, body.code)


async def close_code(runtime: Runtime, code: str, *, by: str, now: datetime) -> JoinCodeView:
    """Let nobody in by it any more. Raises `NotFound`; a second time changes nothing."""
    (audit_id,) = await runtime.store.take_ids(1)
    name = code.strip().upper()

    async def work(connection: AsyncConnection) -> None:
        if await read_code(connection, name) is None:
            raise NotFound(f"there is no join code {name[:40]}")
        closed = join_code.update().where(join_code.c.code == name, join_code.c.closed_at.is_(None))
        if (await connection.execute(closed.values(closed_at=now))).rowcount:
            await write_audit(connection, audit_id, who=by, what="join_code.close", subject=name, detail={}, now=now)

    await runtime.store.transact(work)
    return await view_code(runtime, name)


async def list_codes(
    runtime: Runtime, *, only: str = "", environment: Mapping[str, str] | None = None
) -> list[JoinCodeView]:
    """All of them, open ones first, the newest first; `only` one of this name."""
    chosen = select(join_code).order_by(join_code.c.closed_at.is_not(None), join_code.c.created_at.desc())
    async with runtime.store.read() as connection:
        rows = (await connection.execute(chosen.where(join_code.c.code == only) if only else chosen)).all()
        counted = await connection.execute(
            text("SELECT code, count(DISTINCT member_id) AS n FROM joined WHERE welcomed_at IS NOT NULL GROUP BY code")
        )
        joined = {row.code: row.n for row in counted}
    return [
        JoinCodeView(
            code=row.code, title=row.title, campaign_id=row.campaign_id, tags=row.tags, first_step=row.first_step,
            created_by=row.created_by, created_at=row.created_at, closed_at=row.closed_at,
            link=page_link(runtime, row.code), sms=sms_link(runtime, row.code, environment),
            joined=joined.get(row.code, 0),
        )
        for row in rows
    ]  # fmt: skip


async def view_code(runtime: Runtime, code: str, *, environment: Mapping[str, str] | None = None) -> JoinCodeView:
    """One of them. Raises `NotFound`."""
    found = await list_codes(runtime, only=code.strip().upper(), environment=environment)
    if not code.strip() or not found:
        raise NotFound(f"there is no join code {code.strip().upper()[:40]}; `outreach join-code list` shows those")
    return found[0]


async def read_code(connection: AsyncConnection, code: str) -> Code | None:
    """The code of this name, open or closed; None where there is none."""
    if CODE.fullmatch(code.upper()) is None:
        return None
    row = (await connection.execute(select(join_code).where(join_code.c.code == code.upper()))).one_or_none()
    return None if row is None else _code(row)


async def only_open_code(connection: AsyncConnection) -> Code | None:
    """The one that is open; None where there is none, or more than one: then nobody can tell which was meant."""
    rows = (await connection.execute(select(join_code).where(join_code.c.closed_at.is_(None)).limit(2))).all()
    return _code(rows[0]) if len(rows) == 1 else None


async def give_tags(connection: AsyncConnection, member_id: int, code: Code) -> None:
    """The tags of whoever joins by `code`."""
    rows = [(tag, member_id) for tag in code.tags]
    await insert_new_rows(connection, member_tag, ("tag", "member_id"), rows, returning="member_id")


def _code(row: Any) -> Code:
    return Code(
        code=row.code, title=row.title, campaign_id=row.campaign_id, tags=tuple(row.tags), first_step=row.first_step,
        closed=row.closed_at is not None,
    )  # fmt: skip
