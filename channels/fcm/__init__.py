"""Push notifications to mobile apps over Firebase Cloud Messaging, HTTP v1.

adapter.py   the channel: settings, send, and what an answer means
message.py   one message as FCM wants it, cut to its size limit
account.py   the service account and its access tokens

Documentation: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

from __future__ import annotations

from channels.fcm.adapter import FcmChannel

__all__ = ["FcmChannel"]
