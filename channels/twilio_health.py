"""What Twilio says of an account and of the webhook that it calls for incoming messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from channels.twilio_api import Account
from router.core.channel import Health
from router.core.errors import SendError


class _Hook(NamedTuple):
    """Where Twilio brings the messages that come to one of our numbers, or to all of them."""

    who: str
    url: str
    method: str


async def check(account: Account, now: datetime) -> Health:
    """Ask for the account itself, then for its webhooks; see `core.channel.Channel.check`.

    https://www.twilio.com/docs/iam/api/account#fetch-an-account-resource
    """
    found = await account.get(f"{account.url}.json", now, as_owner=True)
    who, status = str(found.get("friendly_name", "")), found.get("status")
    if status != "active":
        return Health(who=who, mend=(f"Twilio says that the account is {status}",))
    mend: list[str] = []
    hooks: list[_Hook] = []
    try:
        async for hook in _hooks(account, now, mend):
            hooks.append(hook)
            mend += _wrong(hook, account)
    except SendError as error:
        mend.append(f"Twilio did not tell the address of its webhook ({error.code or error.failure.value})")
    odd = [hook.url for hook in hooks if hook.url != account.webhook_url]
    told = odd[0] if odd else account.webhook_url if hooks else None
    return Health(who=who, webhook=told, mend=tuple(mend))


def _wrong(hook: _Hook, account: Account) -> list[str]:
    """What is to be mended about one webhook. Who listens needs none, but another's would answer in our place."""
    if hook.url != account.webhook_url and not (account.listens and not hook.url):
        return [f"Twilio brings what is written to {hook.who} to {hook.url or 'nobody'}, not to {account.webhook_url}"]
    if hook.url and hook.method.upper() != "POST":
        return [f"Twilio calls the webhook of {hook.who} with {hook.method}; set it to POST"]
    return []


async def _hooks(account: Account, now: datetime, mend: list[str]) -> AsyncIterator[_Hook]:
    if account.service:
        # https://www.twilio.com/docs/messaging/api/service-resource
        service = await account.get(f"{account.messaging}/v1/Services/{quote(account.service, safe='')}", now)
        if not service.get("use_inbound_webhook_on_number"):
            yield _hook("the Messaging Service", service, "inbound_request_url", "inbound_method")
            return
    numbers = await account.own_numbers(now)
    each = (
        _hooks_of_senders(account, numbers, now, mend) if account.prefix else _hooks_of_numbers(account, numbers, now)
    )
    async for hook in each:
        yield hook


async def _hooks_of_numbers(account: Account, numbers: tuple[str, ...], now: datetime) -> AsyncIterator[_Hook]:
    """https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource: short codes and names are not there.

    A number with an application of its own calls that application's webhook; this we cannot judge.
    """
    for number in numbers:
        url = f"{account.url}/IncomingPhoneNumbers.json?PhoneNumber={quote_plus(number)}"
        async for row in account.rows(url, "incoming_phone_numbers", now):
            if row.get("phone_number") == number and not row.get("sms_application_sid"):
                yield _hook(number, row, "sms_url", "sms_method")


async def _hooks_of_senders(
    account: Account, numbers: tuple[str, ...], now: datetime, mend: list[str]
) -> AsyncIterator[_Hook]:
    """https://www.twilio.com/docs/whatsapp/api/senders"""
    url = f"{account.messaging}/v2/Channels/Senders?Channel=whatsapp&PageSize=100"
    async for row in account.rows(url, "senders", now):
        number = str(row.get("sender_id", "")).removeprefix(account.prefix)
        if number not in numbers:
            continue
        status = str(row.get("status", ""))
        if not status.startswith("ONLINE"):
            mend.append(f"WhatsApp says that {number} is {status}")
        webhook = row.get("webhook")
        yield _hook(number, webhook if isinstance(webhook, dict) else {}, "callback_url", "callback_method")


def _hook(who: str, row: Mapping[str, object], url: str, method: str) -> _Hook:
    # Behind a # stands how often Twilio tries (twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
    return _Hook(who, str(row.get(url) or "").partition("#")[0], str(row.get(method) or "POST"))
