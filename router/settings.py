"""The only reader of the environment. Everything an operator can set stands here, with its default.

``OUTREACH_CONFIG`` names a folder whose ``*.toml`` files stand in for the packaged ones of the same name.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from router.core.channel import ChannelSpec
from router.core.data import data_folder
from router.core.errors import BadInput
from router.core.sealing import SHORTEST_SECRET

LEAST_LEASE = 15
"""Seconds. A claim lengthens its lease as it begins, starts sends for 3 s and waits 8 s for the last answer (DESIGN.md
6, rules 3 and 8): so it never begins with less than 12 s left, and 3 s are for the commit of what came of it."""


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
    sealing_key: SecretStr = Field(
        SecretStr(""),
        description="Encrypts stored secrets; 32 characters or more, may be changed. Empty: `OUTREACH_SECRET_KEY` does",
    )
    old_secret_keys: SecretStr = Field(
        SecretStr(""),
        description="Earlier keys, comma separated, that still open what they encrypted. See `outreach keys rotate`",
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
    lease: int = Field(
        30,
        description="Seconds after which others take over what a worker that died had taken on; 15 or more",
        ge=LEAST_LEASE,
        le=600,
    )
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
    log: Literal["", "json", "text"] = Field(
        "", description="Lines of the log: `json` or `text`; empty: text on a terminal, else JSON"
    )
    metrics_port: int = Field(
        0, description="Port on which `outreach worker` offers its own numbers; 0: none", ge=0, le=65535
    )
    metrics_host: str = Field(
        "127.0.0.1", description="Address for that port; numbers need no token there, so let no stranger reach it"
    )

    @field_validator("sealing_key", "old_secret_keys")
    @classmethod
    def _long_enough(cls, given: SecretStr) -> SecretStr:
        if any(len(key) < SHORTEST_SECRET for key in _listed(given)):
            raise PydanticCustomError(
                "short_key", f"use keys of at least {SHORTEST_SECRET} characters; `outreach keys secret` makes one"
            )
        return given

    @field_validator("sealing_key")
    @classmethod
    def _one_key(cls, given: SecretStr) -> SecretStr:
        if "," in given.get_secret_value():
            raise PydanticCustomError("many_keys", "use one key, without a comma; `outreach keys secret` makes one")
        return given

    def sealing_keys(self, secret: bytes) -> tuple[bytes, ...]:
        """What stored secrets are encrypted with, the newest first; `secret` is the installation's own key."""
        newest = self.sealing_key.get_secret_value().encode()
        older = [key.encode() for key in _listed(self.old_secret_keys)]
        return tuple(dict.fromkeys([newest or secret, secret, *older]))

    @property
    def lease_ms(self) -> int:
        """`lease` in the unit of the ledger."""
        return self.lease * 1000


def _listed(given: SecretStr) -> list[str]:
    """What stands between the commas."""
    return [key for part in given.get_secret_value().split(",") if (key := part.strip())]


def load_settings(**override: Any) -> Settings:
    """Settings from the environment; raises `BadInput` naming the variable that is wrong."""
    try:
        return Settings(**{**_given_by_platform(), **override})
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(first["msg"], place="OUTREACH_" + "_".join(str(p) for p in first["loc"]).upper()) from None


_PLATFORM = {"database_url": "DATABASE_URL", "redis_url": "REDIS_URL", "port": "PORT"}
"""What Heroku and Dokku set by names of their own, anew whenever they like (devcenter.heroku.com/articles/config-vars).
Ours go before them."""


def _given_by_platform() -> dict[str, Any]:
    if not environment_flag("DYNO"):
        return {}
    ours = {name for name in Settings.model_fields if os.environ.get(f"OUTREACH_{name}".upper())}
    given = {name: os.environ[theirs] for name, theirs in _PLATFORM.items() if os.environ.get(theirs)}
    if "port" in given:
        given["host"] = "0.0.0.0"  # noqa: S104 - its router is on another machine
    return {name: value for name, value in given.items() if name not in ours}


def load_toml(name: str, settings: Settings) -> dict[str, Any]:
    """``config/NAME.toml``, or the operator's own file of that name; raises `BadInput` with file and place."""
    try:
        return tomllib.loads(toml_text(name, settings))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(str(error), place=f"{name}.toml") from None


def toml_text(name: str, settings: Settings) -> str:
    """The same file as it is written, with its comments; raises `BadInput` where it cannot be read."""
    path = toml_path(name, settings)
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", place=str(path)) from None


def toml_path(name: str, settings: Settings) -> Path:
    """Where that file lies: the operator's own, else the packaged one."""
    own = Path(settings.config) / f"{name}.toml" if settings.config else None
    return own if own is not None and own.is_file() else data_folder("config") / f"{name}.toml"


MAIN = "main"
"""The account that ``OUTREACH_<CHANNEL>_<SETTING>`` speaks of."""

_LOGIN = re.compile(r"://[^:/@\s]*:([^@\s]+)@")
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


def secrets_of(
    specs: Iterable[ChannelSpec], settings: Settings, environment: Mapping[str, str] | None = None
) -> list[str]:
    """Every secret that this process was given, so that none of them is ever logged."""
    found = [settings.secret_key.get_secret_value(), settings.sealing_key.get_secret_value()]
    found += _listed(settings.old_secret_keys)
    for spec in specs:
        secret = {one.name for one in spec.settings if one.secret}
        for account in accounts_of(spec, environment):
            given = channel_settings(spec, environment, account=account)
            found += [value for name, value in given.items() if name in secret]
    for url in (settings.database_url, settings.redis_url):
        if login := _LOGIN.search(url):
            found += [login[1], unquote(login[1])]
    return found


def otlp_endpoint() -> str:
    """Where traces go, by OpenTelemetry's own variable; "" where nobody wants them."""
    return os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")


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
    "otlp_endpoint",
    "secrets_of",
    "toml_path",
    "toml_text",
    "variable",
]
