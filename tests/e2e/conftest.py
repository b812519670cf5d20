"""The whole program against the sandbox, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.sandbox import Sandbox
from router.settings import Settings
from tests.support.movement import Movement, free_port


@pytest.fixture
async def movement(database_url: str, tmp_path: Path) -> AsyncIterator[Movement]:
    """A running installation with a sandbox, and helpers to fill and watch it."""
    port = free_port()
    public = f"http://127.0.0.1:{port}"
    settings = Settings(
        database_url=database_url,
        secret_key="a secret for the tests, forty characters long",  # type: ignore[arg-type]
        public_url=public,
        organization="Tenants Together",
        postal_address="1 Example Street",
    )
    async with (
        Sandbox(webhooks={"sms": f"{public}/hooks/sms/main", "email": f"{public}/hooks/email/main"}) as sandbox,
        Movement.open(settings, sandbox, port=port) as movement,
    ):
        yield movement
