"""``outreach events`` and ``outreach places``: who hosts what where, and where postcodes lie."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from router.app import utc_now
from router.cli.group import err, out, outreach, with_runtime
from router.community.event_desk import approve_event, cancel_event, refuse_event, trust_host
from router.community.event_model import EventView
from router.community.events import list_events
from router.community.places import PlacesReport, import_places
from router.core.event_words import day_and_time
from router.runtime import Runtime

_PAGE = 200
_EVENT = click.argument("event", type=click.IntRange(0, 2**63 - 1))
_BY = click.option("--by", default="command line", show_default=True, help="Who does it; kept in the audit log.")


@outreach.group("events")
def events() -> None:
    """Events that people host and come to: list them, approve, refuse and cancel them, trust a host.

    Members offer one by answering HOST; those of hosts you do not trust yet wait for your approval.
    """


@events.command("list")
@click.option("--campaign", type=click.IntRange(0, 2**63 - 1), help="Only those of this campaign.")
@click.option("--status", type=click.Choice(["proposed", "open", "refused", "cancelled"]), help="Only these.")
def list_command(campaign: int | None, status: str | None) -> None:
    """The events that we know; what is proposed waits for `outreach events approve`."""
    table = Table("Event", "Campaign", "No.", "Title", "When", "Where", "Host", "Seats", "Waiting", "")
    for one in with_runtime(lambda runtime: _all(runtime, campaign, status or "")):
        where = ", ".join(filter(None, (one.area, one.postcode)))
        host = str(one.host_id) if one.host_id else ""
        seats = f"{one.taken}/{one.capacity}"
        table.add_row(
            str(one.id), str(one.campaign_id or ""), str(one.number), one.title, _when(one), where, host, seats,
            str(one.waiting or ""), one.status,
        )  # fmt: skip
    out.print(table)


@events.command("approve")
@_EVENT
@_BY
def approve(event: int, by: str) -> None:
    """Open EVENT, which is proposed, to guests; its host is told."""
    _show(with_runtime(lambda runtime: approve_event(runtime, event, by=by, now=utc_now())))


@events.command("refuse")
@_EVENT
@click.option("--reason", default="", help="Its host is told.")
@_BY
def refuse(event: int, reason: str, by: str) -> None:
    """Refuse EVENT, which is proposed; its host is told."""
    _show(with_runtime(lambda runtime: refuse_event(runtime, event, reason=reason, by=by, now=utc_now())))


@events.command("cancel")
@_EVENT
@click.option("--reason", default="", help="Its host and its guests are told.")
@_BY
def cancel(event: int, reason: str, by: str) -> None:
    """Call EVENT off; its host and its guests are told."""
    _show(with_runtime(lambda runtime: cancel_event(runtime, event, reason=reason, by=by, now=utc_now())))


@events.command("trust")
@click.argument("member", type=click.IntRange(0, 2**63 - 1))
@click.option("--no-longer", is_flag=True, help="Their events wait for an approval again.")
@_BY
def trust(member: int, no_longer: bool, by: str) -> None:
    """Let the events of MEMBER open without an approval."""
    with_runtime(lambda runtime: trust_host(runtime, member, by=by, now=utc_now(), trusted=not no_longer))
    out.print(f"Events of member {member} {'wait for an approval again' if no_longer else 'open at once'}.")


@outreach.command("places")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def places(file: Path) -> None:
    """Read from FILE where postcodes lie, so that people are led to the nearest event.

    FILE is a country's file of https://download.geonames.org/export/zip/ (GB.zip, or unpacked), which may be used with
    GeoNames' name beside it (CC BY 4.0), or a CSV with the columns country, postcode, name, latitude, longitude.
    """
    report = with_runtime(lambda runtime: import_places(runtime.store, file, progress=_progress))
    for line, sentence in report.problems:
        err.print(f"line {line}: {sentence}", highlight=False, markup=False)
    said = f"Postcodes kept: {report.kept:,}. Lines: {report.lines:,}, of which {report.bad:,} could not be used."
    out.print(f"{said} Events that have found their place: {report.located:,}." if report.located else said)


def _progress(report: PlacesReport) -> None:
    if report.kept % 100_000 == 0:
        err.print(f"{report.kept:,} postcodes …", highlight=False)


async def _all(runtime: Runtime, campaign: int | None, status: str) -> list[EventView]:
    found: list[EventView] = []
    while page := await list_events(
        runtime, campaign_id=campaign, status=status, public=False, limit=_PAGE, after=found[-1].id if found else 0
    ):
        found += page
    return found


def _when(view: EventView) -> str:
    return day_and_time(view.starts_at, view.zone, "en")


def _show(view: EventView) -> None:
    said = f"Event {view.id} ({view.title}, {_when(view)}) is {view.status}."
    out.print(said, highlight=False, markup=False)
