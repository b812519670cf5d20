"""Commands of ``outreach`` in the test's own process, as a person types them."""

from __future__ import annotations

from collections.abc import Callable

from click.testing import CliRunner, Result

from router.cli import outreach
from tests.support.runtime import SECRET

Say = Callable[..., Result]
"""What is typed behind ``outreach``, word for word → how it ended and what it said."""


def typed_in(url: str, *before: str, **environment: str) -> Say:
    """Types in the installation whose ledger is at `url`, behind the words `before`, with these variables set."""
    given = {"OUTREACH_DATABASE_URL": url, "OUTREACH_SECRET_KEY": SECRET, **environment}
    return lambda *words: CliRunner(env=given).invoke(outreach, [*before, *words], catch_exceptions=True)
