"""docs/connect.md names what there is: addresses, settings, scopes, events, commands, and asks that can be sent."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from channels import SPECS
from channels.sandbox import CALLING
from channels.slack.adapter import SCOPES
from channels.slack.events import GROUP_CHANGES, OWN_COMMAND
from channels.telegram.updates import WANTED
from router.__main__ import outreach
from router.core.ask import Ask
from router.core.rates import read_channel_rules
from router.drafting import check_words
from router.settings import MAIN, Settings, load_settings, load_toml, variable
from router.store.engine import Store
from router.web.webhooks import WEBHOOKS
from tests.support.runtime import build_runtime

PAGE = (Path(__file__).parents[1] / "docs" / "connect.md").read_text("utf-8")
HERE = "https://YOUR.ADDRESS"
PROSE = re.sub(r"\s+", " ", PAGE)


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for _, text in found]


def manifest() -> dict[str, Any]:
    [text] = blocks("json")
    found: dict[str, Any] = json.loads(text)
    return found


def section(title: str) -> str:
    [text] = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


def test_every_variable_is_a_setting() -> None:
    known = {f"OUTREACH_{name}".upper() for name in Settings.model_fields}
    for name, spec in SPECS.items():
        for account in (MAIN, "backup"):
            known |= {variable(name, account, one.name) for one in spec.settings}
    named = set(re.findall(r"OUTREACH_[A-Z0-9_]+", PAGE))
    assert named - known == set()
    required = {variable(name, MAIN, one.name) for name, spec in SPECS.items() for one in spec.settings if one.required}
    assert required - named == set(), "whoever follows the page has set everything that must be set"


def test_every_webhook_address_is_a_route_of_ours() -> None:
    routes = [
        re.sub(r"\{\w+:((?:[^{}]|\{[^{}]*\})*)\}", r"(?:\1)", one.path) for one in WEBHOOKS if one.method == "POST"
    ]
    addresses = set(re.findall(rf"{re.escape(HERE)}(/[^\s`\"]*)", PAGE))
    assert {one for one in addresses if not any(re.fullmatch(route, one) for route in routes)} == set()
    table = set(re.findall(rf"`{re.escape(HERE)}(/hooks/\w+/main)` \|", PAGE))
    assert table == {f"/hooks/{name}/main" for name in CALLING}
    listening = {name for name, spec in SPECS.items() if any(one.name == "listen" for one in spec.settings)}
    found = set(re.findall(r"^\| `(\w+)=yes` \|", section("Without a public address"), re.MULTILINE))
    assert found == {variable(name, MAIN, "listen") for name in listening}


def test_the_manifest_of_the_slack_app_names_our_address_scopes_and_events() -> None:
    app = manifest()
    hook = f"{HERE}/hooks/slack/main"
    settings = app["settings"]
    [command] = app["features"]["slash_commands"]
    assert (command["command"], command["url"]) == (OWN_COMMAND, hook)
    assert settings["event_subscriptions"]["request_url"] == hook
    assert settings["interactivity"] == {"is_enabled": True, "request_url": hook}
    assert json.dumps(app).count(hook) == 3, "the page says so"
    assert set(app["oauth_config"]["scopes"]["bot"]) == set(SCOPES)
    wanted = {"app_mention", "message.im", "channel_id_changed", "member_joined_channel", "member_left_channel"}
    assert set(settings["event_subscriptions"]["bot_events"]) == wanted | set(GROUP_CHANGES)
    assert app["features"]["app_home"]["messages_tab_enabled"], "else nobody can write to us"
    assert not app["features"]["app_home"]["messages_tab_read_only_enabled"]
    # https://docs.slack.dev/reference/app-manifest
    assert len(app["display_information"]["name"]) <= 35
    assert len(app["display_information"]["description"]) <= 140


def test_telegram_is_asked_for_what_we_read() -> None:
    [kinds] = re.findall(r"'allowed_updates=(\[.*\])'", PAGE)
    assert tuple(json.loads(kinds)) == WANTED


async def test_the_asks_of_the_page_can_be_sent(sqlite_url: str) -> None:
    first, whatsapp, accounts = blocks("toml")
    store = Store(sqlite_url)
    runtime = build_runtime(store)
    for text in (first, f"{first}\n{whatsapp}"):
        check_words(runtime, Ask.model_validate(tomllib.loads(text)))
    await store.aclose()
    shipped = load_toml("channels", load_settings())
    shipped["sms"] |= tomllib.loads(accounts)["sms"]
    backup = read_channel_rules(shipped)["sms"].of_account("backup")
    assert (backup.weight, backup.rate) == (0.25, 0.8)


@pytest.mark.parametrize("channel", SPECS)
def test_each_section_ends_with_a_proof(channel: str) -> None:
    assert f"\n       outreach check {channel}\n       outreach blast ASK.toml --test-to " in PAGE
    assert re.search(rf'--test-to "?{channel}:', PAGE)


def commands() -> Iterator[str]:
    yield from re.findall(r"^ {4,}(outreach .*)$", PAGE, re.MULTILINE)
    yield from re.findall(r"`(outreach [a-z][^`]*)`", PROSE)


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_every_command_exists_with_its_options(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ASK.toml").touch()
    words = shlex.split(line.replace("CHANNEL:", "x:").replace(" MEMBER", " 7"))[1:]
    command: click.Command = outreach
    context = click.Context(outreach)
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None, name
        command = found
    command.make_context(command.name, words).close()
