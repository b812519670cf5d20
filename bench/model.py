"""``python -m bench model``: from measured costs and providers' limits to fifty million members.

The costs come from ``bench/out/latest.json`` (`make bench-large` writes them), rates and prices from
``config/channels.toml``. First it foretells the largest blast that was measured from the one to 10,000 and shows how
far that is off; then it reckons upwards from the largest.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import harness, report
from router.core.rates import ChannelRules, read_channel_rules

MIXES: Mapping[str, Mapping[str, float]] = {
    "mostly email": {"email": 0.8, "sms": 0.1, "telegram": 0.05, "fcm": 0.05},
    "five channels alike": {"email": 0.2, "sms": 0.2, "telegram": 0.2, "slack": 0.2, "fcm": 0.2},
    "texts only": {"sms": 1.0},
}
"""Share of the members on each channel."""
SIZES = (1_000_000, 10_000_000, 50_000_000)
DAY = 10.0
"""Hours of a day in which people may be written to: within every state's quiet hours (docs/FACTS.md 2.1)."""
BUSY = 0.6
"""How busy a core may be over such a day; the rest is for what comes back."""
SENDER: Mapping[str, tuple[float, str]] = {
    "sms": (80.0, "short code"),
    "email": (200.0, "quota of 200/s"),
    "telegram": (800.0, "bot with paid broadcasts"),
    "slack": (3.3, "workspace"),
    "fcm": (8_000.0, "project"),
}
"""Messages a second of one sender as large movements have them, at 80 % of what the provider publishes.

A short code's 80 (config/channels.toml, [sms]); a quota that SES grants on request, which has no published top
(docs/FACTS.md 1.6); 1,000/s of a bot with paid broadcasts (1.3); a workspace's several hundred a minute (1.4); 600,000
a minute and project (1.5).
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost."""

    members: int
    rate: float
    """Members a second, by one worker on one core."""
    cpu: float
    """Seconds for 1,000, of worker and database."""
    member: float
    """Bytes that a member takes."""
    message: float
    """Bytes that a message takes, with its attempt and all indexes."""


def costs(rows: list[dict[str, Any]], database: str) -> list[Cost]:
    """The small and the large run of ``bench-large`` on this database; raises LookupError where they are missing."""
    pattern = re.compile(rf"reach ([\d,]+) {database}")
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for row in rows:
        if named := pattern.fullmatch(row["name"]):
            found.setdefault(int(named[1].replace(",", "")), {})[row["unit"]] = row
    if not found:
        raise LookupError(f"nothing is measured on {database} yet: run `make bench-large`")
    members = max(found)
    units = ("members/s", "CPU s per 1,000", "bytes of member", "bytes of message")
    large = Cost(members, *(found[members][unit]["value"] for unit in units))
    small = Cost(10_000, *(found[members][unit]["yardstick_value"] or found[members][unit]["value"] for unit in units))
    return [small, large]


def checked(small: Cost, large: Cost, database: str) -> Table:
    """What the small run foretells of the large one, beside what was measured."""
    table = Table(title=f"{large.members:,} members on {database}, foretold from {small.members:,}")
    for column in ("", "foretold", "measured", "off by"):
        table.add_column(column, justify="left" if not column else "right")
    for what, unit, of in (
        ("minutes", 60.0, lambda cost: large.members / cost.rate),
        ("CPU minutes", 60.0, lambda cost: large.members * cost.cpu / 1000),
        ("database, GB", 1e9, lambda cost: large.members * (cost.member + cost.message)),
    ):
        foretold, measured = of(small) / unit, of(large) / unit
        table.add_row(what, f"{foretold:,.2f}", f"{measured:,.2f}", f"{(foretold / measured - 1) * 100:+.0f} %")
    return table


def receipt_cpu(rows: list[dict[str, Any]]) -> float:
    """CPU seconds of the web server for 1,000 receipts on PostgreSQL; 0 where that was not measured."""
    wanted = ("receipts by webhook, PostgreSQL", "CPU s per 1,000")
    return next((float(row["value"]) for row in rows if (row["name"], row["unit"]) == wanted), 0.0)


def reckoned(cost: Cost, receipt: float, rules: Mapping[str, ChannelRules]) -> Table:
    """Fifty million: how long, with how many senders and cores, how large and for how much."""
    table = Table(title=f"One ask to everybody, from the costs of {cost.members:,} on PostgreSQL")
    for column in ("members", "mix", "hours as shipped", f"senders for {DAY:g} h", "cores", "database, GB", "USD"):
        table.add_column(column, justify="left" if column in ("mix", f"senders for {DAY:g} h") else "right")
    for members in SIZES:
        for mix, shares in MIXES.items():
            each = {channel: members * share for channel, share in shares.items()}
            senders = {channel: math.ceil(count / (SENDER[channel][0] * DAY * 3600)) for channel, count in each.items()}
            table.add_row(
                f"{members:,}",
                mix,
                f"{max(count / rules[channel].rate for channel, count in each.items()) / 3600:,.0f}",
                ", ".join(f"{count:,} × {SENDER[channel][1]}" for channel, count in senders.items()),
                f"{max(1, math.ceil(members * (cost.cpu + receipt) / 1000 / (DAY * 3600 * BUSY)))}",
                f"{members * (cost.member + cost.message) / 1e9:,.0f}",
                f"{sum(rules[channel].price * count for channel, count in each.items()):,.0f}",
            )
    return table


def show(console: Console) -> None:
    """Print the check and the reckoning."""
    file = harness.ROOT / "config" / "channels.toml"
    rules = read_channel_rules(tomllib.loads(file.read_text("utf-8")))
    rows = report.latest()
    for database in ("SQLite", "PostgreSQL"):
        try:
            small, large = costs(rows, database)
        except LookupError as error:
            console.print(f"left out: {error}")
            continue
        console.print(checked(small, large, database))
        if database == "PostgreSQL":
            console.print(reckoned(large, receipt_cpu(rows), rules))
            console.print(_ABOUT, highlight=False)


_ABOUT = (
    "hours as shipped: with one account on each channel, at the rates of config/channels.toml\n"
    f"senders: such as large movements have, so many that it is done within {DAY:g} hours\n"
    f"cores: of workers, database and web servers for one receipt a message, {BUSY:.0%} busy over those hours\n"
    "database: members, messages and attempts of this one ask, without receipts and answers\n"
    "USD: list prices of channels.toml, one segment a text, before carriers' and Meta's fees"
)
