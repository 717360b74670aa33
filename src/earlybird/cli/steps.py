"""`earlybird steps`: reversible data steps, planned by really running them, applied in batches, verified, reverted."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from earlybird.cli.terminal import (
    USAGE,
    AsJson,
    DataDir,
    Without,
    answer,
    bar,
    console,
    context,
    database,
    out,
    require_backup,
    stop,
)
from earlybird.kernel.money import Money
from earlybird.migrations import service as steps
from earlybird.migrations.errors import NothingToRevert, StepNotApplied
from earlybird.migrations.states import Wish

app = typer.Typer(help="Reversible data steps: list, plan, apply, verify, revert.", no_args_is_help=True)

Name = Annotated[list[str] | None, typer.Argument(help="Steps by number or name.", metavar="STEP")]
One = Annotated[str, typer.Argument(help="A step by number or name.", metavar="STEP")]
From = Annotated[str | None, typer.Option("--from", help="The first of a range of steps.")]
To = Annotated[str | None, typer.Option("--to", help="The last of a range of steps.")]
All = Annotated[bool, typer.Option("--all", help="Every step.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Really do it, roll it back, and say what it would do.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Reason = Annotated[str | None, typer.Option(help="Why; kept in the audit.")]


def _wanted(names: list[str] | None, first: str | None, last: str | None, every: bool) -> list[steps.Step]:
    """Return the steps a command is about; none named are all of them, a range goes in the direction it is named."""
    if (first is None) != (last is None) or sum((bool(names), first is not None, every)) > 1:
        stop("Name steps, or --from X --to Y, or --all.", USAGE)
    if first is not None and last is not None:
        return list(steps.between(steps.find(first), steps.find(last)))
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
        table.add_row(str(row["number"]), row["name"], row["title"], _state(row), ", ".join(row["touches"]))
    out.print(table)


def _state(row: dict[str, Any]) -> str:
    colour = {"applied": "green", "pending": "yellow"}.get(row["state"], "red")
    return f"[{colour}]{row['state']}[/]" + (f" ({row['wish']} asked)" if row["wish"] else "")


@app.command()
def status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show where every step stands and since when; what is half done and what hole stands open.

    Example: earlybird steps status
    """
    with database(data_dir) as engine:
        found = steps.listing(engine)
    shown = [
        {name: row[name] for name in ("number", "name", "state", "since", "wish")}
        | {"open_hole": row["opens_a_hole"] if row["state"] in ("reverting", "reverted") else None}
        for row in found
    ]
    if as_json:
        answer(shown)
        return
    table = Table("step", "name", "state", "since", "open hole")
    for row in shown:
        since = row["since"].strftime("%Y-%m-%d %H:%M") if row["since"] else ""
        table.add_row(str(row["number"]), row["name"], _state(row), since, f"[red]{row['open_hole'] or ''}[/]")
    out.print(table)


@app.command()
def history(
    name: Annotated[str | None, typer.Argument(help="Only this step.", metavar="STEP")] = None,
    limit: Annotated[int, typer.Option(help="How many runs.", min=1, max=10_000)] = 50,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show the runs of steps, the newest first: who, when, how long, how many rows, how it ended.

    Exit codes: 0 done, 1 there is no such step, 3 no database or disk.

    Example: earlybird steps history 23
    """
    step = steps.find(name) if name else None
    with database(data_dir) as engine:
        found = steps.history(engine, step, limit=limit)
    if as_json:
        answer(found)
        return
    out.print(_runs(found))


def _runs(found: list[dict[str, Any]]) -> Table:
    table = Table("step", "verb", "by", "begun", "seconds", "rows", "ended")
    for row in found:
        result = row["result"] or {}
        ended = "not ended" if row["finished_at"] is None else "done"
        for word in ("cancelled", "wrong"):
            ended = word if result.get(word) else ended
        table.add_row(
            f"{row['number']} {row['name']}",
            row["verb"],
            row["actor_name"],
            row["started_at"].strftime("%Y-%m-%d %H:%M"),
            str(result.get("seconds", "")),
            f"{sum((row['row_counts'] or {}).values()):,}",
            ended + (", not whole" if result.get("stands") else ""),
        )
    return table


@app.command()
def show(name: One, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show all there is to say about a step: why, what it touches, what it keeps, the money, its last runs.

    Exit codes: 0 done, 1 there is no such step, 3 no database or disk.

    Example: earlybird steps show 23
    """
    step = steps.find(name)
    with database(data_dir) as engine:
        found = steps.show(engine, step)
    if as_json:
        answer(found)
        return
    out.print(f"[bold]{step.number} {step.name}[/] ({found['kind']}): {_state(found)}\n{step.title}. {step.reason}")
    out.print(f"[yellow]![/] {step.warning}")
    if step.opens_a_hole:
        out.print(f"[red]![/] While it is reverted: {step.opens_a_hole}")
    _money(found["stakes"])
    table = Table("table", "change", "rows kept", "batches", "taken back")
    for row in found["keeps"]:
        taken = "yes" if row["is_taken_back"] else ""
        table.add_row(row["table_name"], row["verb"], f"{row['rows']:,}", str(row["batches"]), taken)
    out.print(table)
    out.print(_runs(found["runs"]))


def _money(stakes: list[dict[str, Any]]) -> None:
    for stake in stakes:
        out.print(f"[red]{Money(stake['amount_minor'], stake['currency'])}[/] {stake['sentence']}.")


@app.command()
def plan(
    names: Name = None,
    first: From = None,
    last: To = None,
    every: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    reason: Reason = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Run steps for real, batch by batch, roll it all back, and say what they would change.

    Rows per table, locks and how long they were held, time, money at stake, what could not be decided, and whether
    a revert would be lossless. Several steps are planned one upon the other, each seeing what those before it did.

    Exit codes: 0 done, 1 there is no such step, 2 wrong usage, 3 no database or disk.

    Example: earlybird steps plan 20
    """
    del dry_run, yes, reason  # a plan is a dry run and asks nothing; every verb takes the same words
    wanted = sorted(_wanted(names, first, last, every), key=lambda step: step.number)
    with database(data_dir) as engine, bar() as progress:
        if len(wanted) == 1:
            found = [steps.plan(engine, context("step"), wanted[0], progress)]
        else:
            found = steps.plan_all(engine, context("step"), wanted, progress)
    if as_json:
        answer({planned.step.name: planned.told() for planned in found})
        return
    _counts({planned.step.name: planned.rows for planned in found}, "would change")
    for planned in found:
        out.print(
            f"[bold]{planned.step.name}[/]: {planned.batches} batches, the longest {planned.longest_batch_ms} ms, "
            f"about {planned.estimate_seconds} s in all; a revert would "
            + ("lose nothing." if planned.is_lossless else "[red]not put everything back[/].")
        )
        _money(planned.stakes)
        if planned.unclear:
            out.print(f"  {len(planned.unclear)} could not be decided:")
            for row in planned.unclear[:5]:
                out.print(f"    {row['id']}: {row['what']} ({len(row['candidates'] or [])} candidates)")
        _locks(planned.locks)
        for note in planned.notes:
            out.print("  " + ", ".join(f"{name} {said}" for name, said in note.items() if said))
        for lock in planned.unannounced:
            out.print(f"  [red]not announced:[/] {lock['mode']} on {lock['table']} for {lock['held_ms']} ms")


@app.command()
def apply(
    names: Name = None,
    first: From = None,
    last: To = None,
    every: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    reason: Reason = None,
    without_backup: Without = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Apply steps in ascending order, in resumable batches, and verify each.

    Interrupt it as you like, or ask for `earlybird steps pause`: the same command goes on. A step that does not
    verify is taken back by itself. In production a fresh, proven backup is asked for first.

    Exit codes: 0 done, 1 no such step, paused, cancelled or not verified, 2 wrong usage, 3 no database or disk.

    Example: earlybird steps apply 19 20
    """
    if dry_run:
        plan(names, first, last, every, data_dir=data_dir, as_json=as_json)
        return
    del yes  # applying asks nothing; it is taken so that every verb takes the same words
    wanted = sorted(_wanted(names, first, last, every), key=lambda step: step.number)
    found = {}
    with database(data_dir) as engine, bar() as progress:
        require_backup(engine, f"steps apply {_named(wanted)}", without=without_backup)
        for step in wanted:
            found[step.name] = steps.apply(engine, context("step"), step, progress, reason=reason)
    if as_json:
        answer(found)
    else:
        _counts(found, "changed")


@app.command()
def verify(
    names: Name = None,
    first: From = None,
    last: To = None,
    every: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    reason: Reason = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Ask independently whether what the steps wrote is right, and still as they wrote it; exit 1 when not.

    Exit codes: 0 done, 1 no such step or something is wrong, 2 wrong usage, 3 no database or disk.

    Example: earlybird steps verify
    """
    del dry_run, yes, reason  # nothing is changed and nothing asked; every verb takes the same words
    with database(data_dir) as engine:
        found = {step.name: steps.verify(engine, step) for step in _wanted(names, first, last, every)}
        stands = {row["name"]: row for row in steps.listing(engine)}
    if as_json:
        answer({name: {"wrong": len(wrong), "first": wrong[:20]} for name, wrong in found.items()})
    else:
        for name, wrong in found.items():
            mark = "[red]✗[/]" if wrong else "[green]✓[/]"
            count = f"{len(wrong):,}{' or more' if len(wrong) >= steps.MOST_WRONG else ''}"
            out.print(f"{mark} {name}, {_state(stands[name])}: {count} wrong")
            for row in wrong[:5]:
                where = f" ({row['table_name']}.{row['column_name']})" if row.get("table_name") else ""
                out.print(f"    {row['id']}: {row['what']}{where}")
    if any(found.values()):
        stop("A step does not verify.")


@app.command()
def revert(
    names: Name = None,
    first: From = None,
    last: To = None,
    every: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    reason: Reason = None,
    confirm: Annotated[
        list[str] | None,
        typer.Option(help="The typed name of a step whose revert opens a hole; once for each such step."),
    ] = None,
    without_backup: Without = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take back what steps wrote, the highest step first; everything written since is kept.

    `earlybird steps apply` puts it all there again, ids included. Steps whose revert opens a hole demand their typed
    name (--confirm) and a --reason. A range, or --all, passes over steps that changed nothing.

    Exit codes: 0 done, 1 no such step, nothing to revert or not confirmed, 2 wrong usage, 3 no database or disk.

    Example: earlybird steps revert 23 --dry-run
    """
    if not (names or first or every):
        stop("Name the steps to revert, or --from X --to Y, or --all.", USAGE)
    wanted = sorted(_wanted(names, first, last, every), key=lambda step: -step.number)
    typed = set(confirm or ())
    with database(data_dir) as engine:
        wanted = _standing(engine, wanted, is_named=bool(names))
        if not wanted:
            console.print("Nothing to revert: none of these steps stands.")
            found = []
        elif dry_run:
            with bar() as progress:
                found = steps.plan_revert(engine, context("step"), wanted, progress)
        else:
            _ask_first(wanted, typed, reason, yes=yes)
            require_backup(engine, f"steps revert {_named(wanted)}", without=without_backup)
            with bar() as progress:
                found = [
                    steps.revert(
                        engine,
                        context("step"),
                        step,
                        reason=reason,
                        confirmed=step.name if step.name in typed else None,
                        progress=progress,
                    )
                    for step in wanted
                ]
    if as_json:
        answer({reverted.step.name: reverted.told() for reverted in found})
        return
    if found:
        _counts({reverted.step.name: reverted.rows for reverted in found}, "would put back" if dry_run else "put back")
    for reverted in found:
        out.print(f"[yellow]![/] {reverted.step.name}: {reverted.step.warning}")
        _money(reverted.stakes)
        for kind, counts in reverted.stands.items():
            told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
            out.print(f"    {kind} stand: {told}")


def _locks(locks: list[dict[str, Any]]) -> None:
    """Show the locks by which others may wait, each with the longest time a batch held it; reading is not told."""
    strongest = {lock["table"]: lock for lock in sorted(locks, key=lambda lock: steps.STRENGTH.index(lock["mode"]))}
    of_rows = [lock for lock in strongest.values() if lock["mode"] == steps.ROW_LOCK]
    told = [
        f"{lock['mode']} on {lock['table']} for {lock['held_ms']:.0f} ms"
        for lock in strongest.values()
        if steps.STRENGTH.index(lock["mode"]) > steps.STRENGTH.index(steps.ROW_LOCK)
    ]
    if of_rows:
        longest = max(lock["held_ms"] for lock in of_rows)
        told.append(f"rows of {', '.join(lock['table'] for lock in of_rows)} for {longest:.0f} ms")
    if told:
        out.print(f"  locks: {'; '.join(told)}", highlight=False)


def _named(wanted: list[steps.Step]) -> str:
    return " ".join(str(step.number) for step in wanted)


def _standing(engine: Any, wanted: list[steps.Step], *, is_named: bool) -> list[steps.Step]:
    """Pass over steps that changed nothing; one that is named is refused, before any other is reverted."""
    stands = {row["number"] for row in steps.listing(engine) if row["state"] not in ("pending", "reverted")}
    for step in wanted if is_named else ():
        if step.is_structural:
            raise NothingToRevert(step=step.name)
        if step.number not in stands:
            raise StepNotApplied(step=step.name)
    return [step for step in wanted if step.number in stands and not step.is_structural]


def _ask_first(wanted: list[steps.Step], typed: set[str], reason: str | None, *, yes: bool) -> None:
    """Refuse before anything is reverted what one of the steps refuses; ask a person at the terminal."""
    for step in wanted:
        if step.opens_a_hole and step.name not in typed and not yes and console.is_terminal:
            console.print(f"[red]![/] {step.opens_a_hole}")
            if typer.prompt(f"Type the name of the step to revert it ({step.name})") == step.name:
                typed.add(step.name)
        steps.check_revert(step, confirmed=step.name if step.name in typed else None, reason=reason)
    if wanted and not yes and console.is_terminal:
        typer.confirm(f"Revert {', '.join(step.name for step in wanted)}?", abort=True)


@app.command()
def pause(name: One, data_dir: DataDir = None) -> None:
    """Ask a running step to stop after its present batch; `earlybird steps apply` goes on.

    Exit codes: 0 asked, 1 no such step or none is running, 3 no database or disk.

    Example: earlybird steps pause 20
    """
    _wish(name, Wish.pause, data_dir)


@app.command()
def cancel(name: One, data_dir: DataDir = None) -> None:
    """Ask a running step to stop after its present batch and to take back what it changed.

    Exit codes: 0 asked, 1 no such step or none is running, 3 no database or disk.

    Example: earlybird steps cancel 20
    """
    _wish(name, Wish.cancel, data_dir)


def _wish(name: str, wish: Wish, data_dir: Any) -> None:
    step = steps.find(name)
    with database(data_dir) as engine:
        steps.ask(engine, context("step"), step, wish)
    out.print(f"{step.name} is asked to {wish}.")


def _counts(found: dict[str, dict[str, int]], verb: str) -> None:
    table = Table("step", "table", f"rows it {verb}")
    for name, counts in found.items():
        for position, (kind, count) in enumerate(counts.items() or [("–", 0)]):
            table.add_row(name if position == 0 else "", kind, f"{count:,}")
    out.print(table)
