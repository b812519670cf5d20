"""How a provider reaches us: what it has entered against what it should have, and whether it can get here at all."""

from __future__ import annotations

from typing import NamedTuple

from router.checks.around import is_private
from router.core.channel import ChannelSpec, Health
from router.settings import variable


class Webhook(NamedTuple):
    """How it stands with the webhook of one account."""

    state: str
    mend: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()


def judge_webhook(
    spec: ChannelSpec, account: str, health: Health, expected: str, *, listens: bool, is_near: bool
) -> Webhook:
    """Compare what the provider has with `expected`. Pure.

    `listens`: the account fetches its events itself. `is_near`: its provider stands on this machine or network, like
    the sandbox, so that it can call a private address.
    """
    if listens:
        return Webhook("not needed: it listens")
    if not (spec.receipts or spec.inbound):
        return Webhook("none")
    if is_private(expected) and not is_near:
        sentence = _out_of_reach(spec, account)
        # Without receipts all that is lost is knowledge; without answers it is people's STOP.
        return (
            Webhook("out of reach", mend=(sentence,)) if spec.inbound else Webhook("out of reach", advice=(sentence,))
        )
    if health.webhook is None:
        return Webhook("not known", advice=(f"see that the provider calls {expected}; it does not tell what it has",))
    if health.webhook == expected:
        return Webhook("right")
    state = "wrong" if health.webhook else "none entered"
    if any(expected in sentence for sentence in health.mend):
        return Webhook(state)  # the adapter has said so in its provider's words
    return Webhook(state, mend=(f"the provider calls {health.webhook or 'nobody'}: enter {expected} there",))


def _out_of_reach(spec: ChannelSpec, account: str) -> str:
    by_itself = ""
    if any(setting.name == "listen" for setting in spec.settings):
        by_itself = f", or {variable(spec.name, account, 'listen')}=yes, which needs none"
    lost = "answers" if spec.inbound else "receipts"
    return f"no provider can call a private address, so {lost} do not get here: set OUTREACH_PUBLIC_URL{by_itself}"
