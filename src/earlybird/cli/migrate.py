"""`earlybird migrate`: where the tables stand, what would be run, up and down."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.table import Table

from earlybird import schema
from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir, Without
from earlybird.deploy import linting
from earlybird.infra import db

app = typer.Typer(name="migrate", help="The tables' own versions: status, plan, up, down.", no_args_is_help=True)

To = Annotated[str | None, typer.Option("--to", metavar="VERSION", help="Up to this version; the newest without it.")]
Sql = Annotated[bool, typer.Option("--sql", help="Print the statements alone; nothing is asked of squawk.")]


@app.command()
def status(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Say at which version the tables stand, which this program runs on, and what waits.

    Exit codes: 0 this program can run on them, 1 it cannot, 3 no database.

    Example: earlybird migrate status
    """
    with terminal.unprepared(data_dir) as engine:
        version = schema.current(engine)
    known = schema.versions()
    facts: dict[str, Any] = {
        "database": version,
        "runs_on": sorted(schema.RUNS_ON),
        "newest": known[-1],
        "waiting": schema.between(version) if version is None or version in known else [],
        "ok": version in schema.RUNS_ON,
    }
    if as_json:
        terminal.answer(facts)
    else:
        mark = "[green]✓[/]" if facts["ok"] else "[red]✗[/]"
        waiting = ", ".join(facts["waiting"]) or "none"
        terminal.out.print(
            f"{mark} The tables stand at {version or 'nothing'}; this program runs on {', '.join(facts['runs_on'])}; "
            f"waiting: {waiting}.",
            highlight=False,
        )
    raise typer.Exit(terminal.OK if facts["ok"] else terminal.REFUSED)


@app.command()
def plan(to: To = None, sql: Sql = False, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Print the statements that `up` would run, and what squawk thinks of them where it is installed.

    Exit codes: 0 nothing to say against it, 1 squawk warns, 3 no database.

    Example: earlybird migrate plan --sql
    """
    with terminal.unprepared(data_dir) as engine:
        version = schema.current(engine)
        major = db.server_major(engine)
    plans = []
    for name in schema.between(version, to):
        before = _before(name)
        text = schema.sql(before, name, server_major=major)
        plans.append({"version": name, "sql": text, "squawk": None if sql else linting.ask(name, text)})
    if as_json:
        terminal.answer(plans)
    else:
        for one in plans:
            typer.echo(one["sql"])
        for one in plans:
            _tell(one)
        if not plans:
            terminal.console.print("Nothing waits.")
    raise typer.Exit(terminal.REFUSED if any(one["squawk"] for one in plans) else terminal.OK)


def _before(name: str) -> str | None:
    known = schema.versions()
    place = known.index(name)
    return known[place - 1] if place else None


def _tell(one: dict[str, Any]) -> None:
    if one["squawk"] is None:
        return
    for finding in one["squawk"]:
        terminal.console.print(
            f"[yellow]![/] {one['version']} {finding['rule']}, line {finding['line']}: {finding['message']}"
        )
    if not one["squawk"]:
        terminal.console.print(f"[green]✓[/] squawk has nothing against {one['version']}.", highlight=False)


@app.command()
def up(to: To = None, without_backup: Without = None, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Bring the tables up, one version at a time: short locks or none, each version whole or not at all.

    In production a fresh, proven backup is asked for first.

    Exit codes: 0 done, 1 refused, 3 no database.

    Example: earlybird migrate up
    """
    with terminal.unprepared(data_dir) as engine:
        version = schema.current(engine)
        names = schema.between(version, to)
        if names and version is not None:
            terminal.require_backup(engine, f"migrate up to {names[-1]}", without=without_backup)
        made = [_timed(engine, name) for name in names]
    _show(made, as_json=as_json)


@app.command()
def down(
    to: Annotated[str, typer.Option("--to", metavar="VERSION", help="Down to this version; base for no table.")],
    yes: Annotated[bool, typer.Option("--yes", help="Lose what only the newer tables hold.")] = False,
    without_backup: Without = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Take the tables down to an older version; what only the newer ones hold is lost.

    Exit codes: 0 done, 1 refused, 3 no database.

    Example: earlybird migrate down --to 0002 --yes
    """
    with terminal.unprepared(data_dir) as engine:
        version = schema.current(engine)
        if not yes:
            terminal.stop(f"That drops what came after {to} with its rows; add --yes to mean it.")
        terminal.require_backup(engine, f"migrate down to {to}", without=without_backup)
        begun = time.monotonic()
        schema.downgrade(engine, to)
        made = [{"from": version, "to": schema.current(engine), "seconds": round(time.monotonic() - begun, 3)}]
    _show(made, as_json=as_json)


def _timed(engine: Any, name: str) -> dict[str, Any]:
    before, begun = schema.current(engine), time.monotonic()
    schema.upgrade(engine, name)
    return {"from": before, "to": name, "seconds": round(time.monotonic() - begun, 3)}


def _show(made: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        terminal.answer(made)
        return
    table = Table("from", "to", "seconds")
    for one in made:
        table.add_row(one["from"] or "nothing", one["to"] or "nothing", f"{one['seconds']:.2f}")
    terminal.out.print(table if made else "Nothing waits.")
