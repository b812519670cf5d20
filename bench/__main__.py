"""``python -m bench [--quick] [ROW …]``: measure, print the table, write ``bench/out/latest.json``."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from rich.console import Console

from bench import harness, report
from bench.attention_rows import pause_rows, preview_rows
from bench.routing_rows import routing_rows
from bench.rows import ROWS as FIRST_ROWS
from bench.rows import Bench

ROWS = {**FIRST_ROWS, "routing": routing_rows, "preview": preview_rows, "pause": pause_rows}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"which to measure: {', '.join(ROWS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, once instead of three times")
    parser.add_argument("--members", type=int, default=0, help="how many the row preview counts: 200,000 by default")
    options = parser.parse_args()
    unknown = set(options.rows) - set(ROWS)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")

    console = Console()
    if not console.is_terminal:
        console.width = 130
    cores = harness.Cores.choose()
    others = report.others_at_work()
    console.print(f"{report.machine()}; {cores}; {others}", highlight=False)
    harness.OUT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=harness.OUT))
    bench = Bench(
        console=console, cores=cores, folder=folder, quick=options.quick, others=others, crowd=options.members
    )
    try:
        rows = [row for name in options.rows or ROWS for row in ROWS[name](bench)]
    finally:
        shutil.rmtree(folder)
    report.show(rows, console)
    path = report.save(rows, bench.sweeps, cores)
    console.print(f"written to {path.relative_to(harness.ROOT)}", highlight=False)


if __name__ == "__main__":
    main()
