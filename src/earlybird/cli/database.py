"""`earlybird db`: reach the database."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from earlybird import schema
from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.infra import db
from earlybird.infra.embedded import Embedded

app = typer.Typer(name="db", help="Reach the database.", no_args_is_help=True)


def _address(data_dir: Path | None) -> tuple[str, Path | None]:
    """Return the address of the migrated database, kept running, and the folder of its own psql, if it has one."""
    found = terminal.settings(data_dir)
    if found.database_url:
        url, tools = found.database_url, None
    else:
        embedded = Embedded(found.data_dir)
        url, tools = embedded.start(keep=True), embedded.binaries().directory
    engine = db.connect(url)
    try:
        schema.prepare(engine, is_production=found.production)
        return engine.url.set(drivername="postgresql").render_as_string(hide_password=False), tools
    finally:
        engine.dispose()


@app.command()
def url(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Print how to reach the database; the embedded one is started if need be, and stays.

    Exit codes: 0 done, 3 no database.

    Example: psql "$(earlybird db url)"
    """
    address, _ = _address(data_dir)
    if as_json:
        terminal.answer({"url": address})
    else:
        typer.echo(address)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context, data_dir: DataDir = None) -> None:
    """Open psql on the database; what follows goes to psql.

    Exit codes: psql's own; 3 no database.

    Example: earlybird db psql -c "SELECT count(*) FROM charges"
    """
    address, tools = _address(data_dir)
    own = tools / "psql" if tools else None
    program = str(own) if own and own.is_file() else "psql"
    try:
        os.execvp(program, [program, address, *context.args])  # noqa: S606  the arguments are psql's, no shell
    except FileNotFoundError:
        terminal.stop("There is no psql here; install PostgreSQL's client.", terminal.ENVIRONMENT)


@app.command()
def stop(data_dir: DataDir = None) -> None:
    """Stop the embedded database that `db url` or `db psql` left running.

    Exit codes: 0 done, 3 it does not stop.

    Example: earlybird db stop
    """
    found = terminal.settings(data_dir)
    if found.database_url:
        terminal.stop("EARLYBIRD_DATABASE_URL names a server of your own; it is not ours to stop.")
    Embedded(found.data_dir).stop()
    typer.echo("Stopped.")
