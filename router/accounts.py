"""From the environment to an adapter: one account of a channel, with what its adapter is told."""

from __future__ import annotations

from collections.abc import Mapping

from router.core.channel import Channel, Wire
from router.core.errors import BadInput
from router.settings import MAIN, Settings, channel_settings, missing_settings, variable


def webhook_address(settings: Settings, channel: str, account: str) -> str:
    """Where this account's provider calls us."""
    return f"{settings.public_url.rstrip('/')}/hooks/{channel}/{account}"


def open_account(
    kind: type[Channel], account: str, settings: Settings, wire: Wire, environment: Mapping[str, str] | None = None
) -> Channel:
    """The adapter of one account; raises `BadInput` with what is missing or wrong among its settings."""
    spec = kind.spec
    found = channel_settings(spec, environment, account=account)
    missing = missing_settings(spec, found, account=account)
    if missing:
        raise BadInput(f"set {' and '.join(missing)}")
    about = {
        "account": account,
        "webhook_url": webhook_address(settings, spec.name, account),
        "organization": settings.organization,
    }
    try:
        return kind({**found, **about}, wire)
    except BadInput as error:
        place, sentence = (of_account(text, spec.name, account) for text in (error.place, error.sentence))
        raise BadInput(sentence, place=place) from None


def of_account(sentence: str, channel: str, account: str) -> str:
    """What an adapter says, naming the variables of its own account; it knows of the main one's names only."""
    return sentence.replace(variable(channel, MAIN, ""), variable(channel, account, ""))
