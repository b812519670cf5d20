"""``outreach backup`` and ``outreach restore``: the ledger copied while everything runs, and brought back safely."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
from sqlalchemy.engine import URL

from router.app import specs, utc_now
from router.cli.group import open_settings, out, outreach
from router.core.errors import BadInput, NotFound
from router.core.sealing import KeyRing, key_ring
from router.loop import run
from router.records.backup import back_up
from router.records.restoring import Safe, key_fits, make_safe, refuse_living, restore_file
from router.settings import Settings
from router.store.campaigns import write_audit
from router.store.engine import Store
from router.store.migrate import migrate

_BY = "command line"
_KEEPS = ("sslmode", "sslrootcert", "host", "port")
"""What of a database's address other tools understand, and is no secret."""


@outreach.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
@click.option("--by", default=_BY, show_default=True, help="Who does it; kept in the audit log.")
def backup(file: Path, force: bool, by: str) -> None:
    """Copy the ledger into FILE while everything runs; of PostgreSQL it says how.

    FILE holds people's addresses and words: keep it encrypted, and the key apart from it.
    """
    settings = open_settings()
    store = Store(settings.database_url)
    if not store.is_sqlite:
        out.print("This ledger is on PostgreSQL. While everything runs, and not by way of a pooler:")
        _show(f"pg_dump --format=custom --file={shlex.quote(str(file))} {shlex.quote(_without_secrets(store.url))}")
        out.print("It asks for the password, or takes it from ~/.pgpass. To bring it back, with nothing running:")
        _show("createdb outreach && pg_restore --no-owner --dbname=outreach " + shlex.quote(str(file)))
        _show("outreach migrate && outreach restore --after")
        out.print("OUTREACH_SECRET_KEY is not in it: keep that elsewhere.", soft_wrap=True)
        return
    source = _ledger_file(store.url)
    if not source.exists():
        raise NotFound(f"there is no ledger at {source}; OUTREACH_DATABASE_URL says where it is")

    async def note() -> None:
        try:
            [number] = await store.take_ids(1)
            await store.transact(
                lambda connection: write_audit(
                    connection, number, who=by, what="ledger.backup", subject="ledger", detail={}, now=utc_now()
                )
            )
        finally:
            await store.aclose()

    run(note())
    copy = back_up(source, file, replace=force)
    _show(f"{file}: {copy.size / 1_000_000:,.1f} MB, version {copy.version}, read from end to end.")
    kept = "OUTREACH_SECRET_KEY" if settings.secret_key.get_secret_value() else str(_key_file(source))
    _show(f"The key ({kept}) is not in it. Keep it elsewhere: without it nobody may be written to.")
    if settings.sealing_key.get_secret_value():
        _show("Keep OUTREACH_SEALING_KEY with it: stored secrets open with nothing else.")


@outreach.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--after", is_flag=True, help="Make the ledger safe that another tool (pg_restore) has brought back.")
@click.option(
    "--nothing-sent-since",
    is_flag=True,
    help="You know that no worker ran after the backup was made: what waited then waits still.",
)
@click.option("--force", is_flag=True, help="Move the ledger aside that is there now.")
@click.option("--by", default=_BY, show_default=True, help="Who does it; kept in the audit log.")
def restore(file: Path | None, after: bool, nothing_sent_since: bool, force: bool, by: str) -> None:
    """Bring the ledger back from the backup in FILE, so that nobody is asked twice.

    Campaigns come back paused. What may have been sent after the backup is not sent again.
    """
    if after == (file is not None):
        raise click.UsageError("Name the FILE to bring back, or say --after where another tool has done that.")
    settings = open_settings()
    store = Store(settings.database_url)
    key = _key(settings, store)
    kinds = {spec.name: spec.address_kind for spec in specs()}
    ring = key_ring(settings.sealing_keys(key))
    if file is None:
        safe = run(_after(store, key, kinds, ring, nothing_sent_since=nothing_sent_since, by=by))
    else:
        if not store.is_sqlite:
            raise BadInput(
                "this ledger is on PostgreSQL: bring FILE back with pg_restore, then run `outreach migrate` and"
                " `outreach restore --after`",
                place="OUTREACH_DATABASE_URL",
            )
        _ledger_file(store.url)
        restored = run(
            restore_file(
                file,
                store.url,
                key,
                kinds,
                ring,
                force=force,
                nothing_sent_since=nothing_sent_since,
                by=by,
                now=utc_now(),
            )
        )
        _show(f"The ledger is back: {restored.size / 1_000_000:,.1f} MB.")
        if restored.aside is not None:
            _show(f"The one that was there is {restored.aside}. Delete it when you need it no more.")
        safe = restored.safe
    _tell(safe, nothing_sent_since=nothing_sent_since)


async def _after(
    store: Store, key: bytes, kinds: dict[str, str], ring: KeyRing, *, nothing_sent_since: bool, by: str
) -> Safe:
    try:
        await migrate(store)
        await refuse_living(store)
        if not await key_fits(store, key, kinds, ring):
            raise BadInput(
                "is not the key this ledger was made with: links in messages would be dead and opt-outs not be known",
                place="OUTREACH_SECRET_KEY",
            )
        return await make_safe(store, nothing_sent_since=nothing_sent_since, by=by, now=utc_now())
    finally:
        await store.aclose()


def _tell(safe: Safe, *, nothing_sent_since: bool) -> None:
    paused = ", ".join(str(number) for number in safe.paused) or "none"
    _show(f"Paused campaigns: {paused}.")
    _show(f"Messages that were just being sent when the backup was made, unknown now: {safe.in_the_air:,}.")
    if nothing_sent_since:
        _show("What waited then waits still. Look at each paused campaign, then: outreach resume CAMPAIGN")
        return
    _show(f"Messages that waited then and may have left since, unknown now: {safe.withheld:,}.")
    _show(f"Members who had not had their turn and may have been asked since, held now: {safe.unasked:,}.")
    _show("Before you start anything: import who opted out since (outreach import FILE --suppress), erase again")
    _show("whom you erased since. Then look at each paused campaign, and resume or cancel it.")


def _ledger_file(url: URL) -> Path:
    if url.database in (None, "", ":memory:"):
        raise BadInput("names no file; use sqlite:///FILE", place="OUTREACH_DATABASE_URL")
    return Path(str(url.database))


def _key_file(ledger: Path) -> Path:
    return ledger.with_suffix(".key")


def _key(settings: Settings, store: Store) -> bytes:
    """The installation's key, which must be there before the ledger is: a new one would fit nothing in it."""
    given = settings.secret_key.get_secret_value()
    if given:
        return given.encode()
    if store.is_sqlite:
        path = _key_file(_ledger_file(store.url))
        if path.exists():
            return path.read_text().strip().encode()
        raise BadInput(
            f"is missing; put back the key that belongs to the backup, as {path}", place="OUTREACH_SECRET_KEY"
        )
    raise BadInput("is missing; set the backup's own key", place="OUTREACH_SECRET_KEY")


def _without_secrets(url: URL) -> str:
    query = {name: value for name, value in url.query.items() if name in _KEEPS}
    bare = URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)
    return bare.render_as_string()


def _show(words: str) -> None:
    out.print(words, highlight=False, markup=False, soft_wrap=True)
