"""Addresses of a PostgreSQL as platforms print them."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import make_url

from router.core.errors import BadInput
from router.store.engine import Store
from router.store.postgres_url import STATEMENTS, PooledConnection, read_postgres_url

PLAIN = "postgresql://ana:secret@db.example.org:5433/union"


@pytest.mark.parametrize(
    ("options", "kept", "arguments"),
    [
        ("", {}, {"prepared_statement_cache_size": STATEMENTS}),
        ("?sslmode=require", {}, {"ssl": "require", "prepared_statement_cache_size": STATEMENTS}),
        ("?ssl=verify-full", {"ssl": "verify-full"}, {"prepared_statement_cache_size": STATEMENTS}),
        ("?pgbouncer=false", {}, {"prepared_statement_cache_size": STATEMENTS}),
        (
            "?pgbouncer=true&sslmode=verify-full",
            {},
            {
                "ssl": "verify-full",
                "connection_class": PooledConnection,
                "statement_cache_size": 0,
                "prepared_statement_cache_size": 0,
                "prepared_statement_name_func": str,
            },
        ),
    ],
)
def test_what_stands_behind_the_question_mark(options: str, kept: dict[str, str], arguments: dict[str, object]) -> None:
    url, found = read_postgres_url(make_url(PLAIN + options))
    assert dict(url.query) == kept
    assert found == arguments
    bare = url.set(drivername="postgresql", query={}).render_as_string(hide_password=False)
    assert bare == PLAIN


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("?channel_binding=require", "leave out channel_binding=…: it is not known here"),
        ("?pgbouncer=maybe", "say pgbouncer=true, or leave it out"),
    ],
)
def test_an_option_that_nobody_knows_is_named(options: str, sentence: str) -> None:
    with pytest.raises(BadInput, match="OUTREACH_DATABASE_URL") as caught:
        read_postgres_url(make_url(PLAIN + options))
    assert caught.value.sentence == sentence


async def test_the_short_name_that_some_platforms_print_is_understood() -> None:
    store = Store("postgres://ana@127.0.0.1/union?sslmode=disable")
    assert store.dialect == "postgresql"
    await store.aclose()
