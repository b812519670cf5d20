"""The rows of routing: what one decision costs, with every rule, as the movement grows; and a preview of all of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench import harness, ledgers
from bench.crowd import HISTORY
from bench.harness import announced
from bench.provider import Provider, provider
from bench.report import Row
from bench.rows import Bench, environment

_LABELS = {
    "sql": "one INSERT … SELECT, three rules",
    "batch": "batches of 1,000 in Python, no rules",
    "orm": "an ORM, one member at a time",
}


def routing_rows(bench: Bench, sizes: tuple[int, ...] = ()) -> list[Row]:
    """Members routed a second at some sizes, each with five times as many old deliveries, on both databases."""
    sizes = sizes or ((2_000, 20_000) if bench.quick else (10_000, 200_000))
    rows: list[Row] = []
    with provider(bench.cores) as sandbox:
        for kind in ("sqlite", "postgresql"):
            for members in sizes:
                try:
                    with crowded(bench, kind, members) as ledger:
                        rows += _routed(bench, sandbox, ledger, members)
                        if members == sizes[-1]:
                            rows.append(previewed(bench, sandbox, ledger, members))
                except LookupError as error:
                    bench.console.print(f"left out: {error}")
    return rows


@contextmanager
def crowded(bench: Bench, kind: str, members: int) -> Iterator[ledgers.Ledger]:
    ledger: ledgers.SqliteLedger | ledgers.PostgresLedger
    place = bench.folder / f"crowd-{kind}-{members}"
    place.mkdir()
    ledger = ledgers.SqliteLedger(place) if kind == "sqlite" else ledgers.PostgresLedger()
    try:
        with announced(bench.console, f"{members:,} members with a past into {ledger.name}"):
            harness.run(["-m", "bench.crowd", "--url", ledger.url, "--members", str(members)], core=bench.cores.sender)
        yield ledger
    finally:
        if isinstance(ledger, ledgers.PostgresLedger):
            ledger.drop()
        shutil.rmtree(place)


def _routed(bench: Bench, sandbox: Provider, ledger: ledgers.Ledger, members: int) -> list[Row]:
    rate: dict[str, float] = {}
    about: dict[str, str] = {}
    for what in ("ours", *_LABELS):
        with announced(bench.console, f"{what}: {members:,} members on {ledger.name}"), ledger.copy() as url:
            if what == "ours":
                found = harness.run(
                    ["-m", "bench.routing", what], core=bench.cores.sender, env=environment(bench, url, sandbox)
                )
                counts = ledger.query(url, "SELECT status, count(*) FROM delivery WHERE campaign_id > 1000 GROUP BY 1")
                assert sum(count for _, count in counts) == members, f"{counts}, wanted {members}"
                about["outcome"] = ", ".join(f"{count:,} {status}" for status, count in counts)
                rate[what] = members / found["seconds"]
            else:
                some = 200 if what == "orm" else members
                found = _yardstick(bench, what, url, some)
                rate[what] = some / found["seconds"]
    return [
        Row(
            name=f"route {members:,} {ledger.name}",
            value=rate["ours"],
            unit="members/s",
            better="more",
            yardstick=label,
            yardstick_value=rate[what],
            columns={
                **about,
                "ours": f"every rule, the trace, claims, purses, batches; {members * HISTORY:,} old deliveries",
                "others": bench.others,
            },
        )
        for what, label in _LABELS.items()
    ]


def _yardstick(bench: Bench, what: str, url: str, members: int) -> dict[str, Any]:
    arguments = ["-m", "bench.routing", what, "--url", url, "--members", str(members)]
    return harness.run(arguments, core=bench.cores.sender)


def previewed(bench: Bench, sandbox: Provider, ledger: ledgers.Ledger, members: int) -> Row:
    with announced(bench.console, f"preview of {members:,} members on {ledger.name}"), ledger.copy() as url:
        found = harness.run(
            ["-m", "bench.routing", "preview"], core=bench.cores.sender, env=environment(bench, url, sandbox)
        )
    assert found["members"] == members, found
    return Row(
        name=f"preview {members:,} {ledger.name}",
        value=found["seconds"],
        unit="s",
        better="less",
        columns={"what": "each decided as at a launch, each message put into words", "others": bench.others},
    )
