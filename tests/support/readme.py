"""The tables of README.md, made from the code. ``python -m tests.support.readme`` writes them into it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import click
from pydantic import SecretStr

from channels import SPECS
from router.__main__ import outreach
from router.settings import Settings

README = Path(__file__).parents[2] / "README.md"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _code(value: object) -> str:
    """A default as one would write it in the environment."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, bool):
        value = str(value).lower()
    return f"`{value}`" if value != "" else ""


def commands() -> str:
    """Every command of `outreach` with the first sentence of its help."""
    context = click.Context(outreach)
    rows = []
    for name in outreach.list_commands(context):
        command = outreach.get_command(context, name)
        assert command is not None
        rows.append([f"`outreach {name}`", command.get_short_help_str(limit=200)])
    return _table(["command", "what it does"], rows)


def settings() -> str:
    """Every field of `Settings`."""
    fields = Settings.model_fields.items()
    rows = [[f"`OUTREACH_{name.upper()}`", _code(field.default), field.description or ""] for name, field in fields]
    return _table(["variable", "default", "meaning"], rows)


def channels() -> str:
    """Every setting of every channel."""
    rows = []
    for name, spec in SPECS.items():
        for setting in spec.settings:
            notes = [word for word, true in (("required", setting.required), ("secret", setting.secret)) if true]
            meaning = f"{setting.help} ({', '.join(notes)})" if notes else setting.help
            rows.append([f"`OUTREACH_{name}_{setting.name}`".upper(), _code(setting.default), meaning])
    return _table(["variable", "default", "meaning"], rows)


TABLES: dict[str, Callable[[], str]] = {"commands": commands, "settings": settings, "channels": channels}
"""Name of the pair of comments in README.md → what stands between them."""


def between(name: str) -> re.Pattern[str]:
    """Matches what stands between the comments of that name."""
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)


if __name__ == "__main__":
    text = README.read_text("utf-8")
    for name, table in TABLES.items():
        replacement = f"\n{table()}\n\n"
        text = between(name).sub(lambda _, new=replacement: new, text)  # type: ignore[misc]
    README.write_text(text, "utf-8")
