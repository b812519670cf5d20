"""``outreach check``: what it finds, over the real adapters against simulated providers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from channels import REGISTRY
from channels.email.adapter import EmailChannel
from channels.fcm.adapter import FcmChannel
from channels.sandbox import CALLING, Sandbox
from channels.slack.adapter import SlackChannel
from channels.sms import SmsChannel
from router.app import open_runtime
from router.checks import Report, check_installation
from router.checks.around import check_database, check_redis, is_private
from router.checks.webhooks import judge_webhook
from router.core.channel import ChannelSpec, Health
from router.core.errors import BadInput
from router.settings import Settings
from router.store.engine import Store
from router.store.notices import clear, notify
from router.store.standings import StandingRow, write_standings
from tests.e2e.conftest import free_port
from tests.support import redis

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
PUBLIC = "http://127.0.0.1:9"
Look = Callable[..., Awaitable[Report]]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    webhooks = {name: f"{PUBLIC}/hooks/{name}/main" for name in CALLING}
    async with Sandbox(webhooks=webhooks, clock=NOW.timestamp) as sandbox:
        yield sandbox


@pytest.fixture
def look(sandbox: Sandbox, sqlite_url: str) -> Look:
    """``await look({"OUTREACH_SMS_AUTH_TOKEN": "x"}, only=["sms"], public_url=…)``: what a check then finds."""

    async def look(changes: dict[str, str] | None = None, *, only: tuple[str, ...] = (), **settings: Any) -> Report:
        environment = sandbox.channel_environment() | (changes or {})
        given = {"database_url": sqlite_url, "secret_key": SecretStr("s" * 40), "public_url": PUBLIC} | settings
        async with open_runtime(Settings(**given), environment=environment) as runtime:
            return await check_installation(runtime, REGISTRY, now=NOW, only=only, environment=environment)

    return look


async def test_every_channel_that_is_set_up_proves_itself(look: Look) -> None:
    report = await look()
    assert report.mend == []
    assert report.absent == ()
    assert {one.subject for one in report.accounts} == {f"{name} (main)" for name in REGISTRY}
    assert all(one.says for one in report.accounts)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"OUTREACH_SMS_AUTH_TOKEN": "wrong"}, "sms (main): the provider does not accept our credentials (20003)"),
        ({"OUTREACH_SLACK_BOT_TOKEN": "xoxb-no"}, "slack (main): the provider does not accept our credentials (inv"),
        ({"OUTREACH_EMAIL_PORT": str(free_port())}, "email (main): the provider cannot be reached from here"),
        ({"OUTREACH_SMS__B__AUTH_TOKEN": "x"}, "sms (b): set OUTREACH_SMS__B__ACCOUNT_SID"),
        (
            {"OUTREACH_SLACK__B__BOT_TOKEN": "xoxb-no"},
            "slack (b): OUTREACH_SLACK__B__SIGNING_SECRET: set it, or OUTREACH_SLACK__B__LISTEN=yes",
        ),
        ({"OUTREACH_TELEGRAM_USERNAME": "other_bot"}, "telegram (main): set OUTREACH_TELEGRAM_USERNAME=sandbox_un"),
    ],
)
async def test_what_is_wrong_with_an_account_is_said(look: Look, changes: dict[str, str], sentence: str) -> None:
    [found] = (await look(changes)).mend
    assert found.startswith(sentence)


async def test_another_webhook_than_ours_is_named(look: Look, sandbox: Sandbox) -> None:
    sandbox.webhooks["telegram"] = "https://elsewhere.example.org/hooks"
    sandbox.webhooks["sms"] = ""
    report = await look()
    assert [one.split(":")[0] for one in report.mend] == ["sms (main)", "telegram (main)"]
    assert f"not to {PUBLIC}/hooks/sms/main" in report.mend[0]
    assert f"{PUBLIC}/hooks/telegram/main" in report.mend[1]


async def test_only_what_was_asked_for(look: Look) -> None:
    report = await look(only=("sms",))
    assert [one.subject for one in report.accounts] == ["sms (main)"]
    assert report.absent == ()
    assert {one.subject for one in report.around} == {"database", "public address"}
    with pytest.raises(BadInput, match="pigeon: is no channel; choose among sms"):
        await look(only=("pigeon",))


async def test_a_channel_asked_for_that_is_not_set_up(look: Look) -> None:
    nothing = {"OUTREACH_APPRISE_TARGETS": ""}
    assert (await look(nothing)).absent == ("apprise",)
    report = await look(nothing, only=("apprise",))
    assert report.mend == ["apprise: set OUTREACH_APPRISE_TARGETS; docs/connect.md says how"]


async def test_the_public_address_is_called(look: Look, sandbox: Sandbox) -> None:
    around = (await look(only=("apprise",))).around[1]
    assert not around.mend
    assert f"nobody answers at {PUBLIC}/healthz" in around.advice[1]
    around = (await look(only=("apprise",), public_url=sandbox.http_url)).around[1]
    assert "something else answers at" in around.advice[1]
    nobody = f"http://nobody.invalid:{free_port()}"
    mend = (await look(only=("apprise",), public_url=nobody)).around[1].mend
    assert "want https://" in mend[0]
    assert f"nobody answers at {nobody}/healthz" in mend[1]


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://localhost:8080", True),
        ("http://192.168.1.20", True),
        ("http://printer.local", True),
        ("http://router", True),
        ("https://outreach.example.org", False),
        ("https://8.8.8.8", False),
        ("https://localhost.example.org", False),
    ],
)
def test_which_addresses_no_provider_can_call(url: str, private: bool) -> None:
    assert is_private(url) is private


HOOK = "https://outreach.example.org/hooks/x/main"
NEAR = "http://127.0.0.1:8080/hooks/x/main"


@pytest.mark.parametrize(
    ("spec", "has", "expected", "options", "state", "mend"),
    [
        (SmsChannel.spec, HOOK, HOOK, {}, "right", ""),
        (SmsChannel.spec, None, HOOK, {}, "not known", ""),
        (SmsChannel.spec, "", HOOK, {}, "none entered", f"the provider calls nobody: enter {HOOK} there"),
        (SmsChannel.spec, "https://example.net", HOOK, {}, "wrong", f"calls https://example.net: enter {HOOK} there"),
        (SmsChannel.spec, "", HOOK, {"listens": True}, "not needed: it listens", ""),
        (SmsChannel.spec, NEAR, NEAR, {"is_near": True}, "right", ""),
        (SmsChannel.spec, NEAR, NEAR, {}, "out of reach", "or OUTREACH_SMS_LISTEN=yes"),
        (SlackChannel.spec, None, NEAR, {}, "out of reach", "or OUTREACH_SLACK_LISTEN=yes"),
        (EmailChannel.spec, None, NEAR, {}, "out of reach", ""),
        (FcmChannel.spec, None, NEAR, {}, "none", ""),
    ],
)
def test_how_it_stands_with_a_webhook(
    spec: ChannelSpec, has: str | None, expected: str, options: dict[str, bool], state: str, mend: str
) -> None:
    options = {"listens": False, "is_near": False} | options
    found = judge_webhook(spec, "main", Health(who="", webhook=has), expected, **options)
    assert found.state == state
    assert [mend in sentence for sentence in found.mend] == ([True] if mend else [])


def test_what_the_adapter_said_of_its_webhook_is_not_said_twice() -> None:
    health = Health(who="", webhook="", mend=(f"call setWebhook with {HOOK}",))
    found = judge_webhook(SmsChannel.spec, "main", health, HOOK, listens=False, is_near=False)
    assert found.state == "none entered"
    assert not found.mend


async def test_a_resting_sender_is_to_be_mended_and_notices_are_shown(look: Look, sqlite_url: str) -> None:
    store = Store(sqlite_url)
    rows = [
        StandingRow("sms", "main", "", "open", "20003 five times", NOW + timedelta(minutes=10), 1.0, NOW),
        StandingRow("email", "main", "", "closed", "", None, 1.0, NOW),
    ]
    async with store.write() as connection:
        await write_standings(connection, rows)
        await notify(connection, "unknown_code", "sms/99999", "sms gave a code that no table knows: 99999", now=NOW)
        await notify(connection, "unknown_code", "sms/88888", "over", now=NOW)
        await clear(connection, "unknown_code", "sms/88888", now=NOW)
    await store.aclose()
    report = await look()
    assert report.mend == ["sms/main rests until 2026-11-20 18:10 UTC: 20003 five times"]
    assert [one.subject for one in report.notices] == ["sms/99999"]
    assert (await look(only=("email",))).mend == []


async def test_a_ledger_that_is_not_up_to_date(look: Look, postgresql_url: str, tmp_path: Path) -> None:
    fresh = await look(database_url=f"sqlite:///{tmp_path}/fresh.sqlite3")
    assert fresh.mend == []
    assert "next command brings the ledger up to date" in fresh.around[0].advice[0]
    store = Store(postgresql_url)
    async with store.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    [old] = (await look(database_url=postgresql_url)).mend
    assert old == "database: the ledger is not up to date: run `outreach migrate`"
    await store.aclose()


async def test_a_database_that_is_not_there(postgresql_url: str) -> None:
    for url in (f"{postgresql_url}_and_no_such", f"postgresql://127.0.0.1:{free_port()}/x"):
        store = Store(url)
        found = await check_database(store)
        assert found.says == "PostgreSQL"
        assert len(found.mend) == 1
        await store.aclose()


async def test_redis(look: Look) -> None:
    gone = await check_redis(f"redis://127.0.0.1:{free_port()}/0")
    assert "Redis does not answer at OUTREACH_REDIS_URL" in gone.mend[0]
    url = redis.redis_url()
    if url is None:
        pytest.skip(redis.NONE)
    report = await look(only=("apprise",), redis_url=url)
    assert [one.says for one in report.around if one.subject == "Redis"] == ["answers"]
    assert report.mend == []
