"""`earlybird messages`: what waits to be sent, and sending it without a worker."""

from __future__ import annotations

import typer
from rich.table import Table

from earlybird import wiring
from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.infra.db import rehearsal
from earlybird.notifications import queries, service

app = typer.Typer(help="Messages to people: list what waits or failed, send now.")


@app.callback(invoke_without_command=True)
def list_messages(call: typer.Context, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show the newest 200 messages that wait or failed; what they say is never shown.

    Exit codes: 0 done, 3 no database or disk.

    Example: earlybird messages --json
    """
    if call.invoked_subcommand is not None:
        return
    with terminal.database(data_dir) as engine, rehearsal(engine) as session:
        found = queries.unsent(session)
    if as_json:
        terminal.answer(found)
        return
    table = Table("kind", "channel", "address", "state", "since", "tries", "why")
    for row in found:
        since = f"{row['state_at']:%Y-%m-%d %H:%M}"
        table.add_row(
            row["kind"], row["channel"], row["address"], row["state"], since, str(row["tries"]), row["last_error"]
        )
    terminal.out.print(table)


@app.command()
def send(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Send every message that is due, as the worker does; where no gateway is configured all of them wait.

    Exit codes: 0 done, 1 a gateway's URL is malformed, 3 no database or disk.

    Example: earlybird messages send
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
        typer.echo(f"{done} messages tried.")
