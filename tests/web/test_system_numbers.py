"""The numbers of a real blast, as Prometheus asks for them; and that board and alarms name no others."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from router.competing import next_route
from router.fanout import route_range_of
from router.gauges import FRESH, MOST_CAMPAIGNS, Gauges
from router.launch import start_due_campaigns
from router.runtime import Runtime
from router.store.engine import now_ms_sql
from router.tending import tend
from router.web.auth import create_token
from router.web.system import serve_metrics
from tests.support.movement import Movement, everywhere
from tests.support.redis import own_redis

DOCS = Path(__file__).parents[2] / "docs" / "observability"
PROMETHEUS = {"instance", "job", "le"}
"""Labels that Prometheus itself adds."""

Scrape = dict[str, dict[tuple[tuple[str, str], ...], float]]
"""Sample → its labels → its value."""


async def test_a_blast_in_numbers_and_no_board_or_alarm_names_others(sqlite_url: str) -> None:
    async with everywhere(sqlite_url) as movement, movement.runtime.metrics.watching_loop():
        before, after, own = await _blast(movement)
    sms = {"channel": "sms"}
    assert value(before, "outreach_queue_rows", lane="normal", **sms) == 29
    assert value(before, "outreach_queue_oldest_seconds", lane="normal", **sms) >= 300
    assert 60 <= value(before, "outreach_lease_expired_seconds") < 120
    assert 0 <= value(before, "outreach_worker_seen_seconds") < 60
    assert value(before, "outreach_sender_rests", sender="main/…0100", **sms) == 1
    assert value(before, "outreach_lease_takeovers_total", **sms) == 0
    assert value(before, "outreach_database_connections", state="most") == 20
    assert before["outreach_redis_away"] == {(): 0}, "none is set up"

    assert value(after, "outreach_routed_total", result="queued") == 59
    assert value(after, "outreach_routed_total", result="suppressed") == 1
    assert value(after, "outreach_outcomes_total", outcome="sent", failure="", **sms) == 59
    assert value(after, "outreach_sender_sends_total", sender="main", **sms) == 59
    assert value(after, "outreach_claim_rows_sum", **sms) == 59
    assert value(after, "outreach_lease_takeovers_total", **sms) == 1
    assert value(after, "outreach_received_total", kind="delivered", **sms) == 59
    assert value(after, "outreach_received_total", kind="inbound", **sms) == 1
    assert value(after, "outreach_opt_outs_total", **sms) == 1
    assert value(after, "outreach_group_commit_events_sum") == sum(after["outreach_received_total"].values())
    hooks = value(after, "outreach_http_requests_total", room="hooks", status="2xx")
    assert value(after, "outreach_webhook_seconds_count", **sms) == hooks >= 60
    assert after["outreach_transaction_seconds_count"].keys() == {(("kind", "read"),), (("kind", "write"),)}

    assert own["outreach_outcomes_total"] == after["outreach_outcomes_total"]
    assert "outreach_queue_rows" not in own, "what the ledger says is told by the web server alone"
    assert not re.search(r"336\d{3}|Ana\d|Dinner", json.dumps([list(map(str, one)) for one in after.values()]))

    named = list(_expressions())
    assert len(named) > 40
    seen = {name: {**before[name], **after[name]} for name in {*before, *after}}
    for place, expression in named:
        _exists(place, expression, seen)


async def _blast(movement: Movement) -> tuple[Scrape, Scrape, Scrape]:
    """Thirty are asked, one says STOP, and they are asked again by a worker that dies and one that goes on.

    What the web server tells before the second goes on and after, and what that worker tells itself.
    """
    runtime, now = movement.runtime, movement.clock
    await movement.add_members(30)
    await _send(movement, await movement.launch(), 30)
    [(phone,)] = await movement.execute("SELECT value FROM address ORDER BY id LIMIT 1")
    movement.sandbox.phones.reply(phone, "STOP")
    await movement.until(lambda: _is_silent(movement))

    again = await movement.launch()
    await start_due_campaigns(runtime, now=now())
    while (prepared := await next_route(runtime)) is not None:
        await route_range_of(runtime, prepared, now=now())
    ago = f"{now_ms_sql('sqlite')} - 60000"
    await movement.execute(
        f"UPDATE batch SET owner = 'dead', leased_until = {ago}, not_before = not_before - 300000 WHERE open"
    )
    await movement.execute(
        "INSERT INTO sender (channel, account, name, state, reason, until, weight, updated_at)"
        " VALUES ('sms', 'main', '+12025550100', 'open', 'down', :until, 1, 0)",
        until=int(now().timestamp() * 1000) + 600_000,
    )
    await tend(runtime, "worker-1", now=now())
    token = await create_token(runtime.store, "tests", "campaigns:read", now())
    headers = {"Authorization": f"Bearer {token}"}
    runner = await serve_metrics(runtime, "127.0.0.1", 0)
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession() as session:
        before = await scrape(session, f"{runtime.settings.public_url}/metrics", headers)
        await _send(movement, again, 29)
        after = await scrape(session, f"{runtime.settings.public_url}/metrics", headers)
        own = await scrape(session, f"http://{host}:{port}/metrics", {})
    await runner.cleanup()
    return before, after, own


async def _send(movement: Movement, campaign: int, count: int) -> None:
    """Until all of it is delivered, and every receipt of it is in."""
    await movement.work()
    await movement.sandbox.idle()

    async def delivered() -> bool:
        return (await movement.statuses(campaign)).get("delivered") == count

    await movement.until(delivered)


async def _is_silent(movement: Movement) -> bool:
    return bool(await movement.execute("SELECT 1 FROM suppression"))


async def scrape(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> Scrape:
    found: Scrape = defaultdict(dict)
    async with session.get(url, headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        for family in text_string_to_metric_families(await response.text()):
            for sample in family.samples:
                found[sample.name][tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(found: Scrape, name: str, **labels: str) -> float:
    """One sample; 0 where there is none of a counter that is there."""
    return found[name].get(tuple(sorted(labels.items())), 0.0)


def _expressions() -> Iterator[tuple[str, str]]:
    """Every query of the board and of the alarms, with its place."""
    board = json.loads((DOCS / "grafana.json").read_text("utf-8"))
    for panel in board["panels"]:
        assert panel["datasource"]["uid"] == "${source}"
        assert panel["description"], panel["title"]
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for group in yaml.safe_load((DOCS / "alerts.yml").read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            assert {"summary", "action"} <= rule["annotations"].keys(), rule["alert"]
            yield rule["alert"], rule["expr"]


def _exists(place: str, expression: str, found: Scrape) -> None:
    """Every name in a query is one of a sample's, and every label beside it one of that sample's."""
    names = re.findall(r"\b((?:outreach|process)_\w+)(?:\{([^}]*)\})?", expression)
    assert names or expression.startswith("up{"), f"{place}: {expression}"
    labels = set(PROMETHEUS)
    for name, selectors in names:
        assert found.get(name), f"{place}: nothing tells {name}"
        own = {label for sample in found[name] for label, _ in sample}
        chosen = set(re.findall(r"(\w+)\s*[=!]~?\s*\"", selectors))
        assert chosen <= own | PROMETHEUS, f"{place}: {name} has no {chosen - own}"
        labels |= own
    for listed in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression):
        assert set(re.split(r",\s*", listed)) <= labels, f"{place}: {listed}"


async def test_redis_that_does_not_answer_is_told_until_it_does(sqlite_url: str) -> None:
    rules = yaml.safe_load((DOCS / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
    [alarm] = [rule["expr"] for rule in rules if rule["alert"] == "OutreachRedisAway"]
    assert alarm == "max by (instance) (outreach_redis_away) == 1"
    async with own_redis() as server, everywhere(sqlite_url, redis_url=server.url) as movement:
        moment = 0.0
        gauges = Gauges(movement.runtime, clock=lambda: moment)

        async def told() -> list[float]:
            nonlocal moment
            moment += FRESH
            families = {family.name: family for family in await gauges.families(now=movement.clock())}
            return [sample.value for sample in families["outreach_redis_away"].samples]

        assert await told() == [0]
        server.freeze()  # connections stay, and nobody answers
        assert await told() == [1]
        server.thaw()
        assert await told() == [0]
        server.kill()
        assert await told() == [1]
        server.start()
        assert await told() == [0]


async def test_campaigns_are_told_by_number_only_while_they_go_on(runtime: Runtime) -> None:
    rows: list[dict[str, Any]] = [
        {"id": number, "status": "running" if number > 5 else "finished"} for number in range(1, MOST_CAMPAIGNS + 8)
    ]
    async with runtime.store.write() as connection:
        await connection.execute(
            text(
                "INSERT INTO campaign (id, month, title, kind, status, created_by, created_at)"
                " VALUES (:id, 202611, 'a secret plan', 'ask', :status, 'x', 0)"
            ),
            rows,
        )
        await connection.execute(
            text("INSERT INTO tally (campaign_id, channel, status, reason, count) VALUES (:id, 'sms', 'sent', '', 3)"),
            rows,
        )
    moment = 100.0
    gauges = Gauges(runtime, clock=lambda: moment)
    families = {family.name: family for family in await gauges.families(now=runtime.clock())}
    told = {sample.labels["campaign"]: sample.value for sample in families["outreach_deliveries"].samples}
    assert told.pop("others") == 2 * 3
    assert set(told) == {str(number) for number in range(8, MOST_CAMPAIGNS + 8)}
    assert {s.labels["status"]: s.value for s in families["outreach_campaigns"].samples} == {
        "finished": 5, "running": MOST_CAMPAIGNS + 2,
    }  # fmt: skip

    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE campaign SET status = 'finished'"))
    for later, told_again in ((FRESH - 0.1, False), (FRESH, True)):
        moment = 100.0 + later
        [deliveries] = [one for one in await gauges.families(now=runtime.clock()) if one.name == "outreach_deliveries"]
        assert (deliveries.samples == []) is told_again, "the ledger is asked at most every five seconds"
