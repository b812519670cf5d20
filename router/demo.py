"""``outreach demo``: a made-up movement is asked to an event, over the real adapters against simulated providers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from sqlalchemy import text

from channels.sandbox import Knobs, Sandbox
from router.app import open_runtime, serving
from router.core.ask import Ask
from router.core.rates import ChannelRules
from router.launch import approve_campaign, launch_campaign, save_campaign
from router.preview import preview_ask
from router.records.imports import ImportOptions, import_file
from router.runtime import Runtime
from router.sample import write_sample_csv
from router.screens import campaign_table, held_table, import_table, preview_table
from router.settings import Settings
from router.store.migrate import migrate
from router.views import CampaignView, view_campaign
from router.worker import run_worker

EVENING = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)
"""The demo's clock starts on this Thursday, when it is day from San Francisco to Berlin and night in Sydney."""

RULES = {
    "sms": ChannelRules(rate=400, burst=400, concurrency=10, price=0.0083),
    "email": ChannelRules(rate=400, burst=400, concurrency=5, price=0.0001),
}
"""A simulated sender may send faster than a real one; everything else is as shipped."""

PEOPLE = Knobs(
    p_yes=0.09, p_stop=0.012, p_help=0.008, reply_delay=0.4, receipt_delay=0.2, undelivered_rate=0.015,
    bounce_rate=0.01, duplicate_receipts=0.05, out_of_order=0.05, timeout_after_accept=0.002, seed=7,
)  # fmt: skip
"""How the made-up people and providers behave: M+R's text reply rates, a few dead numbers, an unreliable network."""

_TEXTS = {
    "en": {"default": {"text": (
        "Hi {{ first_name | default('neighbour') }}, the rent hearing is on Thursday at 6 pm. We need every chair"
        " filled. Can you come? Reply YES, or see {{ link }} - STOP ends these."
    )}},
    "es": {"default": {"text": (
        "Hola {{ first_name | default('vecina') }}: la audiencia del alquiler es el jueves a las 18 h. Hay que llenar"
        " cada silla. ¿Vienes? Responde YES o mira {{ link }} - STOP para salir."
    )}},
    "fr": {"default": {"text": (
        "Bonjour {{ first_name | default('à vous') }}, l'audience sur les loyers est jeudi à 18 h. Remplissons la"
        " salle ! Vous venez ? Répondez YES ou voyez {{ link }} - STOP pour arrêter."
    )}},
    "ar": {"default": {"text": (
        "مرحبا {{ first_name | default('جارنا') }}، جلسة الإيجار يوم الخميس الساعة 6 مساء. هل ستأتي؟"
        " أرسل YES أو انظر {{ link }} - STOP للإيقاف."
    )}},
}  # fmt: skip

_EARLIER = (("Sign the open letter", 6), ("Call the council", 4), ("Share the flyer", 2))
"""What volunteers were already asked this week, and how many days ago."""


_LATER = (
    (15, "It is night in Sydney: what is queued waits. The clock jumps to the evening there."),
    (
        26,
        "The next day: phones that were off are tried again, and whose time zone nobody knows is texted only now, when"
        " it is day in all of their country.",
    ),
)
"""Hours after the launch to which the clock jumps, and what the reader is told."""


class _Clock:
    """Real time, moved to the demo's evening, and forward where the demo skips a night."""

    def __init__(self) -> None:
        self._start = EVENING - timedelta(days=_EARLIER[0][1])
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began)

    def move_to(self, moment: datetime) -> None:
        self._start = moment
        self._began = time.monotonic()


async def run_demo(out: Console, *, members: int, seed: int, once: bool) -> None:
    """Run the demo and print what happens; without `once`, keep it running to look around in."""
    clock = _Clock()
    with tempfile.TemporaryDirectory(prefix="outreach-demo-") as folder:
        async with _installation(Path(folder), clock) as (runtime, sandbox, url):
            out.rule("1. Members come in from a CSV file")
            await _fill(runtime, out, Path(folder) / "members.csv", members, seed)
            async with _worker(runtime):
                await _earlier_asks(runtime, clock, out)
                clock.move_to(EVENING)
                sandbox.knobs = PEOPLE
                out.rule("2. One ask, looked at before it leaves")
                ask = Ask.model_validate(
                    {"title": "Rent hearing on Thursday", "link": "https://example.org/hearing", "texts": _TEXTS}
                )
                out.print(preview_table(await preview_ask(runtime, ask, now=clock())))
                out.rule("3. Launched: routed, sent, answered")
                campaign = await _launch(runtime, ask)
                await _watch(runtime, sandbox, campaign, out)
                for hours, what in _LATER:
                    out.print(what)
                    clock.move_to(EVENING + timedelta(hours=hours))
                    runtime.signals.wake()
                    await _watch(runtime, sandbox, campaign, out)
                await _show_result(runtime, sandbox, campaign, out)
                if not once:
                    await _stay(out, sandbox, url)


@contextlib.asynccontextmanager
async def _installation(folder: Path, clock: _Clock) -> AsyncIterator[tuple[Runtime, Sandbox, str]]:
    """A fresh ledger, the simulated providers and the web server that they call back."""
    port = _free_port()
    public = f"http://127.0.0.1:{port}"
    settings = Settings(
        database_url=f"sqlite:///{folder / 'demo.sqlite3'}",
        public_url=public,
        organization="Tenants Together",
        postal_address="12 Example Street, Springfield",
        help_contact="https://example.org/help",
        default_region="US",
        port=port,
    )
    async with (
        Sandbox(
            sms_webhook=f"{public}/hooks/sms/main",
            email_webhook=f"{public}/hooks/email/main",
            clock=lambda: clock().timestamp(),
        ) as sandbox,
        open_runtime(settings, environment=sandbox.channel_environment(), rules=RULES, clock=clock) as runtime,
    ):
        await migrate(runtime.store)
        async with serving(runtime, host="127.0.0.1", port=port) as url:
            yield runtime, sandbox, url


@contextlib.asynccontextmanager
async def _worker(runtime: Runtime) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(run_worker(runtime, stop=stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def _fill(runtime: Runtime, out: Console, path: Path, members: int, seed: int) -> None:
    write_sample_csv(path, members, seed)
    report = await import_file(
        runtime.store,
        path,
        key=runtime.key,
        default_region=runtime.settings.default_region,
        by="demo",
        now=runtime.clock(),
        options=ImportOptions(),
    )
    out.print(import_table(report, most=4))


async def _earlier_asks(runtime: Runtime, clock: _Clock, out: Console) -> None:
    """A believable week: the volunteers were asked three times before, over the same machine."""
    for title, days in _EARLIER:
        clock.move_to(EVENING - timedelta(days=days))
        ask = Ask.model_validate(
            {
                "title": title,
                "audience": {"op": "tag", "tag": "volunteer"},
                "texts": {
                    "en": {"default": {"text": title + ", {{ first_name | default('friend') }}? It takes a minute."}}
                },
            }
        )
        campaign = await _launch(runtime, ask)
        await _settled(runtime, campaign)
    out.print("Earlier this week the volunteers were asked three times; that is as much as anybody should be asked.")


async def _launch(runtime: Runtime, ask: Ask) -> int:
    now = runtime.clock()
    saved = await save_campaign(runtime, ask, by="ana", now=now)
    await approve_campaign(runtime, saved.id, by="bo", now=now)
    await launch_campaign(runtime, saved.id, by="ana", now=now, undo_seconds=0)
    return saved.id


async def _settled(runtime: Runtime, campaign: int) -> None:
    """Wait until a campaign has nothing left that may leave now."""
    while not await _is_quiet(runtime, campaign):  # noqa: ASYNC110 - it is the ledger that we watch
        await asyncio.sleep(0.05)


async def _is_quiet(runtime: Runtime, campaign: int) -> bool:
    view = await view_campaign(runtime, campaign)
    if view.ranges == 0 or view.routed < view.ranges:
        return view.status.value == "finished"
    async with runtime.store.read() as connection:
        waiting = await connection.scalar(
            text(
                "SELECT count(*) FROM batch WHERE campaign_id = :id AND open"
                " AND (not_before <= :now OR owner IS NOT NULL)"
            ),
            {"id": campaign, "now": int(runtime.clock().timestamp() * 1000)},
        )
    return not waiting


async def _watch(runtime: Runtime, sandbox: Sandbox, campaign: int, out: Console) -> None:
    """Show the counts move until nothing can leave any more and the last receipts and replies are in."""
    with Live(console=out, refresh_per_second=8, transient=True) as live:
        while True:
            view = await view_campaign(runtime, campaign)
            live.update(campaign_table(view))
            if await _is_quiet(runtime, campaign):
                break
            await asyncio.sleep(0.15)
        # Receipts and replies are still on their way, and a failed text may take its next hop at once.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sandbox.idle(), 20)
        await _settled(runtime, campaign)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sandbox.idle(), 20)
    out.print(campaign_table(await view_campaign(runtime, campaign)))


async def _show_result(runtime: Runtime, sandbox: Sandbox, campaign: int, out: Console) -> None:
    out.rule("4. What came of it")
    view = await view_campaign(runtime, campaign)
    out.print(held_table(view.held))
    out.print(await _answers(runtime, view))
    phones = len(sandbox.memory.accepted)
    out.print(
        f"The simulated providers accepted {phones:,} messages in all. Nobody was written to twice by this ask,"
        " and whoever said STOP is written to no more."
    )


async def _answers(runtime: Runtime, view: CampaignView) -> Table:
    """What people did: replies by meaning, links opened, who asked for silence."""
    table = Table(title="Answers", title_justify="left", show_header=False)
    table.add_column(justify="right", style="bold")
    table.add_column()
    async with runtime.store.read() as connection:
        replies = await connection.execute(text("SELECT intent, count(*) FROM inbound GROUP BY intent ORDER BY 2 DESC"))
        for intent, count in replies:
            table.add_row(f"{count:,}", f"replied {intent.upper()}")
        actions = await connection.scalar(
            text("SELECT count(*) FROM action WHERE campaign_id = :id AND kind = 'yes'"), {"id": view.id}
        )
        silent = await connection.scalar(text("SELECT count(DISTINCT address_hash) FROM suppression"))
    table.add_row(f"{actions:,}", "said they will come")
    table.add_row(f"{silent:,}", "addresses are silenced for good (unless they write START)")
    return table


async def _stay(out: Console, sandbox: Sandbox, url: str) -> None:
    out.rule("Look around")
    out.print(f"Simulated phones and mailboxes: {sandbox.http_url}/   (reply STOP or YES as one of them)")
    out.print(f"The router's API: {url}/openapi.json")
    out.print("Ctrl-C ends the demo and throws its ledger away.")
    await asyncio.Event().wait()


async def run_sandbox(out: Console, *, port: int, smtp_port: int, public_url: str) -> None:
    """``outreach sandbox``: the simulated providers by themselves, until Ctrl-C."""
    hooks = public_url.rstrip("/")
    async with Sandbox(
        port=port, smtp_port=smtp_port, sms_webhook=f"{hooks}/hooks/sms/main", email_webhook=f"{hooks}/hooks/email/main"
    ) as sandbox:
        out.print(f"Simulated phones and mailboxes: {sandbox.http_url}/")
        out.print("Point the channels at it with:")
        for name, value in sandbox.channel_environment().items():
            out.print(f"export {name}='{value}'", highlight=False, soft_wrap=True)
        await asyncio.Event().wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
