"""`earlybird rounds`: who drives what on a day, how far they are, and their stops in order."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.deliveries.queries import rounds
from earlybird.infra.db import rehearsal

app = typer.Typer(help="Rounds: list those of a day, show their stops in order.", no_args_is_help=True)

Day = Annotated[datetime, typer.Option("--on", formats=["%Y-%m-%d"], help="The service date.")]
MOST = 200


@app.command("list")
def list_rounds(on: Day, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the rounds of a day at every site, at most 200, and how far they are.

    Exit codes: 0 done, 2 wrong date, 3 no database or disk.

    Example: earlybird rounds list --on 2026-01-16
    """
    with terminal.database(data_dir) as engine, rehearsal(engine) as session:
        found = rounds.page(session, terminal.context(), first_on=on.date(), last_on=on.date(), limit=MOST).items
    if as_json:
        terminal.answer(found)
        return
    table = Table("id", "Site", "Shift", "Round", "Driver", "State")
    for title in ("Stops", "Open", "Delivered", "Partly", "Not"):
        table.add_column(title, justify="right")
    for row in sorted(found, key=lambda row: (row["site_name"], row["shift"] != "morning", row["name"])):
        counts = (row[name] for name in ("stops", "open", "delivered", "partially_delivered", "not_delivered"))
        table.add_row(str(row["id"]), row["site_name"], row["shift"], row["name"], _driver(row), row["state"],
                      *map(str, counts))  # fmt: skip
    terminal.out.print(table)


@app.command()
def show(
    on: Day,
    driver: Annotated[str | None, typer.Option(help="Only the rounds of the driver of that name.")] = None,
    round_id: Annotated[UUID | None, typer.Option("--round", help="Only the round of that id.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show the rounds of a day with their stops in the order they are driven.

    Exit codes: 0 done, 1 no such round on that day, 2 wrong date or id, 3 no database or disk.

    Example: earlybird rounds show --on 2026-01-16 --driver Prakash
    """
    ctx = terminal.context()
    with terminal.database(data_dir) as engine, rehearsal(engine) as session:
        day = rounds.page(session, ctx, first_on=on.date(), last_on=on.date(), limit=MOST).items
        wanted = [
            row["id"]
            for row in reversed(day)
            if driver in {None, row["driver_name"], row["substitute_name"]} and round_id in {None, row["id"]}
        ]
        found = [rounds.round_shown(session, ctx, key) for key in wanted]
    if not found and (driver is not None or round_id is not None):
        terminal.stop("There is no such round on that day.")
    if as_json:
        terminal.answer(found)
        return
    for row in found:
        table = Table("#", "Customer", "Where", "What", "State", title=f"{row['name']}, {row['shift']}, {row['state']}")
        for stop in row["in_order"]:
            what = ", ".join(f"{n['ordered_quantity']} {n['unit']} {n['product_name']}" for n in stop["lines"])
            where = (stop["address"] or {}).get("line1", "")
            locked = " *" if stop["is_locked"] else ""
            table.add_row(f"{stop['position']}{locked}", stop["customer_name"], where, what, stop["state"])
        terminal.out.print(table)


def _driver(row: dict[str, Any]) -> str:
    name = row["driver_name"] or "nobody"
    return f"{row['substitute_name']} for {name}" if row["substitute_name"] else name
