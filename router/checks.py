"""``outreach check``: is everything set up, who are we at each provider, and what is to be mended.

Nothing is changed and nobody is written to. Each account makes the cheapest call that proves its credentials
(`Channel.check`).
"""

from __future__ import annotations
