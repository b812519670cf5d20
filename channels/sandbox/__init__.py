"""Simulated providers on loopback, for the demo, the tests and the benchmark (DESIGN.md 9).

They speak each provider's own protocol, so that the real adapters run against them unchanged. No adapter imports this
package and it imports no adapter.

    knobs       what can go wrong
    memory      what was accepted, never deduplicated
    world       chance, and what all providers share
    callbacks   webhooks that we call
    httpd       HTTP server
    twilio      Messages resource          phones   simulated phones, keywords, replies
    smtp        mail server, mailboxes     sendgrid signed mail events
    telegram    Bot API                    slack    Web API, events, sockets
    webpush     push service that decrypts fcm      HTTP v1 and its token endpoint
    apprise     a few group chats          webhooks where each provider calls us
    pages       the page of simulated phones
    server      `Sandbox`, which ties them together
"""

from __future__ import annotations

from channels.sandbox.knobs import Knobs
from channels.sandbox.memory import Accepted, Memory
from channels.sandbox.server import Sandbox, serve
from channels.sandbox.webhooks import CALLING

__all__ = ["CALLING", "Accepted", "Knobs", "Memory", "Sandbox", "serve"]
