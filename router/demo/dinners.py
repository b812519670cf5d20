"""The demo's scenario ``dinners``: neighbours host, neighbours come, and hear what came of it. All of it by text."""

from __future__ import annotations

import csv
import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import zipcodes
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import text

from channels.sandbox import Sandbox
from router.community.attendance import check_in
from router.community.event_desk import approve_event, refuse_event
from router.community.events import list_events
from router.community.places import import_places
from router.community.report_backs import ReportBackIn, write_report_back
from router.core.ask import Ask
from router.demo.crowd import import_members
from router.demo.house import EVENING, Clock, installation, working
from router.demo.phones import ON_PHONES, Person, at_step, read_rows, say, show_phone, still, who_got
from router.demo.watching import launch, stay, watch
from router.runtime import Runtime

DINNER = datetime(2026, 12, 3, 19, 0)  # noqa: DTZ001 - by the clock of each place
_TABLE = 4
_HOSTS, _SHARE = 30, 0.5
"""How many answer the first ask, and which part of those who get the second one."""

_PEOPLE = {"op": "and", "of": [{"op": "place", "country": "US"}, {"op": "has_channel", "channel": "sms"}]}

_HOST: dict[str, Any] = {
    "title": "Open your table on 3 December",
    "wants": "host",
    "channels": ["sms"],
    "audience": {"op": "and", "of": [*_PEOPLE["of"], {"op": "tag", "tag": "volunteer"}]},
    "gathering": {"title": "Neighbours' dinner", "starts_at_local": DINNER, "seats": _TABLE},
    "texts": {"en": {"default": {"text": (
        "Hi {{ first_name | default('neighbour') }}, on 3 Dec neighbours eat together in homes all over the country."
        " Can you open your table? Reply HOST. STOP ends these."
    )}}},
}  # fmt: skip

_COME: dict[str, Any] = {
    "title": "Eat with your neighbours on 3 December",
    "wants": "attend",
    "channels": ["sms"],
    "audience": _PEOPLE,
    "texts": {"en": {"default": {"text": (
        "Hi {{ first_name | default('neighbour') }}, neighbours open their tables on 3 Dec at 7 pm. Will you eat with"
        " one near you? Reply YES. STOP ends these."
    )}}},
}  # fmt: skip

_REPORT = (
    "On 3 December neighbours who had never met ate together in homes all over the country. You and {{ others }} others"
    " made it happen. The next dinner is yours to open: reply HOST."
)


async def run_dinners(out: Console, *, members: int, seed: int, once: bool) -> None:
    """Run it and print what happens; without `once`, keep it running to look around in."""
    clock = Clock(EVENING)
    draw = random.Random(seed)  # noqa: S311 - made-up people, no secret
    with tempfile.TemporaryDirectory(prefix="outreach-demo-") as folder:
        async with installation(Path(folder), clock) as (runtime, sandbox, url):
            out.rule("1. Members come in from a CSV file, and where postcodes lie")
            await import_members(runtime, out, Path(folder) / "members.csv", members, seed)
            many = await _import_places(runtime, Path(folder) / "places.csv")
            out.print(f"{many:,} postcodes are known by their coordinates.")
            async with working(runtime):
                out.rule("2. Volunteers are asked to open their tables")
                asked = await launch(runtime, Ask.model_validate(_HOST))
                await watch(runtime, sandbox, asked, out)
                await _host(runtime, sandbox, asked, draw, out)
                await _approve(runtime, asked, out)
                out.rule("3. Four days later everybody is asked to come")
                clock.move_to(EVENING + timedelta(days=4))
                gathering = {**_HOST["gathering"], "of": asked}
                invited = await launch(runtime, Ask.model_validate({**_COME, "gathering": gathering}))
                await watch(runtime, sandbox, invited, out)
                await _come(runtime, sandbox, invited, draw, out)
                out.rule("4. Reminders, the evening, and how it was")
                await _evening(runtime, sandbox, clock, draw, out)
                out.rule("5. What came of it")
                await _report(runtime, sandbox, invited, clock, out)
                await _tell(runtime, out)
                if not once:
                    await stay(out, runtime, sandbox, url)


async def _import_places(runtime: Runtime, path: Path) -> int:
    """The coordinates of the members' postcodes, as a file that anybody can download for their country."""
    async with runtime.store.read() as connection:
        codes = (
            await connection.execute(
                text("SELECT DISTINCT postcode FROM member WHERE country = 'US' AND postcode <> '' ORDER BY postcode")
            )
        ).scalars()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["country", "postcode", "name", "latitude", "longitude"])
        for code in codes:
            for found in zipcodes.similar_to(code[:5])[:1]:  # type: ignore[no-untyped-call]
                writer.writerow(["US", found["zip_code"], found["city"], found["lat"], found["long"]])
    return (await import_places(runtime.store, path)).kept


async def _host(runtime: Runtime, sandbox: Sandbox, campaign: int, draw: random.Random, out: Console) -> None:
    """Some answer HOST: most step by step, some in one message, some with an address that cannot be."""
    people = await who_got(runtime, campaign)
    hosts = draw.sample(people, min(_HOSTS, len(people)))
    at_once, by_steps = hosts[: len(hosts) // 3], hosts[len(hosts) // 3 :]
    streets = {one.member: f"{draw.randrange(1, 200)} Example Street, {one.postcode}" for one in hosts}
    await say(runtime, sandbox, [(one, f"HOST {_TABLE}, {streets[one.member]}") for one in at_once])
    await say(runtime, sandbox, [(one, "Host") for one in by_steps])
    await say(runtime, sandbox, [(one, "about four!") for one in by_steps[:3]] + [(one, "4") for one in by_steps[3:]])
    await say(runtime, sandbox, [(one, "4") for one in by_steps[:3]])
    await say(runtime, sandbox, [(one, streets[one.member]) for one in by_steps])
    show_phone(out, sandbox, by_steps[0], "One host's telephone")


async def _approve(runtime: Runtime, campaign: int, out: Console) -> None:
    """An organizer looks at each; the last one is refused."""
    proposed = await list_events(runtime, campaign_id=campaign, status="proposed", public=False, limit=200)
    *good, doubtful = proposed
    for one in good:
        await approve_event(runtime, one.id, by="bo", now=runtime.clock())
    await refuse_event(
        runtime, doubtful.id, reason="there is another table in the same house", by="bo", now=runtime.clock()
    )
    out.print(f"{len(proposed)} events were proposed; an organizer opens {len(good)} of them and refuses one.")


async def _come(runtime: Runtime, sandbox: Sandbox, campaign: int, draw: random.Random, out: Console) -> None:
    """Half of the people answer: YES, YES 2, a postcode, RSVP 1; who gets an offer takes it; some give it back."""
    people = await who_got(runtime, campaign)
    coming = draw.sample(people, int(len(people) * _SHARE))
    words = [draw.choice(["YES", "Yes!", "yes 2", one.postcode, "I'd love to", "RSVP 1"]) for one in coming]
    await say(runtime, sandbox, list(zip(coming, words, strict=True)))
    await say(runtime, sandbox, [(one, "Yes") for one in await at_step(runtime, coming, "event.offer")])
    show_phone(out, sandbox, coming[words.index("YES")], "One guest's telephone")
    gone = draw.sample(coming, len(coming) // 12)
    await say(runtime, sandbox, [(one, "sorry, can't come") for one in gone])
    await say(runtime, sandbox, [(one, "RSVP 99") for one in coming[:2]])
    async with runtime.store.read() as connection:
        confirmed, waiting = (
            await connection.execute(
                text(
                    "SELECT sum(CASE WHEN status = 'confirmed' THEN 1 ELSE 0 END),"
                    " sum(CASE WHEN status = 'waiting' THEN 1 ELSE 0 END) FROM rsvp"
                )
            )
        ).one()
    out.print(
        f"{len(coming):,} answered, {len(gone):,} of them then could not come. {confirmed or 0:,} have a seat,"
        f" {waiting or 0:,} are on a waiting list; freed seats went to whoever waited."
    )


async def _evening(runtime: Runtime, sandbox: Sandbox, clock: Clock, draw: random.Random, out: Console) -> None:
    """The clock goes on: reminders, the door, the next morning."""
    for moment, what in (
        (datetime(2026, 12, 2, 23, 30, tzinfo=UTC), "The day before: everybody with a seat is reminded."),
        (datetime(2026, 12, 3, 23, 0, tzinfo=UTC), "Two hours before the first dinners begin: once more."),
        (datetime(2026, 12, 4, 2, 0, tzinfo=UTC), "And in the west of the country."),
    ):
        out.print(what)
        clock.move_to(moment)
        await still(runtime, sandbox)
    came = 0
    for row in await read_rows(runtime, "SELECT event_id, member_id FROM rsvp WHERE status = 'confirmed'"):
        if draw.random() < 0.8:
            came += await check_in(runtime, row.event_id, row.member_id, by="the host", now=clock())
    out.print(f"{came:,} guests are ticked off at the door.")
    clock.move_to(datetime(2026, 12, 4, 18, 0, tzinfo=UTC))
    await still(runtime, sandbox)
    guests = [Person(*row) for row in await read_rows(runtime, ON_PHONES + " JOIN rsvp r ON r.member_id = m.id")]
    asked = await at_step(runtime, guests, "event.rating")
    answers = [(one, draw.choice(["5", "5 wonderful evening", "4", "3"])) for one in asked if draw.random() < 0.6]
    await say(runtime, sandbox, answers)
    out.print(f"The next day {len(asked):,} are asked how it was, and {len(answers):,} say so.")


async def _report(runtime: Runtime, sandbox: Sandbox, campaign: int, clock: Clock, out: Console) -> None:
    """Who acted hears what came of it, on the channel they acted on, at no cost to their attention."""
    clock.move_to(datetime(2026, 12, 5, 18, 0, tzinfo=UTC))
    body = ReportBackIn(text=_REPORT.replace("{{ others }}", "hundreds of"), texts={"en": _REPORT})
    told = await write_report_back(runtime, campaign, body, by="ana", now=clock())
    if told.sent_as is not None:
        clock.move_to(datetime(2026, 12, 5, 18, 30, tzinfo=UTC))
        runtime.signals.wake()
        await watch(runtime, sandbox, told.sent_as, out)


async def _tell(runtime: Runtime, out: Console) -> None:
    table = Table(title="The dinners, by place", title_justify="left", show_footer=True)
    rows = await read_rows(
        runtime,
        "SELECT e.area, count(*) AS dinners, sum(e.capacity) AS seats, sum(e.taken) AS taken,"
        " sum(e.waiting) AS waiting,"
        " (SELECT count(*) FROM rsvp r JOIN event x ON x.id = r.event_id WHERE x.area = e.area AND r.status = 'came')"
        " AS came, (SELECT avg(r.rating) FROM rsvp r JOIN event x ON x.id = r.event_id WHERE x.area = e.area) AS rating"
        " FROM event e WHERE e.status = 'open' GROUP BY e.area ORDER BY dinners DESC, e.area",
    )
    names = ("Dinners", "Seats", "Taken", "Waiting", "Came")
    table.add_column("Place", footer="all")
    for place, name in enumerate(names, 1):
        table.add_column(name, justify="right", footer=f"{sum(int(row[place] or 0) for row in rows):,}")
    table.add_column("Rating", justify="right")
    for row in rows:
        rating = f"{row.rating:.1f}" if row.rating is not None else ""
        table.add_row(escape(row.area or "?"), *(f"{int(row[place] or 0):,}" for place in range(1, 6)), rating)
    out.print(table)
    [hosted] = await read_rows(
        runtime,
        "SELECT count(DISTINCT e.host_id) AS hosts, (SELECT count(*) FROM event WHERE status = 'refused') AS refused,"
        " (SELECT count(*) FROM thread WHERE waiting > 0) AS threads, (SELECT sum(reminded) FROM rsvp) AS reminded"
        " FROM event e WHERE e.status = 'open'",
    )
    out.print(
        f"{hosted.hosts:,} hosts, {hosted.reminded or 0:,} reminders, and {hosted.threads:,} messages that no rule"
        " understood wait for an organizer (`outreach inbox`)."
    )
