"""``/healthz``, ``/readyz``, ``/metrics`` and ``/openapi.json``: what machines ask about this machine."""

from __future__ import annotations

from aiohttp import web
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select

from router.core.errors import Unavailable
from router.core.model import CampaignStatus
from router.store.engine import Store
from router.store.migrate import is_current
from router.store.tables import batch, campaign, tally
from router.web.auth import Open, Scope
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import OPENAPI

SYSTEM: Registry = []
endpoint = registrar(SYSTEM)


class Health(BaseModel):
    """That all is well; what is not is a problem document."""

    model_config = ConfigDict(frozen=True)

    status: str = "ok"


@endpoint("GET", "/healthz", access=Open.PUBLIC, reply=Health, summary="Whether this process lives")
async def healthz(call: Call) -> Health:
    return Health()


@endpoint(
    "GET", "/readyz", access=Open.PUBLIC, reply=Health, summary="Whether the database answers and is at our version"
)
async def readyz(call: Call) -> Health:
    if not await is_current(call.runtime.store):
        raise Unavailable("the database is not at this program's version; run `outreach migrate`", retry_after=10)
    return Health()


@endpoint("GET", "/openapi.json", access=Open.PUBLIC, reply="application/json", summary="This document")
async def openapi_json(call: Call) -> web.StreamResponse:
    return web.Response(body=call.request.app[OPENAPI], content_type="application/json")


@endpoint(
    "GET",
    "/metrics",
    access=Scope.CAMPAIGNS_READ,
    reply="text/plain",
    summary="Gauges for Prometheus. Needs a token: how a movement mobilises is not for everybody",
)
async def metrics(call: Call) -> web.StreamResponse:
    text = await _gauges(call.runtime.store)
    return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


async def _gauges(store: Store) -> str:
    going = (CampaignStatus.SCHEDULED.value, CampaignStatus.RUNNING.value, CampaignStatus.PAUSED.value)
    deliveries = (
        select(tally.c.campaign_id, tally.c.channel, tally.c.status, func.sum(tally.c.count).label("count"))
        .join(campaign, campaign.c.id == tally.c.campaign_id)
        .where(campaign.c.status.in_(going))
        .group_by(tally.c.campaign_id, tally.c.channel, tally.c.status)
        .order_by(tally.c.campaign_id, tally.c.channel, tally.c.status)
    )
    batches = (
        select(batch.c.channel, func.count().label("count"))
        .where(batch.c.open)
        .group_by(batch.c.channel)
        .order_by(batch.c.channel)
    )
    campaigns = select(campaign.c.status, func.count().label("count")).group_by(campaign.c.status)
    async with store.read() as connection:
        moved = (await connection.execute(deliveries)).all()
        waiting = (await connection.execute(batches)).all()
        states = (await connection.execute(campaigns.order_by(campaign.c.status))).all()
    lines = ["# HELP outreach_campaigns Campaigns by status.", "# TYPE outreach_campaigns gauge"]
    lines += [f'outreach_campaigns{{status="{row.status}"}} {row.count}' for row in states]
    lines += [
        "# HELP outreach_deliveries Deliveries of campaigns that are not over.",
        "# TYPE outreach_deliveries gauge",
    ]
    lines += [
        f'outreach_deliveries{{campaign="{row.campaign_id}",channel="{row.channel}",status="{row.status}"}} {row.count}'
        for row in moved
    ]
    lines += ["# HELP outreach_batches_open Batches with work left.", "# TYPE outreach_batches_open gauge"]
    lines += [f'outreach_batches_open{{channel="{row.channel}"}} {row.count}' for row in waiting]
    return "\n".join(lines) + "\n"
