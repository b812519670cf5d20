"""Web Push: notifications in browsers, encrypted for each one of them.

adapter.py      the channel: settings, headers, send, and what an answer means
payload.py      what the service worker gets: words, link, buttons, in at most 3,800 bytes
encryption.py   RFC 8291 and RFC 8188
vapid.py        RFC 8292: who we are, to push services
codes.py        their answers → failure class
"""

from __future__ import annotations

from channels.webpush.adapter import WebPushChannel
from channels.webpush.vapid import new_private_key

__all__ = ["WebPushChannel", "new_private_key"]
