"""`earlybird writing`: stop all writing for a while, and let it go on."""

from __future__ import annotations

from typing import Annotated

import typer

from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.deploy import writing
from earlybird.infra import db

app = typer.Typer(name="writing", help="Stop all writing, let it go on; reading is not touched.", no_args_is_help=True)

Wait = Annotated[float, typer.Option("--wait", min=0.1, help="How many seconds to wait for those who are writing.")]


@app.command()
def status(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Say whether writing is stopped, by whom, since when and why.

    Exit codes: 0 it goes on, 1 it is stopped, 3 no database.

    Example: earlybird writing status
    """
    with terminal.database(data_dir, past_gate=True) as engine, db.rehearsal(engine) as session:
        found = writing.standing(session)
    if as_json:
        terminal.answer({"stopped": found is not None, "by": found})
    elif found:
        since = f"{found['stopped_at']:%Y-%m-%d %H:%M:%S}"
        terminal.out.print(f"[red]✗[/] Stopped by {found['actor_name']} since {since} UTC: {found['reason']}")
    else:
        terminal.out.print("[green]✓[/] Writing goes on.")
    raise typer.Exit(terminal.REFUSED if found else terminal.OK)


@app.command()
def stop(
    reason: Annotated[str, typer.Option(help="Why; kept in the trail.")], wait: Wait = 30.0, data_dir: DataDir = None
) -> None:
    """Stop writing: the API answers 503 to writes, jobs wait, commands may only look; until `writing allow`.

    Exit codes: 0 done, 1 it is stopped already, or somebody writes for too long; 3 no database.

    Example: earlybird writing stop --reason "the disk is being changed"
    """
    with terminal.database(data_dir, past_gate=True) as engine:
        writing.stop(engine, terminal.context(), reason=reason, patience=wait)
    typer.echo("Writing is stopped.")


@app.command()
def allow(
    reason: Annotated[str | None, typer.Option(help="Why; kept in the trail.")] = None, data_dir: DataDir = None
) -> None:
    """Let writing go on, also after a rollback that died or did not verify.

    Exit codes: 0 done, 1 it was not stopped, 3 no database.

    Example: earlybird writing allow
    """
    with terminal.database(data_dir, past_gate=True) as engine:
        writing.allow(engine, terminal.context(), reason=reason)
    typer.echo("Writing goes on.")
