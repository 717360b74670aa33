"""`earlybird rollback` and `earlybird rehearse`: take steps back in an emergency; try one on a copy first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from earlybird.cli import backup, terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.cli.writing import Wait
from earlybird.deploy import rehearsal
from earlybird.deploy import rollback as emergency
from earlybird.deploy.place import Place
from earlybird.deploy.rollback import Report
from earlybird.kernel.errors import Failure
from earlybird.migrations import service as steps


def rollback(
    to: Annotated[str, typer.Option("--to", metavar="STEP", help="The lowest step to take back, by number or name.")],
    reason: Annotated[str | None, typer.Option(help="Why; kept in the trail.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it only what would be done is shown.")] = False,
    confirm: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="The name of a step that opens a hole; for each of them.")
    ] = None,
    wait: Wait = 30.0,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Emergency: stop writers, take back every step that stands down to STEP, verify, let writers go on, verify.

    Where it fails or dies, writing stays stopped; the same command goes on from there.

    Exit codes: 0 done, 1 it did not verify or was refused, 3 no database.

    Example: earlybird rollback --to 22 --reason "orders stand wrong since noon" --yes
    """
    place = Place.of(terminal.settings(data_dir))
    with terminal.database(data_dir, past_gate=True) as engine:
        down = emergency.wanted(engine, to)
        if not yes or not reason:
            _announce(down, as_json=as_json)
            if yes:
                terminal.stop("A rollback needs a --reason.")
            return
        for step in down:
            steps.check_revert(step, confirmed=step.name if step.name in (confirm or []) else None, reason=reason)
        report = Report(_tell)
        try:
            emergency.run(engine, terminal.context("step"), place, down, reason=reason, patience=wait, report=report)
        except Failure:
            _show(report, as_json=as_json)
            raise
    _show(report, as_json=as_json)


def _announce(down: list[steps.Step], *, as_json: bool) -> None:
    if as_json:
        facts = ("number", "name", "warning", "opens_a_hole")
        terminal.answer([{name: getattr(one, name) for name in facts} for one in down])
        return
    table = Table("step", "name", "what taking it back means")
    for one in down:
        table.add_row(str(one.number), one.name, " ".join(filter(None, (one.warning, one.opens_a_hole))))
    terminal.out.print(table if down else "No step stands down to there.")
    terminal.console.print("Nothing was done; add --reason and --yes.")


def rehearse(
    step: Annotated[str, typer.Argument(metavar="STEP", help="By number or name.")],
    name: Annotated[str | None, typer.Option("--backup", help="Its name or path; the newest without it.")] = None,
    home: Annotated[Path | None, typer.Option("--from", metavar="DIR", help="The folder of backups.")] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Bring the last backup back beside the live database; plan, apply, verify and revert the step there.

    Exit codes: 0 all of it holds, 1 something does not, 3 no database or disk.

    Example: earlybird rehearse 22
    """
    place = Place.of(terminal.settings(data_dir), home)
    wanted, whole = steps.find(step), backup.chosen(name, place)
    report = Report(_tell)
    with terminal.database(data_dir) as engine:
        try:
            rehearsal.run(engine, terminal.context("step"), place, whole, wanted, report)
        except Failure:
            _show(report, as_json=as_json)
            raise
    _show(report, as_json=as_json)
    raise typer.Exit(terminal.REFUSED if report.wrong else terminal.OK)


def _tell(phase: str) -> None:
    terminal.console.print(f"… {phase}", highlight=False)


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        terminal.answer(report.as_facts())
        return
    table = Table("phase", "what came of it")
    table.add_column("seconds", justify="right")
    for phase in report.phases:
        said = "; ".join([*map(_plain, phase.result.items()), *phase.wrong])
        mark = "[red]✗[/]" if phase.wrong else "[green]✓[/]"
        table.add_row(f"{mark} {phase.name}", escape(said), f"{phase.seconds:.2f}")
    table.add_row("all", "", f"{sum(phase.seconds for phase in report.phases):.2f}", style="bold")
    terminal.out.print(table)


def _plain(fact: tuple[str, Any]) -> str:
    name, value = fact
    if isinstance(value, dict):
        return ", ".join(f"{kind} {count}" for kind, count in value.items()) or f"no {name}"
    return f"{name} {value}"
