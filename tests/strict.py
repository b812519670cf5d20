"""In CI a test that did not run counts as a failure: skipped, or expected to fail."""

from __future__ import annotations

import os

import pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn success into failure where a test was skipped, expected to fail, or passed against expectation."""
    not_run = _not_run(session.config)
    if not_run and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(config: pytest.Config) -> None:
    """Say why the run fails; pytest's own closing line follows."""
    not_run = _not_run(config)
    if not_run:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line(f"In CI every test must run, and {not_run} did not: this run counts as failed.", red=True)


def _not_run(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or reporter is None:
        return 0
    return sum(len(reporter.stats.get(kind, ())) for kind in ("skipped", "xfailed", "xpassed"))
