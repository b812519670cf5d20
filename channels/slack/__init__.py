"""Slack: direct messages and channels of one workspace, over the Web API and either webhooks or Socket Mode.

spec.py      what the router knows of the channel
adapter.py   the channel: send, edit, verify, receive, listen, check
blocks.py    a message as Block Kit
codes.py     Slack's error codes → failure class
events.py    events, pressed buttons and slash commands → our events
socket.py    Socket Mode: a connection that brings what webhooks would
"""
