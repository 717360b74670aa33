"""`earlybird webhooks`: who is told, telling again, and telling without a worker."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from earlybird import wiring
from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.infra.db import rehearsal, transaction
from earlybird.kernel.clock import aware
from earlybird.webhooks import queries, service

app = typer.Typer(help="Webhooks: list endpoints, send what waits, send again.", no_args_is_help=True)


@app.command("list")
def list_endpoints(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show the newest 200 endpoints, what they are told of, and how many events wait for each; never a secret.

    Exit codes: 0 done, 3 no database or disk.

    Example: earlybird webhooks list --json
    """
    with terminal.database(data_dir) as engine, rehearsal(engine) as session:
        found = queries.page(session, cursor=None, limit=200).items
    if as_json:
        terminal.answer(found)
        return
    table = Table("id", "url", "events", "state", "waiting", "failing since")
    for row in found:
        failing = row["failing_since_at"]
        table.add_row(
            str(row["id"]),
            row["url"],
            " ".join(row["events"]),
            row["state"],
            str(row["waiting_count"]),
            f"{failing:%Y-%m-%d %H:%M}" if failing else "",
        )
    terminal.out.print(table)


@app.command()
def send(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Tell what happened and is due, as the worker does every ten seconds.

    Exit codes: 0 done, 3 no database or disk.

    Example: earlybird webhooks send
    """
    settings = terminal.settings(data_dir)
    done = 0
    with terminal.database(data_dir) as engine:
        job = next(job for job in wiring.on_demand(settings) if job.name == service.SEND)
        while count := int(str(job.run(engine, terminal.context()))):
            done += count
    if as_json:
        terminal.answer({"tried": done})
    else:
        typer.echo(f"{done} webhooks tried.")


@app.command()
def replay(
    data_dir: DataDir = None,
    as_json: AsJson = False,
    endpoint: Annotated[UUID | None, typer.Option(help="Only this endpoint; every active one without it.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Every event since then (UTC), arrived or not.")] = None,
    event: Annotated[UUID | None, typer.Option(help="This event.")] = None,
) -> None:
    """Send kept events (30 days) again, under their old ids; without --since and --event those that failed.

    Exit codes: 0 done, 1 no such endpoint or event, or it is disabled, 3 no database or disk.

    Example: earlybird webhooks replay --since 2026-01-15
    """
    with terminal.database(data_dir) as engine, transaction(engine) as session:
        start = aware(since.replace(tzinfo=since.tzinfo or UTC)) if since else None
        count = service.replay(session, terminal.context(), endpoint_id=endpoint, since=start, event_id=event)
    if as_json:
        terminal.answer({"events": count})
    else:
        typer.echo(f"{count} events will be sent again.")
