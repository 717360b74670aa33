"""`earlybird plan`: what is due on a date becomes orders, lines and stops at every site."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from earlybird.cli.terminal import USAGE as WRONG_USAGE
from earlybird.cli.terminal import AsJson, DataDir, answer, console, context, database, stop
from earlybird.deliveries.service import planning
from earlybird.infra.db import transaction
from earlybird.kernel.clock import business_day, days
from earlybird.kernel.money import Money
from earlybird.routes.service import cutting
from earlybird.territory import queries as territory

Day = Annotated[
    datetime | None,
    typer.Option("--on", formats=["%Y-%m-%d"], help="The service date; tomorrow at each site unless given."),
]
Through = Annotated[
    datetime | None, typer.Option("--through", formats=["%Y-%m-%d"], help="The last service date of a range.")
]


def plan(on: Day = None, through: Through = None, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Plan one or more service dates at every site of every business, and cut them into rounds.

    Planning again adds what is missing and adjusts what is neither out nor confirmed; nothing is
    planned twice. Each site's day is one transaction: interrupted, run it again.

    Exit codes: 0 done, 1 refused (a day before the day of change), 2 wrong dates, 3 no database or disk.

    Example: earlybird plan --on 2026-01-16 --through 2026-01-18
    """
    if through is not None and (on is None or through < on):
        stop("--through needs an --on that is not later.", WRONG_USAGE)
    ctx = context()
    columns = TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn()
    planned: list[tuple[dict[str, Any], planning.Planned]] = []
    with database(data_dir) as engine, Progress(*columns, console=console, transient=True) as progress:
        with transaction(engine) as session:
            sites = territory.sites(session)
        todo = [(site, day) for site in sites for day in _days(on, through, ctx.now, site["zone"])]
        task = progress.add_task("Planning", total=len(todo))
        for site, day in sorted(todo, key=lambda each: each[1]):
            progress.update(task, description=f"Planning {site['business']}, {site['name']}, {day}")
            with transaction(engine) as session:
                planned.append((site, planning.plan_day(session, ctx, site["id"], day)))
            with transaction(engine) as session:
                cutting.cut(session, ctx, site["id"], day)
            progress.advance(task)
    if as_json:
        answer([{"business": site["business"], "site": site["name"], **asdict(done)} for site, done in planned])
    else:
        Console(file=sys.stdout).print(_table(planned))


def _days(on: datetime | None, through: datetime | None, now: datetime, zone: str) -> list[date]:
    first = on.date() if on else business_day(now, zone) + timedelta(days=1)
    return list(days(first, through.date() if through else first))


def _table(planned: list[tuple[dict[str, Any], planning.Planned]]) -> Table:
    table = Table("Date", "Business", "Site")
    for title in ("Orders", "Lines", "Stops", "Planned", "Unassigned", "Not priced", "Added", "Changed", "Held"):
        table.add_column(title, justify="right")
    for site, done in planned:
        place = site["name"] + (f" (closed: {done.closed})" if done.closed else "")
        money = str(Money(done.amount_minor, done.currency))
        counts = (done.orders, done.lines, done.stops, money, done.unassigned, done.unpriced, done.added,
                  done.adjusted + done.cancelled, done.held)  # fmt: skip
        table.add_row(str(done.service_on), site["business"], place, *map(str, counts))
    return table
