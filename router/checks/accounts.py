"""One account of a channel: whether it is set up, whether its credentials work, and whether its provider reaches us."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from router.accounts import of_account, open_account, webhook_address
from router.checks.around import is_private
from router.checks.findings import Finding
from router.checks.webhooks import judge_webhook
from router.core.channel import Channel, Listening
from router.core.errors import BadInput, FailureClass, NotSent, Refused, SendError
from router.runtime import Runtime
from router.settings import channel_settings
from router.wire import HttpWire

SECONDS = 20.0
"""Longest wait for one provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What every check of an account needs."""

    runtime: Runtime
    wire: HttpWire
    environment: Mapping[str, str] | None
    now: datetime


async def check_account(looking: Looking, kind: type[Channel], account: str) -> Finding:
    """Look at one account of which the environment says something."""
    spec, runtime = kind.spec, looking.runtime
    subject = f"{spec.name} ({account})"
    adapter = runtime.channels.get(spec.name, {}).get(account)
    if adapter is None:
        return Finding(subject=subject, says="off", mend=(await _why_off(looking, kind, account),))
    try:
        async with asyncio.timeout(SECONDS):
            health = await adapter.check(looking.now)
    except SendError as error:
        return Finding(subject=subject, says="does not work", mend=(_sentence(error),))
    except TimeoutError:
        return Finding(subject=subject, says="does not work", mend=(f"no answer within {SECONDS:.0f} seconds",))
    found = channel_settings(spec, looking.environment, account=account)
    expected = webhook_address(runtime.settings, spec.name, account)
    listens = isinstance(adapter, Listening) and adapter.listens
    webhook = judge_webhook(spec, account, health, expected, listens=listens, is_near=_is_near(found))
    told = tuple(of_account(sentence, spec.name, account) for sentence in health.mend)
    return Finding(
        subject=subject, says=health.who, webhook=webhook.state, mend=(*told, *webhook.mend), advice=webhook.advice
    )


async def _why_off(looking: Looking, kind: type[Channel], account: str) -> str:
    """What an account lacks whose adapter could not be made."""
    try:
        adapter = open_account(kind, account, looking.runtime.settings, looking.wire, looking.environment)
    except BadInput as error:
        return str(error)
    await adapter.aclose()
    return "it is set up now; start again"


def _sentence(error: SendError) -> str:
    code = f" ({error.code})" if error.code else ""
    if isinstance(error, Refused) and error.failure is FailureClass.SENDER_CONFIG:
        return f"the provider does not accept our credentials{code}"
    if isinstance(error, NotSent) and error.failure is FailureClass.TRANSPORT:
        return f"the provider cannot be reached from here{code}"
    return f"the provider answers with an error: {error}"


def _is_near(found: Mapping[str, str]) -> bool:
    """Whether the provider stands on this machine or network, like the sandbox, so that a private address will do."""
    places = [found.get("api_url", ""), f"//{found['host']}" if found.get("host") else ""]
    return any(is_private(place) for place in places if place)
