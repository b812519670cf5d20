"""Reads ``templates/messages``: the page around an email and its footers."""

from __future__ import annotations

import tomllib
from pathlib import Path

from router.core.content import Footer, MessageTemplates
from router.core.errors import BadInput
from router.settings import data_folder


def load_message_templates() -> MessageTemplates:
    """The templates as packaged, or the checkout's own. Raises `BadInput` naming the file that is wrong."""
    folder = data_folder("templates") / "messages"
    return MessageTemplates(email_html=_read(folder / "email.html"), footers=_footers(folder / "footer.toml"))


def _footers(path: Path) -> dict[str, Footer]:
    try:
        footers = {language: Footer(**words) for language, words in tomllib.loads(_read(path)).items()}
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise BadInput(str(error), place=path.name) from None
    if "en" not in footers:
        raise BadInput("has no [en], which stands in for every other language", place=path.name)
    return footers


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", place=path.name) from None
