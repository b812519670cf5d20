"""What of the channels a process loads: every spec, and the adapters and libraries of those that it was given."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from telegram.constants import MessageLimit

from channels import REGISTRY, SPECS

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
[NAMED] = [contract["forbidden_modules"] for contract in CONTRACTS if contract["name"].startswith("A vendor's SDK")]
VENDORS = {*NAMED, "httpx", "jwt"} - {"twilio"}
"""Libraries that only their channel may load. Of Twilio's one small module is used, by two light channels."""

ADAPTERS = {f"channels.{name}.adapter" for name in ("apprise", "email", "fcm", "slack", "telegram", "webpush")}

GIVEN = {
    "sms": {"ACCOUNT_SID": f"AC{'0' * 32}", "AUTH_TOKEN": "t" * 32, "FROM_NUMBER": "+12025550123"},
    "telegram": {"TOKEN": "1:t", "WEBHOOK_SECRET": "hush"},
}
OPEN = """
import asyncio, sys
import router.app, router.worker
from router.settings import Settings

async def opened(database, *given):
    settings = Settings(database_url=database, secret_key="k" * 40)
    async with router.app.open_runtime(settings, environment=dict(one.split("=") for one in given)) as runtime:
        print(*runtime.channels)

asyncio.run(opened(*sys.argv[1:]))
print(*sys.modules)
"""
LOOK = """
import sys
from channels import REGISTRY, SPECS
assert "telegram" in REGISTRY and "fax" not in REGISTRY and list(REGISTRY) == list(SPECS)
assert SPECS["telegram"].limit_key("-5/3") == ("group", "-5")
print(*sys.modules)
"""


def printed(script: str, *arguments: str) -> list[set[str]]:
    """The words of each line that a process of its own prints; the last are the modules that it loaded."""
    done = subprocess.run([sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [set(line.split()) for line in done.stdout.splitlines()]


def opened(ledger: Path, channel: str) -> set[str]:
    """The modules of a worker's process that only `channel` was set up for."""
    given = [f"OUTREACH_{channel.upper()}_{name}={value}" for name, value in GIVEN[channel].items()]
    channels, modules = printed(OPEN, f"sqlite:///{ledger}", *given)
    assert channels == {channel}
    return modules


def test_where_only_sms_is_set_up_no_other_library_is_loaded(tmp_path: Path) -> None:
    modules = opened(tmp_path / "ledger.sqlite3", "sms")
    assert "channels.sms" in modules
    assert not modules & (VENDORS | ADAPTERS)
    assert not modules & {"redis", "aiohttp"}


def test_where_telegram_is_set_up_its_library_is_loaded_and_no_other(tmp_path: Path) -> None:
    modules = opened(tmp_path / "ledger.sqlite3", "telegram")
    assert modules & (VENDORS | ADAPTERS) == {"telegram", "httpx", "channels.telegram.adapter"}


def test_names_and_specs_load_no_adapter() -> None:
    [modules] = printed(LOOK)
    assert {"channels.telegram.spec", "channels.webpush.spec"} <= modules
    assert not modules & (VENDORS | ADAPTERS)


@pytest.mark.parametrize("name", SPECS)
def test_an_adapter_has_the_spec_that_the_router_knows_it_by(name: str) -> None:
    assert REGISTRY[name].spec is SPECS[name]
    assert SPECS[name].name == name


def test_what_is_no_channel_is_none() -> None:
    with pytest.raises(KeyError):
        REGISTRY["fax"]
    assert "fax" not in REGISTRY
    assert len(REGISTRY) == len(SPECS)


def test_telegrams_own_number_is_that_of_its_library() -> None:
    assert SPECS["telegram"].max_length == MessageLimit.MAX_TEXT_LENGTH
