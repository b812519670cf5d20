"""``outreach keys``: the secrets that an installation makes for itself, and what is to be published of them."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import click
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from channels import REGISTRY
from channels.webpush import new_private_key
from channels.webpush.vapid import encode, load_private_key
from router.cli.dns import mail_records, new_dkim_key
from router.cli.envfile import append_variables, read_variables
from router.cli.table import out, outreach
from router.settings import MAIN, channel_settings, variable

SECRET_KEY = "OUTREACH_SECRET_KEY"  # noqa: S105 - a name
VAPID_KEY = "OUTREACH_WEBPUSH_VAPID_PRIVATE_KEY"
DKIM_KEY = "OUTREACH_EMAIL_DKIM_KEY"
DKIM_SELECTOR = "OUTREACH_EMAIL_DKIM_SELECTOR"
WEBHOOK_SECRET = "OUTREACH_TELEGRAM_WEBHOOK_SECRET"  # noqa: S105 - a name

MADE: Mapping[str, tuple[str, Callable[[], str]]] = {
    "secret": (SECRET_KEY, lambda: secrets.token_urlsafe(48)),
    "webpush": (VAPID_KEY, new_private_key),
    "email": (DKIM_KEY, new_dkim_key),
    # 1 to 256 letters, digits, _ and -: https://core.telegram.org/bots/api#setwebhook
    "telegram": (WEBHOOK_SECRET, lambda: secrets.token_urlsafe(48)),
}
"""What a secret is for → the variable that holds it, and how it is made."""


@outreach.command()
@click.argument("what", metavar="[secret|webpush|email|telegram]...", nargs=-1, type=click.Choice(list(MADE)))
@click.option("--domain", default="", help="Domain that mail comes from; by default OUTREACH_EMAIL_FROM_ADDRESS's.")
@click.option("--selector", default="outreach", show_default=True, help="Name of the DKIM key in the DNS.")
@click.option(
    "--write",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append to this file, which only you may read, instead of showing secrets. What it has already, it keeps.",
)
def keys(what: tuple[str, ...], domain: str, selector: str, file: Path | None) -> None:
    """Make the secrets that an installation needs. Keep them: links, suppressions and browsers depend on them.

    Without names all of them. What is printed can be kept as a file of variables; its comments hold what is public.
    """
    chosen = what or tuple(MADE)
    there = read_variables(file) if file else {}
    values: dict[str, str] = {}
    for name, make in map(MADE.__getitem__, chosen):
        values[name] = there.get(name) or make()
        if name == DKIM_KEY:
            values[DKIM_SELECTOR] = there.get(DKIM_SELECTOR) or selector
    if file is None:
        for name, value in values.items():
            _say(f"{name}={shlex.quote(value)}")
    else:
        _write(file, values, there)
    if "webpush" in chosen:
        _say(f"# Browsers subscribe to the public key {_public_key(values[VAPID_KEY])}")
    if "email" in chosen:
        domain = domain or _mail("dkim_domain", there) or _mail("from_address", there).rpartition("@")[2]
        records = mail_records(values[DKIM_KEY], values[DKIM_SELECTOR], domain or "YOUR.DOMAIN", _mail("host", there))
        _say("# Publish in the DNS, so that mailbox providers believe what you send:")
        for record in records:
            _say(f"# {record}")


def _write(file: Path, values: Mapping[str, str], there: Mapping[str, str]) -> None:
    new = {name: value for name, value in values.items() if not there.get(name)}
    append_variables(file, new)
    kept = [name for name in values if name not in new]
    if new:
        _say(f"# {file} has {', '.join(new)} now.")
    if kept:
        _say(f"# {file} had {', '.join(kept)} already and keeps it.")


def _public_key(private_key: str) -> str:
    """The ``applicationServerKey`` of a browser's subscription: an uncompressed point (RFC 8292, 3.2)."""
    public_key = load_private_key(private_key).public_key()
    return encode(public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def _mail(setting: str, there: Mapping[str, str]) -> str:
    """What is known of the email channel, from the environment or from the file."""
    known = channel_settings(REGISTRY["email"].spec).get(setting)
    return known or there.get(variable("email", MAIN, setting), "")


def _say(line: str) -> None:
    """One line, as it is, however long: it will be copied."""
    out.print(line, highlight=False, markup=False, soft_wrap=True)
