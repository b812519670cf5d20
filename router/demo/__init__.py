"""``outreach demo``: a made-up movement, over the real adapters against simulated providers.

house      ledger, providers, web server, worker, clock     crowd      who the movement is made of
hearing    the main scenario                                watching   launch, watch, tell what came of it
backlash   an ask that annoys people stops itself      vote_tonight   texts are too slow for all before a vote
dinners    neighbours host, neighbours come, and hear what came of it
phones     what they write and what they see on their telephones
groups     an ask in a Telegram group and a Slack channel first, then to the rest; an idea from the group
chats      what is pressed, written and read in groups
group_talk, group_idea  two parts of that scenario
"""

from __future__ import annotations

import asyncio

from rich.console import Console

from channels.sandbox import CALLING, Sandbox
from router.demo.backlash import run_backlash
from router.demo.dinners import run_dinners
from router.demo.groups import run_groups
from router.demo.hearing import run_hearing
from router.demo.vote_tonight import run_vote_tonight

SCENARIOS = {
    "hearing": run_hearing,
    "backlash": run_backlash,
    "vote-tonight": run_vote_tonight,
    "dinners": run_dinners,
    "groups": run_groups,
}
"""Name → what runs it."""

MEMBERS = {"backlash": 10_000, "vote-tonight": 600, "dinners": 800, "groups": 200}
"""How many people a scenario has, where not `USUAL`."""

USUAL = 2_000


async def run_demo(out: Console, *, scenario: str, members: int | None, seed: int, once: bool) -> None:
    """Run one of `SCENARIOS` and print what happens; without `once`, keep it running to look around in."""
    await SCENARIOS[scenario](out, members=members or MEMBERS.get(scenario, USUAL), seed=seed, once=once)


async def run_sandbox(out: Console, *, port: int, smtp_port: int, public_url: str) -> None:
    """``outreach sandbox``: the simulated providers by themselves, until Ctrl-C."""
    hooks = public_url.rstrip("/")
    webhooks = {name: f"{hooks}/hooks/{name}/main" for name in CALLING}
    async with Sandbox(port=port, smtp_port=smtp_port, webhooks=webhooks) as sandbox:
        out.print(f"Simulated phones and mailboxes: {sandbox.http_url}/")
        out.print("Point the channels at it with:")
        for name, value in {"OUTREACH_PRIVATE_NETWORKS": "127.0.0.0/8", **sandbox.channel_environment()}.items():
            out.print(f"export {name}='{value}'", highlight=False, soft_wrap=True)
        await asyncio.Event().wait()
