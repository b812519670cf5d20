"""``outreach simulate``: a year of a made-up movement, asked in several ways, to see what attention is worth.

parameters   what ``config/simulation.toml`` may say       people      who they are, and what nobody knows of them
calendar     what is asked when, the same for every arm    behaviour   what a message does to one person
year         one arm's year                                arms        the ways of asking
router_arm   this router: the real decisions of core       trials      all arms, settings and seeds, in processes
findings     what differs, and what does not               tables, picture   what is shown

The method, and what it leaves out, is in ``docs/simulation.md``.
"""

from __future__ import annotations
