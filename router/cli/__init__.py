"""The commands of ``outreach``, one module for each subject, which is imported when it is called for.

table       the command itself, the table of all commands
group       what the commands have in common: settings, an open ledger
dns         what to publish of a mail key       envfile     where secrets are kept
"""

from __future__ import annotations

from router.cli.table import err, outreach

__all__ = ["err", "outreach"]
