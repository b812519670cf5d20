"""``python -m tests.chaos [FAULT …] [--quick]``: break things, and print what was lost, doubled and left unknown.

Ends with 1 where a promise did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Mapping

from tests.chaos.budgets import budgets
from tests.chaos.disk import disk, postgres_disk
from tests.chaos.fuzz import fuzz
from tests.chaos.kills import kills
from tests.chaos.model import model
from tests.chaos.places import Missing
from tests.chaos.providers import clock, providers
from tests.chaos.report import Fault, Row, Size, show
from tests.chaos.services import memory, postgres
from tests.chaos.stops import stops

FAULTS: Mapping[str, Fault] = {
    "kills": kills,
    "postgres": postgres,
    "redis": memory,
    "disk": disk,
    "disk-postgres": postgres_disk,
    "clock": clock,
    "providers": providers,
    "stops": stops,
    "budget": budgets,
    "model": model,
    "fuzz": fuzz,
}


async def _run(names: list[str], size: Size) -> int:
    task = asyncio.current_task()
    assert task is not None
    # What was started is ended, and what was made is removed, also when this is told to stop.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    rows: list[Row] = []
    missing: list[str] = []
    for name in names:
        sys.stdout.write(f"{name} …\n")
        sys.stdout.flush()
        try:
            rows.append(await FAULTS[name](size))
        except Missing as reason:
            missing.append(f"{name} could not be tried: {reason}")
        else:
            show(rows[-1:])
    if len(rows) > 1:
        show(rows)
    for line in missing:
        sys.stdout.write(line + "\n")
    return 0 if rows and all(row.held for row in rows) else 1


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"some of: {', '.join(FAULTS)}; none: all")
    parser.add_argument("--quick", action="store_true", help="a tenth of each")
    parser.add_argument("--seed", type=int, default=Size().seed)
    options = parser.parse_args()
    unknown = [name for name in options.faults if name not in FAULTS]
    if unknown:
        parser.error(f"there is no fault {unknown[0]!r}; there are {', '.join(FAULTS)}")
    return asyncio.run(_run(options.faults or list(FAULTS), Size(quick=options.quick, seed=options.seed)))


if __name__ == "__main__":
    sys.exit(main())
