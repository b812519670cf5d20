"""``outreach keys``: the secrets that an installation makes for itself, and how those it keeps come under a new key."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from channels import SPECS
from channels.webpush.vapid import encode, load_private_key, new_private_key
from router.app import utc_now
from router.cli.dns import mail_records, new_dkim_key
from router.cli.envfile import append_variables, read_variables
from router.cli.group import with_runtime
from router.cli.table import out, outreach
from router.core.sealing import OLD_KEYS
from router.runtime import Runtime
from router.settings import MAIN, channel_settings, variable
from router.store.campaigns import write_audit
from router.store.sealed import reseal

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


class _Keys(click.Command):
    """Names of secrets, or ``rotate``."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] == ["rotate"]:
            return rotate.make_context(f"{info_name} rotate", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


_STAYS = (
    f"{SECRET_KEY} stays what it is: it knows who said STOP and signs members' links, the audit log and attestations."
    " None of that can be brought under another key."
)


@outreach.command(cls=_Keys)
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

    `outreach keys rotate` brings the secrets that the ledger holds under a new key; see `outreach keys rotate --help`.
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


@click.command()
@click.option("--by", default="command line", show_default=True, help="Who does it; kept in the audit log.")
def rotate(by: str) -> None:
    """Bring the secrets that the ledger holds under the newest key, while everything runs.

    First give every process the new key: OUTREACH_SEALING_KEY is the new one, and the one it was goes to
    OUTREACH_OLD_SECRET_KEYS. Restart them, then run this. Stopped in the middle, it goes on where it was.
    """

    async def work(runtime: Runtime) -> list[str]:
        done: dict[str, int] = {}
        shut: list[str] = []
        async for step in reseal(runtime.store, runtime.ring):
            done[step.column] = step.done
            shut += step.shut
            _say(f"{step.column}: {step.done:,} so far")
        [number] = await runtime.store.take_ids(1)
        detail = {"key": runtime.ring.newest, "sealed": done, "shut": len(shut)}
        await runtime.store.transact(
            lambda connection: write_audit(
                connection, number, who=by, what="keys.rotate", subject="ledger", detail=detail, now=utc_now()
            )
        )
        _say(f"{sum(done.values()):,} stored secrets came under the key {runtime.ring.newest}.")
        return shut

    shut = with_runtime(work)
    for sentence in shut:
        _say(f"  • Not sealed anew: {sentence}.")
    if shut:
        _say(f"{len(shut):,} stay as they were. Mend these and run this again.")
    else:
        _say(f"None needs a key of {OLD_KEYS} any more. Keep those keys with backups that were made before now.")
    _say(_STAYS)
    if shut:
        raise SystemExit(1)


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
    known = channel_settings(SPECS["email"]).get(setting)
    return known or there.get(variable("email", MAIN, setting), "")


def _say(line: str) -> None:
    """One line, as it is, however long: it will be copied."""
    out.print(line, highlight=False, markup=False, soft_wrap=True)
