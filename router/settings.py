"""The only reader of the environment. Everything an operator can set stands here, with its default.

``OUTREACH_CONFIG`` names a folder whose ``*.toml`` files stand in for the packaged ones of the same name.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from router.core.channel import ChannelSpec
from router.core.data import data_folder
from router.core.errors import BadInput


class Settings(BaseSettings):
    """What an operator sets, by environment variables that begin with ``OUTREACH_``."""

    model_config = SettingsConfigDict(env_prefix="OUTREACH_", extra="ignore", frozen=True)

    database_url: str = Field(
        "sqlite:///outreach.sqlite3", description="Where the ledger lives: sqlite:///FILE or postgresql://…"
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Signs links and hashes addresses; 32 characters or more, never changed. `outreach keys` makes one",
    )
    public_url: str = Field(
        "http://127.0.0.1:8080", description="The address under which members and providers reach this installation"
    )
    organization: str = Field("Our movement", description="The sender's name in every message")
    redis_url: str = Field(
        "", description="redis://… for limits and signals that several workers share; empty where there is one process"
    )
    redis_down: Literal["wait", "share"] = Field(
        "wait", description="Without Redis: `wait` until it is back, or go on with a `share` of each rate"
    )
    redis_share: float = Field(0.2, description="The share of each rate that is safe for one process alone", gt=0, le=1)
    postal_address: str = Field("", description="Postal address at the foot of emails (CAN-SPAM, CASL)")
    help_contact: str = Field("", description="Whom HELP names: a phone number, mailbox or page")
    default_region: str = Field("US", description="Country of phone numbers written without +, ISO 3166 two letters")
    host: str = Field("127.0.0.1", description="Address that the web server listens on")
    port: int = Field(8080, description="Port that the web server listens on", ge=0, le=65535)
    config: str = Field("", description="Folder whose TOML files stand in for the packaged ones")
    private_networks: str = Field(
        "", description="Networks that addresses given by strangers may lead to: 127.0.0.0/8 for a sandbox, else none"
    )
    trusted_proxy: bool = Field(False, description="Whether X-Forwarded-For is set by a proxy of ours")
    split_disks: bool = Field(
        False, description="Whether web and worker run on machines that share no disk (then SQLite is refused)"
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")


def load_settings(**override: Any) -> Settings:
    """Settings from the environment; raises `BadInput` naming the variable that is wrong."""
    try:
        return Settings(**override)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(first["msg"], place="OUTREACH_" + "_".join(str(p) for p in first["loc"]).upper()) from None


def load_toml(name: str, settings: Settings) -> dict[str, Any]:
    """``config/NAME.toml``, or the operator's own file of that name; raises `BadInput` with file and place."""
    try:
        return tomllib.loads(toml_text(name, settings))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(str(error), place=f"{name}.toml") from None


def toml_text(name: str, settings: Settings) -> str:
    """The same file as it is written, with its comments; raises `BadInput` where it cannot be read."""
    own = Path(settings.config) / f"{name}.toml" if settings.config else None
    path = own if own is not None and own.is_file() else data_folder("config") / f"{name}.toml"
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", place=str(path)) from None


MAIN = "main"
"""The account that ``OUTREACH_<CHANNEL>_<SETTING>`` speaks of."""

_ACCOUNT = re.compile(r"[A-Z0-9]+(?:_[A-Z0-9]+)*")


def variable(channel: str, account: str, setting: str) -> str:
    """The environment variable of one setting: ``OUTREACH_SMS_AUTH_TOKEN``, ``OUTREACH_SMS__BACKUP__AUTH_TOKEN``."""
    middle = "_" if account == MAIN else f"__{account}__"
    return f"OUTREACH_{channel}{middle}{setting}".upper()


def channel_settings(
    spec: ChannelSpec, environment: Mapping[str, str] | None = None, *, account: str = MAIN
) -> dict[str, str]:
    """What the environment says for one account of a channel, defaults filled in.

    A required setting that is missing stays out of the result; `missing_settings` names it.
    """
    env = os.environ if environment is None else environment
    found = {one.name: env.get(variable(spec.name, account, one.name)) or one.default for one in spec.settings}
    return {name: value for name, value in found.items() if value}


def accounts_of(spec: ChannelSpec, environment: Mapping[str, str] | None = None) -> list[str]:
    """The accounts of a channel of which the environment says anything."""
    env = os.environ if environment is None else environment
    prefix = f"OUTREACH_{spec.name}__".upper()
    named = {name.removeprefix(prefix).partition("__")[0] for name in env if name.startswith(prefix)}
    others = sorted(name.lower() for name in named if _ACCOUNT.fullmatch(name) and name != MAIN.upper())
    is_set_up = any(env.get(variable(spec.name, MAIN, one.name)) for one in spec.settings)
    return [MAIN, *others] if is_set_up else others


def missing_settings(spec: ChannelSpec, found: Mapping[str, str], *, account: str = MAIN) -> list[str]:
    """The environment variables that must be set before this account can work."""
    return [variable(spec.name, account, one.name) for one in spec.settings if one.required and not found.get(one.name)]


def environment_flag(name: str) -> bool:
    """Whether the platform set this variable of its own (``DYNO`` on Heroku-like ones)."""
    return bool(os.environ.get(name))


__all__ = [
    "MAIN",
    "Settings",
    "accounts_of",
    "channel_settings",
    "data_folder",
    "environment_flag",
    "load_settings",
    "load_toml",
    "missing_settings",
    "toml_text",
    "variable",
]
