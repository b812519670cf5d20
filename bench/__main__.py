"""``python -m bench [--quick] [ROW …]``: measure, print the table, write ``bench/out/latest.json``.

``python -m bench model`` measures nothing: it reckons from what was measured last.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench import harness, model, report
from bench.attention_rows import pause_rows, preview_rows
from bench.email_rows import email_rows
from bench.pages import page_rows
from bench.peer_rows import peer_rows
from bench.routing_rows import routing_rows
from bench.rows import ROWS as FIRST_ROWS
from bench.rows import Bench
from bench.scale_rows import scale_rows
from bench.storm_rows import receipt_rows
from bench.viewers import viewer_rows

ROWS = {
    **FIRST_ROWS,
    "peers": peer_rows,
    "email": email_rows,
    "receipts": receipt_rows,
    "scale": scale_rows,
    "routing": routing_rows,
    "preview": preview_rows,
    "pause": pause_rows,
    "pages": page_rows,
    "viewers": viewer_rows,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"which to measure: {', '.join(ROWS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, once instead of three times")
    parser.add_argument("--members", type=int, default=0, help="how many members preview, pages and viewers have")
    options = parser.parse_args()
    if options.rows == ["model"]:
        model.show(Console(width=None if sys.stdout.isatty() else 150))
        return
    unknown = set(options.rows) - set(ROWS)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")

    harness.end_on_sigterm()
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
    rows: list[report.Row] = []
    failed = []
    try:
        for name in options.rows or ROWS:
            try:
                rows += ROWS[name](bench)
            except Exception:  # what failed is shown, and the others are measured all the same
                console.print_exception()
                failed.append(name)
    finally:
        shutil.rmtree(folder)
    report.show(rows, console)
    path = report.save(rows, bench.sweeps, cores)
    console.print(f"written to {path.relative_to(harness.ROOT)}", highlight=False)
    if failed:
        raise SystemExit(f"not measured, see above: {', '.join(failed)}")


if __name__ == "__main__":
    main()
