"""What came of the faults: one row each, and the table that ``make chaos`` prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of a fault: `quick` is a tenth. `seed` gives the same draws again."""

    quick: bool = False
    seed: int = 20261122

    def of(self, runs: int) -> int:
        """So many runs, or a tenth of them."""
        return max(1, runs // 10) if self.quick else runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one kind of fault."""

    fault: str
    runs: int
    losses: int = 0
    """Members without an outcome, or whose outcome says that it left and the provider does not have it."""
    duplicates: int = 0
    """Messages that the provider was handed beyond one for each member and ask."""
    settled: int = 0
    """Were unknown for a while, until a receipt told."""
    unknown: int = 0
    """Still unknown, and shown as that."""
    broken: int = 0
    """How often another promise did not hold: a send after STOP, somebody over budget, a rule whose lack is unseen."""
    seconds: float = 0.0
    remark: str = ""

    @property
    def held(self) -> bool:
        """Whether everything that is promised came about."""
        return not (self.losses or self.duplicates or self.broken)


Fault = Callable[[Size], Awaitable[Row]]


def table(rows: Iterable[Row]) -> Table:
    """The rows as they are shown."""
    shown = Table(title="Faults, counted at the provider", title_justify="left", show_lines=True)
    shown.add_column("fault", min_width=24)
    for name in ("runs", "losses", "duplicates", "unknown, settled", "unknown, shown", "broken", "seconds"):
        shown.add_column(name, justify="right")
    shown.add_column("remark")
    for row in rows:
        counts = (row.runs, row.losses, row.duplicates, row.settled, row.unknown, row.broken)
        shown.add_row(row.fault, *(f"{count:,}" for count in counts), f"{row.seconds:.0f}", row.remark)
    return shown


def tell(line: str) -> None:
    """Say how far it is."""
    sys.stdout.write(f"  {line}\n")
    sys.stdout.flush()


def show(rows: Iterable[Row]) -> None:
    """Print the table."""
    Console(file=sys.stdout, width=int(os.environ.get("COLUMNS", "150"))).print(table(rows))
