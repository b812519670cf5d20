"""apprise's ``async_notify``, once for each message: no words can differ within one call.

Its Twilio plugin takes no callback and keeps 0.2 s between messages; that rest is lifted here as our rate is.
``python -m bench.peers.apprise --url … --messages …`` prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from apprise import Apprise
from apprise.plugins.twilio import NotifyTwilio

from bench.harness import Stopwatch, peak_mib
from bench.members import BODY, phone
from bench.yardsticks import Account, run_loop


async def measure(url: str, messages: int, concurrency: int) -> dict[str, Any]:
    """Notify so many people, so many at once."""
    account = Account.read()
    NotifyTwilio.notify_sms_url = f"{url}/2010-04-01/Accounts/{{sid}}/Messages.json"
    NotifyTwilio.request_rate_per_sec = 0
    # What it calls is blocking: it runs in the loop's threads, of which there are six on two cores.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(concurrency))

    async def send(number: int) -> None:
        target = NotifyTwilio(account.sid, "0" * 32, account.sender, targets=phone(number))
        target.auth_token = account.token  # the sandbox's has a shape that it does not take
        notifier = Apprise()
        notifier.add(target)
        assert await notifier.async_notify(body=BODY), "accepted"

    with Stopwatch() as watch:
        await run_loop(send, messages, concurrency)
    return {**watch.as_dict(), "peak_mib": peak_mib()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers.apprise")
    parser.add_argument("--url", required=True, help="the provider's base address")
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--folder", type=Path, help="not needed")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(options.url, options.messages, options.concurrency))))


if __name__ == "__main__":
    main()
