"""What the operator should look at: senders that rest, and notices that nobody has cleared."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import NotFound
from router.core.standing import State
from router.runtime import Runtime
from router.store.campaigns import write_audit
from router.store.notices import clear
from router.store.standings import read_standings
from router.store.tables import notice


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class SenderView(_View):
    """How one sender does. One that was never out of the ordinary is in no list."""

    channel: str
    account: str
    name: str
    """Number or name of a pool; "" where the account has only one."""
    state: State
    reason: str
    until: datetime | None
    """When an open one is tried again."""
    weight: float
    """Its share of what its pool sends, beside the others'."""
    updated_at: datetime

    @property
    def label(self) -> str:
        """``sms/main``, or ``sms/main/+12025550100``."""
        return "/".join(part for part in (self.channel, self.account, self.name) if part)


class NoticeView(_View):
    """One thing to look at."""

    kind: str
    subject: str
    sentence: str
    count: int
    """How often it was noticed."""
    first_at: datetime
    last_at: datetime


async def list_senders(runtime: Runtime) -> list[SenderView]:
    """Every sender that was ever out of the ordinary, by channel."""
    async with runtime.store.read() as connection:
        return [SenderView.model_validate(row._asdict()) for row in await read_standings(connection)]


async def list_notices(runtime: Runtime, *, limit: int = 200) -> list[NoticeView]:
    """What nobody has cleared yet, the latest first."""
    query = select(notice).where(notice.c.cleared_at.is_(None)).order_by(notice.c.last_at.desc()).limit(limit)
    async with runtime.store.read() as connection:
        return [NoticeView.model_validate(row._asdict()) for row in await connection.execute(query)]


async def clear_notice(runtime: Runtime, kind: str, subject: str, *, by: str, now: datetime) -> None:
    """Somebody has seen to it; if it happens again, it comes back. Raises `NotFound`."""
    (audit_id,) = await runtime.store.take_ids(1)
    this = (notice.c.kind == kind, notice.c.subject == subject)

    async def work(connection: AsyncConnection) -> None:
        row = (await connection.execute(select(notice.c.cleared_at).where(*this))).one_or_none()
        if row is None:
            raise NotFound("there is no such notice")
        if row.cleared_at is not None:
            return
        await clear(connection, kind, subject, now=now)
        await write_audit(
            connection, audit_id, who=by, what="notice.clear", subject=subject, detail={"kind": kind}, now=now
        )

    await runtime.store.transact(work)
