"""`earlybird reconcile`: ask every question, prove that nothing was lost."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.infra.db import transaction
from earlybird.kernel.money import Money
from earlybird.reconcile import leakage, service


def reconcile(
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Only the proof, as it stood at the end of that date."),
    ] = None,
    check: Annotated[
        list[str] | None, typer.Option("--check", help="Ask this question alone, without the proof; may be repeated.")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Ask every question and compare what was delivered with what was asked, in both directions.

    Findings are kept and shown on the console. With --as-of only facts received, charged and issued until the end
    of that date count, in the business's zone, and only the proof is given: questions are about today.

    Exit codes: 0 all clean, 1 an error-level finding, money lost or over-billed, or no such question; 3 no database.

    Example: earlybird reconcile --as-of 2025-12-31 --json
    """
    if check and as_of:
        raise typer.BadParameter("Questions are about today: --check goes without --as-of.", param_hint="--check")
    ctx = terminal.context()
    day = as_of.date() if as_of else None
    with terminal.database(data_dir) as engine:
        with transaction(engine) as session:
            service.snapshot(session)
            with terminal.console.status("Asking every question …"):
                answers = [] if day else service.ask(session, ctx, only=check)
                lines = [] if check else leakage.prove(session, ctx, as_of=day)
        if day is None:
            with transaction(engine) as session:
                service.keep(session, ctx, answers)
    proof = leakage.as_facts(lines, day)
    totals = leakage.total(lines)
    is_wrong = any(a.is_error for a in answers) or any(t.lost_minor or t.over_minor for t in totals)
    if as_json:
        terminal.answer({"ok": not is_wrong, "checks": [service.as_facts(a) for a in answers], "proof": proof})
    else:
        _show(answers, totals, proof, is_partial=bool(check))
    raise typer.Exit(terminal.REFUSED if is_wrong else terminal.OK)


def _show(
    answers: list[service.Answer], totals: list[leakage.Line], proof: dict[str, Any], *, is_partial: bool
) -> None:
    out = Console()
    if answers:
        table = Table("#", "Question", "Answer", box=None, pad_edge=False, header_style="bold")
        table.add_column("Money", justify="right")
        for answer in answers:
            table.add_row(str(answer.check.number), answer.check.title, _word(answer), _money(answer))
        out.print(table)
        for answer in answers:
            for row in answer.found[:3] if answer.is_error else []:
                out.print(f"  [red]✗[/] {row['title']}  [dim]{answer.check.name} {row['subject']}[/]", highlight=False)
        out.print()
    for total in totals:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column()
        table.add_column(justify="right")
        for name in leakage.AMOUNTS:
            style = "bold red" if name in {"lost_minor", "over_minor"} and getattr(total, name) else ""
            label = name.removesuffix("_minor").replace("_", " ")
            table.add_row(label, str(Money(getattr(total, name), total.currency)), style=style)
        out.print(table)
    if not totals and not is_partial:
        out.print("Nothing was delivered" + (f" until {proof['as_of']}." if proof["as_of"] else "."))


def _word(answer: service.Answer) -> str:
    if not answer.found:
        return "[green]ok[/]"
    colour = {"error": "red", "warning": "yellow"}.get(answer.check.severity, "cyan")
    return f"[{colour}]{len(answer.found)} {answer.check.severity}[/]"


def _money(answer: service.Answer) -> str:
    return ", ".join(str(Money(minor, currency)) for currency, minor in sorted(answer.money.items()))
