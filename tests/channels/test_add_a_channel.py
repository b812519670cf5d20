"""docs/add-a-channel.md keeps its word: its blocks, put into a copy of the repository, pass the contract suite."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from router.core.channel import ChannelSpec
from router.core.rates import read_channel_rules

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add-a-channel.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`([\w./]+\.\w+)`[^`\n]*:\s*\Z")
COPIED = ("channels", "config", "router", "templates", "tests/__init__.py", "tests/channels", "tests/strict.py")
FILES = {
    "channels/postcard.py",
    "channels/sandbox/postcard.py",
    "tests/channels/contract/postcard.py",
    "tests/channels/fixtures/invented/postcard.json",
    "tests/channels/test_sandbox_postcard.py",
}
EDITED = {"channels/__init__.py", "config/channels.toml", "pyproject.toml"}


@dataclasses.dataclass(frozen=True)
class Block:
    """One block of code and the file that the words before it name."""

    file: str
    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """All blocks; one without a file of its own belongs to the file of the one before."""
    found: list[Block] = []
    for match in BLOCK.finditer(page):
        named = NAMED.search(page[: match.start()])
        found.append(Block(named[1] if named else found[-1].file, match[1], match[2]))
    return found


def applied(text: str, diff: str) -> str:
    """`text` after a small diff; fails where its context is not there exactly once."""
    lines = diff.splitlines(keepends=True)
    assert {line[0] for line in lines} == {" ", "+"}
    before = "".join(line[1:] for line in lines if line[0] == " ")
    assert text.count(before) == 1, before
    return text.replace(before, "".join(line[1:] for line in lines))


def follow(page: str, root: Path) -> None:
    """Do in `root` what the page says."""
    for block in blocks(page):
        path = root / block.file
        if block.language == "diff":
            path.write_text(applied(path.read_text("utf-8"), block.text), "utf-8")
        elif block.language == "toml":
            path.write_text(f"{path.read_text('utf-8')}\n{block.text}", "utf-8")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")


def copy_of_the_repository(root: Path) -> Path:
    """What the suite needs of it."""
    shutil.copy(ROOT / "pyproject.toml", root)
    for name in COPIED:
        source = ROOT / name
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return root


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=root, env=environment, capture_output=True, text=True, timeout=120
    )


def run_suite(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The contract suite and the sandbox's test, as far as they concern the new channel."""
    files = ("tests/channels/test_contract.py", "tests/channels/test_sandbox_postcard.py")
    wanted = "postcard or has_a_table"
    return run(root, "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.strict", "-k", wanted, *options, *files)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return copy_of_the_repository(tmp_path)


def test_the_channel_of_the_page_passes_the_contract_suite(copied: Path) -> None:
    follow(PAGE, copied)
    suite = run_suite(copied)
    assert suite.returncode == 0, suite.stdout[-4000:] + suite.stderr[-2000:]
    passed = re.search(r"(\d+) passed", suite.stdout)
    assert passed is not None
    assert int(passed[1]) >= 35
    rules = read_channel_rules(tomllib.loads((copied / "config/channels.toml").read_text("utf-8")))
    assert rules["postcard"].rate == 8
    contracts = tomllib.loads((copied / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    [independent] = [contract for contract in contracts if contract["type"] == "independence"]
    assert "channels.postcard" in independent["modules"]
    written = [name for name in sorted(FILES | EDITED) if name.endswith(".py")]
    for command in (["check"], ["format", "--check"]):
        linted = run(copied, "ruff", *command, "--no-cache", *written)
        assert linted.returncode == 0, linted.stdout + linted.stderr


def test_a_broken_block_fails(copied: Path) -> None:
    check = 'raise BadWebhook("the signature is missing or wrong")'
    assert PAGE.count(check) == 1
    follow(PAGE.replace(check, "pass"), copied)
    suite = run_suite(copied, "-x")
    assert suite.returncode == 1, suite.stdout[-4000:] + suite.stderr[-2000:]
    assert "FAILED tests/channels/test_contract.py::test_an_unsigned_or_altered_webhook_is_refused" in suite.stdout


def test_the_page_names_the_files_that_it_needs() -> None:
    found = blocks(PAGE)
    assert {block.file for block in found} == FILES | EDITED
    assert all((block.language in ("diff", "toml")) == (block.file in EDITED) for block in found)
    assert not any((ROOT / name).exists() for name in FILES)


def test_the_page_explains_every_field_of_the_spec() -> None:
    rows = re.findall(r"^\| (`.+?`) \|", PAGE, re.MULTILINE)
    explained = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(explained) == sorted(field.name for field in dataclasses.fields(ChannelSpec))
