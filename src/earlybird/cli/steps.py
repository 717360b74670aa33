"""`earlybird steps`: reversible data steps, planned by really running them, applied in batches, verified."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from earlybird.cli.terminal import AsJson, DataDir, answer, bar, context, database, out, stop
from earlybird.migrations import service as steps

app = typer.Typer(help="Reversible data steps: list, plan, apply, verify.", no_args_is_help=True)

Name = Annotated[list[str] | None, typer.Argument(help="Steps by number or name; all when none is given.")]


def _wanted(names: list[str] | None) -> list[steps.Step]:
    return [steps.find(name) for name in names] if names else list(steps.STEPS)


@app.command("list")
def list_steps(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show every step, what it touches and where it stands.

    Example: earlybird steps list
    """
    with database(data_dir) as engine:
        found = steps.listing(engine)
    if as_json:
        answer(found)
        return
    table = Table("step", "name", "what it makes true", "state", "touches")
    for row in found:
        colour = "green" if row["state"] == "applied" else "yellow"
        table.add_row(
            str(row["number"]), row["name"], row["title"], f"[{colour}]{row['state']}[/]", ", ".join(row["touches"])
        )
    out.print(table)


@app.command()
def plan(names: Name = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Run steps for real, batch by batch, each rolled back, and say how many rows they would change.

    Exit codes: 0 done, 1 there is no such step, 3 no database or disk.

    Example: earlybird steps plan 20
    """
    with database(data_dir) as engine, bar() as progress:
        found = {step.NAME: steps.plan(engine, context("step"), step, progress) for step in _wanted(names)}
    _show(found, "would change", as_json=as_json)


@app.command()
def apply(names: Name = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Apply steps in ascending order, resumable, and verify each.

    Exit codes: 0 done, 1 no such step or one that does not verify, 3 no database or disk.

    Example: earlybird steps apply 19 20
    """
    found = {}
    with database(data_dir) as engine, bar() as progress:
        for step in _wanted(names):
            found[step.NAME] = steps.apply(engine, context("step"), step, progress)
    _show(found, "changed", as_json=as_json)


@app.command()
def verify(names: Name = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Ask independently whether what the steps wrote is right; exit 1 when not.

    Example: earlybird steps verify
    """
    with database(data_dir) as engine:
        found = {step.NAME: steps.verify(engine, step) for step in _wanted(names)}
    if as_json:
        answer({name: {"wrong": len(wrong), "first": wrong[:20]} for name, wrong in found.items()})
    else:
        for name, wrong in found.items():
            out.print(f"[{'red' if wrong else 'green'}]{'✗' if wrong else '✓'}[/] {name}: {len(wrong)} wrong")
            for row in wrong[:5]:
                out.print(f"    {row['id']}: {row['what']}")
    if any(found.values()):
        stop("A step does not verify.")


def _show(found: dict[str, dict[str, int]], verb: str, *, as_json: bool) -> None:
    if as_json:
        answer(found)
        return
    table = Table("step", "table", f"rows it {verb}")
    for name, counts in found.items():
        for position, (kind, count) in enumerate(counts.items() or [("–", 0)]):
            table.add_row(name if position == 0 else "", kind, f"{count:,}")
    out.print(table)
