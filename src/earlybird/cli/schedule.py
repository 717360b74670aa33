"""`earlybird jobs`: what runs on a schedule, whether it ran, and running it by hand."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from earlybird import wiring
from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.infra.db import rehearsal
from earlybird.jobs import queries, service
from earlybird.jobs.states import Outcome

app = typer.Typer(help="Jobs on a schedule: list them, run one, show what was missed.", no_args_is_help=True)


@app.command("list")
def list_jobs(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show every job: its schedule (UTC), its last run and how it went, when it is next due, and how far it lags.

    Exit codes: 0 done, 3 no database or disk.

    Example: earlybird jobs list
    """
    _show(_standings(data_dir), as_json=as_json)


@app.command()
def missed(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show the jobs that should have run since the installation or their last run, and did not.

    Exit codes: 0 none, 1 some, 3 no database or disk.

    Example: earlybird jobs missed --json
    """
    found = [row for row in _standings(data_dir) if row["missed_since_at"] is not None]
    _show(found, as_json=as_json)
    if found:
        raise SystemExit(terminal.REFUSED)


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="The job, as `jobs list` names it.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Run a job now, whether or not it is due; what it missed is made up for.

    Exit codes: 0 done, 1 it failed, runs elsewhere or is none, 3 no database or disk.

    Example: earlybird jobs run deliveries.plan
    """
    job = queries.named(wiring.periodic(terminal.settings(data_dir)), name)
    with terminal.database(data_dir) as engine:
        made = service.run_now(engine, job, terminal.context())
    if as_json:
        terminal.answer(made)
    else:
        for one in made:
            did = one.error or ("" if one.row_count is None else f"{one.row_count} done")
            typer.echo(f"{one.job} for {one.due_at:%Y-%m-%d %H:%M:%S} UTC: {one.outcome} {did}".rstrip())
    if any(one.outcome != Outcome.done for one in made):
        raise SystemExit(terminal.REFUSED)


def _standings(data_dir: Any) -> list[dict[str, Any]]:
    jobs = wiring.periodic(terminal.settings(data_dir))
    with terminal.database(data_dir) as engine, rehearsal(engine) as session:
        return queries.standings(session, jobs, terminal.context().now)


def _show(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        terminal.answer(found)
        return
    table = Table("job", "schedule (UTC)", "last run", "outcome", "next due", "missed since", "lag")
    for row in found:
        last, since = row["last_started_at"], row["missed_since_at"]
        table.add_row(
            row["name"],
            row["cron"],
            f"{last:%Y-%m-%d %H:%M}" if last else "",
            row["last_outcome"] or "",
            f"{row['next_due_at']:%Y-%m-%d %H:%M}",
            f"{since:%Y-%m-%d %H:%M}" if since else "",
            f"{row['lag_seconds']} s" if since else "",
        )
    terminal.out.print(table)
