"""The ledger's rules searched in larger sizes, and what goes wrong without each of them, step by step."""

from __future__ import annotations

import asyncio
import sys
import time

from tests.chaos.report import Row, Size
from tests.support.ledger_scenes import LARGE, NEEDED, SMALL, UNSEEN
from tests.support.ledger_search import Found, search
from tests.support.ledger_state import RULES


async def model(size: Size) -> Row:
    """Search every scene; with `size.quick` only those of ``make test``."""
    return await asyncio.to_thread(_model, size)


def _model(size: Size) -> Row:
    began, states, wrong = time.monotonic(), 0, []
    scenes = SMALL if size.quick else (*SMALL, *LARGE)
    for scene in scenes:
        found = search(scene)
        states += found.states
        _say(f"all rules, {scene.name}: {found.states:,} states, {found.wrong or 'nothing goes wrong'}")
        if found.wrong:
            wrong.append(scene.name)
            _say(_steps(found))
    for rule, (scene, expected) in NEEDED.items():
        found = search(scene, frozenset({rule}))
        _say(f"\nwithout {rule} ({RULES[rule]}), {scene.name}: {found.wrong or 'nothing goes wrong'}")
        _say(_steps(found))
        if found.wrong != expected:
            wrong.append(rule)
    for rule, why in UNSEEN.items():
        _say(f"\nwithout {rule} ({RULES[rule]}): not shown by these sizes; {why}")
    return Row(
        fault="model of the rules",
        runs=len(scenes) + len(NEEDED),
        broken=len(wrong),
        seconds=time.monotonic() - began,
        remark=f"{states:,} states with all rules; {len(NEEDED)} rules shown to be needed, {len(UNSEEN)} not"
        + (f"; wrong: {', '.join(wrong)}" if wrong else ""),
    )


def _steps(found: Found) -> str:
    return "\n".join(f"  {number:2} {step}" for number, step in enumerate(found.trace, 1))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
