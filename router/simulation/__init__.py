"""``outreach simulate``: a year of a made-up movement, asked in several ways, to see what attention is worth.

parameters   what ``config/simulation.toml`` may say       people      who they are, and what nobody knows of them
calendar     what is asked when, the same for every arm    behaviour   what a message does to one person
year         one arm's year                                everyone    the arms that ask everybody
routed       the arms within the contact budget            states      people of whom the router knows the same
trials       all arms, settings and seeds, in processes    findings    what differs, and what does not
tables       what is printed                               picture     what is drawn

The method, what it leaves out and where the router does not win stand in ``docs/simulation.md``.
"""

from __future__ import annotations
