"""Files of environment variables, ``NAME=value`` a line, as shells, systemd and Docker read them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from router.core.errors import BadInput

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")


def read_variables(path: Path) -> dict[str, str]:
    """The variables in a file; none where there is no file. Raises `BadInput` where it cannot be read."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError):
        raise BadInput("cannot be read", place=str(path)) from None
    found = (_LINE.fullmatch(line.strip()) for line in lines)
    return {line[1]: _unquoted(line[2]) for line in found if line}


def append_variables(path: Path, variables: Mapping[str, str]) -> None:
    """Append to a file that its owner alone may read from now on; makes it where it is missing.

    Nothing that stands in it is changed. Raises `BadInput` where it cannot be written.
    """
    if not variables:
        return
    try:
        path.touch(mode=0o600)
        path.chmod(0o600)  # before anything secret is in it
        before = path.read_bytes()
        start = "\n" if before and not before.endswith(b"\n") else ""
        with path.open("a", encoding="utf-8") as file:
            file.write(start + "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items()))
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", place=str(path)) from None


def _unquoted(text: str) -> str:
    for quote in "'\"":
        if len(text) >= 2 and text[0] == text[-1] == quote:
            return text[1:-1]
    return text
