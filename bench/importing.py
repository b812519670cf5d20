"""Import one file by the shipped importer into a fresh ledger, in a process of its own. Prints one JSON line.

The tables are made before the clock starts.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from bench.harness import Stopwatch, peak_mib
from bench.members import KEY
from router.loop import run
from router.records.imports import import_file
from router.store.engine import Store
from router.store.migrate import migrate


async def import_all(file: Path, url: str) -> dict[str, object]:
    """Returns what the parent prints and checks."""
    store = Store(url)
    try:
        await migrate(store)
        with Stopwatch() as watch:
            report = await import_file(
                store, file, key=KEY.encode(), default_region="US", by="bench", now=datetime.now(UTC)
            )
    finally:
        await store.aclose()
    assert not report.problems, f"{report.problems} problems, first {report.first_problems[:1]}"
    return {**watch.as_dict(), "peak_mib": peak_mib(), "rows": report.rows, "new": report.new}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.importing")
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--url", required=True, help="an empty database")
    options = parser.parse_args()
    print(json.dumps(run(import_all(options.file, options.url))))


if __name__ == "__main__":
    main()
