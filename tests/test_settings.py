"""What an operator sets, and what platforms set by names of their own."""

from __future__ import annotations

import pytest

from router.core.errors import BadInput
from router.settings import LEAST_LEASE, load_settings

HEROKU = {
    "DYNO": "web.1",
    "PORT": "31337",
    "DATABASE_URL": "postgres://ana@db.example.org/union?sslmode=require",
    "REDIS_URL": "rediss://cache.example.org:6380",
}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*HEROKU, "OUTREACH_PORT", "OUTREACH_HOST", "OUTREACH_DATABASE_URL", "OUTREACH_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)


def test_a_platform_says_where_to_listen_and_where_its_services_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HEROKU.items():
        monkeypatch.setenv(name, value)
    found = load_settings()
    assert (found.host, found.port) == ("0.0.0.0", 31337)
    assert (found.database_url, found.redis_url) == (HEROKU["DATABASE_URL"], HEROKU["REDIS_URL"])
    monkeypatch.setenv("OUTREACH_REDIS_URL", "redis://ours.example.org")
    monkeypatch.setenv("OUTREACH_PORT", "8081")
    assert (load_settings().redis_url, load_settings().port) == ("redis://ours.example.org", 8081)
    assert load_settings(port=1).port == 1


def test_elsewhere_those_names_are_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HEROKU.items():
        if name != "DYNO":
            monkeypatch.setenv(name, value)
    found = load_settings()
    assert (found.host, found.port, found.redis_url) == ("127.0.0.1", 8080, "")
    assert found.database_url.startswith("sqlite")


def test_a_lease_that_would_end_while_messages_are_in_the_air_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTREACH_LEASE", str(LEAST_LEASE - 1))
    with pytest.raises(BadInput, match="OUTREACH_LEASE"):
        load_settings()
    monkeypatch.setenv("OUTREACH_LEASE", str(LEAST_LEASE))
    assert load_settings().lease_ms == LEAST_LEASE * 1000
