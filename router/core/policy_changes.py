"""What becomes of a change of the rules: stricter ones hold at once, looser ones once they were announced long enough.

Three things have a word in it: what is in force (the ledger's), what the files say, and what is announced. All here
is pure: values and moments in, keys out. Whatever is decided must stand together: caps, gaps and hours that
contradict one another are no rules, which `Stands` finds out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from router.core.policy_directions import row_of
from router.core.policy_values import Values, is_looser

Stands = Callable[[Values], bool]
"""Whether these values make rules."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A looser value that was announced."""

    value: Any
    """None where the rule goes away."""
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How the rules stand, by the ledger."""

    in_force: Values
    announced: Mapping[str, Announced] = field(default_factory=dict)
    refused: Mapping[str, Any] = field(default_factory=dict)
    """Values that members refused and that the files still ask for."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What to do so that the ledger agrees with the files. Each is a list of keys."""

    at_once: tuple[str, ...] = ()
    announce: tuple[str, ...] = ()
    withdraw: tuple[str, ...] = ()
    """Announcements that the files do not ask for any more."""
    lifted: tuple[str, ...] = ()
    """Refusals of what the files do not ask for any more."""

    def __bool__(self) -> bool:
        return any((self.at_once, self.announce, self.withdraw, self.lifted))


def settle(standing: Standing, files: Values, *, free: bool, stands: Stands) -> Settlement:
    """What a process that starts with these files has to do.

    `free` is before the first ask: nobody is there yet whom a change could surprise, so all holds at once. Where the
    stricter changes cannot stand without the looser ones beside them, all of them wait.
    """
    old = standing.in_force
    differing = [key for key in sorted({*old, *files}) if old.get(key) != files.get(key)]
    waiting = [] if free else [key for key in differing if not _is_new(key, old) and is_looser(key, old, files)]
    if not stands(with_values(old, files, set(differing) - set(waiting))):
        waiting = [] if free else [key for key in differing if not _is_new(key, old) and _is_known(key)]
    announced, refused = standing.announced, standing.refused
    return Settlement(
        at_once=tuple(key for key in differing if key not in waiting),
        announce=tuple(
            key for key in waiting
            if not _asks_for(files, key, announced) and not (key in refused and refused[key] == files.get(key))
        ),
        withdraw=tuple(key for key in announced if key not in waiting or not _asks_for(files, key, announced)),
        lifted=tuple(key for key in refused if refused[key] != files.get(key)),
    )  # fmt: skip


def come_due(
    standing: Standing, now: datetime, *, refused: Callable[[str], bool], stands: Stands
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which announcements take effect now, and which do not because members refused them.

    What cannot stand without something that was refused waits on.
    """
    due = [key for key, one in sorted(standing.announced.items()) if one.effective_at <= now]
    no = tuple(key for key in due if refused(key))
    yes = [key for key in due if key not in no]
    wanted = {key: standing.announced[key].value for key in yes}
    if not stands(with_values(standing.in_force, wanted, yes)):
        tried, yes = yes, []
        for key in tried:
            if stands(with_values(standing.in_force, wanted, [*yes, key])):
                yes.append(key)
    return tuple(yes), no


def in_process(in_force: Values, files: Values, *, stands: Stands) -> dict[str, Any]:
    """The values that a process obeys: those in force, or stricter ones of its own files.

    Two machines with different files come by this: neither goes beyond its own.
    """
    stricter = [key for key in {*in_force, *files} if not is_looser(key, in_force, files)]
    mixed = with_values(in_force, files, stricter)
    return mixed if stands(mixed) else dict(in_force)


def strays(standing: Standing, files: Values) -> tuple[str, ...]:
    """Where the files of a running process ask for something that nobody announced: another machine has others."""
    old = standing.in_force
    return tuple(
        key for key in sorted({*old, *files})
        if old.get(key) != files.get(key) and not _asks_for(files, key, standing.announced)
        and not (key in standing.refused and standing.refused[key] == files.get(key))
    )  # fmt: skip


def with_values(values: Values, others: Values, keys: Collection[str]) -> dict[str, Any]:
    """`values`, but as in `others` at these keys; a key that is not in `others` goes."""
    kept = {key: value for key, value in values.items() if key not in keys}
    return kept | {key: others[key] for key in keys if others.get(key) is not None}


def _asks_for(files: Values, key: str, announced: Mapping[str, Announced]) -> bool:
    return key in announced and announced[key].value == files.get(key)


def _is_new(key: str, old: Values) -> bool:
    """Whether it is a rule that a newer program brought: there was none to be looser than."""
    return key not in old and "*" not in (row_of(key) or "") and key != "quiet_hours.fundraising"


def _is_known(key: str) -> bool:
    """False for what an older program kept and this one does not know."""
    return row_of(key) is not None
