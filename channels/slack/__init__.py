"""Slack: direct messages and channels of one workspace, over the Web API and either webhooks or Socket Mode.

adapter.py   the channel: settings, send, edit, verify, receive, listen, check
blocks.py    a message as Block Kit
codes.py     Slack's error codes → failure class
events.py    events, pressed buttons and slash commands → our events
socket.py    Socket Mode: a connection that brings what webhooks would
"""

from __future__ import annotations

from channels.slack.adapter import SlackChannel

__all__ = ["SlackChannel"]
