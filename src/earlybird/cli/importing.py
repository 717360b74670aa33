"""`earlybird import earlybird` takes over a legacy business; `earlybird legacy-bill` shows what it forgot to ask."""

from __future__ import annotations

import gzip
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from earlybird.cli.terminal import USAGE, AsJson, DataDir, answer, bar, console, context, database, out, stop
from earlybird.importers import earlybird as legacy
from earlybird.importers.errors import DumpUnreadable
from earlybird.kernel.clock import Month
from earlybird.kernel.money import Money
from earlybird.migrations import opening
from earlybird.migrations import service as steps

app = typer.Typer(help="Bring other people's data in.", no_args_is_help=True)


@app.command("earlybird")
def import_earlybird(
    folder: Annotated[Path, typer.Argument(help="A folder of mongoexport files, plain or .gz.")],
    report: Annotated[Path | None, typer.Option(help="Write the migration report here (.json or .json.gz).")] = None,
    cutover: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day of change; default the day after the dump's last fact."),
    ] = None,
    business: Annotated[str | None, typer.Option(help="Name of the business; default what the dump says.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do it all in a scratch database; keep nothing.")] = False,
    no_link: Annotated[bool, typer.Option("--no-link", help="Leave the steps that link and charge for later.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take over an EarlyBird business: every document imported or kept aside with its reason, then linked.

    Interrupt and repeat it as you like: what is done stays done, and the same dump changes nothing more. A later
    dump brings only its differences. No message is sent to anybody.

    Exit codes: 0 done, 1 a step does not verify, 2 the dump cannot be read, 3 no database or disk.

    Example: earlybird import earlybird dump/ --report report.json --cutover 2026-02-01
    """
    if dry_run:
        with tempfile.TemporaryDirectory(prefix="earlybird-dry-run-") as scratch:
            Path(scratch).chmod(0o711)
            os.environ.pop("EARLYBIRD_DATABASE_URL", None)
            _take_over(folder, report, cutover, business, not no_link, Path(scratch) / "data", as_json=as_json)
        console.print("Dry run: nothing was kept.")
        return
    _take_over(folder, report, cutover, business, not no_link, data_dir, as_json=as_json)


def _take_over(
    folder: Path,
    report: Path | None,
    cutover: datetime | None,
    business: str | None,
    link: bool,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    ctx = context("import")
    with database(data_dir) as engine:
        try:
            opening.make_way(engine, ctx)
            with bar() as progress:
                taken = legacy.take_over(
                    engine,
                    ctx,
                    folder,
                    name=business,
                    cutover_on=cutover.date() if cutover else None,
                    link=(lambda: link_all(engine, ctx, progress)) if link else None,
                    progress=progress,
                )
        except DumpUnreadable as failure:
            stop(str(failure), USAGE)
        found = legacy.report(engine, taken)
    if report:
        write_report(report, found)
    if as_json:
        answer(found["collections"] if report else found)
    else:
        show_summary(found)


BATCH_SECONDS = 1.0
"""How long a batch of a step takes here: nobody waits yet for what is being taken over."""


def link_all(engine: Any, ctx: Any, progress: Any) -> None:
    """Apply and verify every step that changes data, in ascending order."""
    for step in steps.STEPS:
        if not step.is_structural:
            steps.apply(engine, ctx, step, progress, batch_seconds=BATCH_SECONDS)


def write_report(path: Path, found: dict[str, Any]) -> None:
    """Write the report whole or not at all."""
    body = orjson.dumps(found, default=str)
    if path.suffix == ".gz":
        body = gzip.compress(body, mtime=0)
    part = path.with_name(path.name + ".part")
    part.write_bytes(body)
    part.replace(path)


def show_summary(found: dict[str, Any]) -> None:
    """Print what came in, what was tied together and what the old system forgot."""
    table = Table("what", "count", title="Taken over")
    counts = found["collections"].values()
    for name in ("in", "imported", "quarantined", "duplicates"):
        table.add_row(f"documents {name}", f"{sum(c[name] for c in counts):,}")
    for name, links in found["links"].items():
        table.add_row(name.replace("_", " "), f"{len(links):,}")
    months = found["money"]["by_customer_month"]
    lost = sum(max(m["delivered_minor"] - m["legacy_billed_minor"], 0) for m in months)
    over = sum(max(m["legacy_billed_minor"] - m["delivered_minor"], 0) for m in months)
    for name, minor in (
        ("delivered, as proven", sum(m["delivered_minor"] for m in months)),
        ("asked by the old system", sum(m["legacy_billed_minor"] for m in months)),
        ("[red]delivered, never asked for[/]", lost),
        ("[yellow]asked for, never delivered[/]", over),
        ("payments", found["money"]["payments_minor"]),
        ("opening balances", found["money"]["opening_balances_minor"]),
    ):
        table.add_row(name, str(Money(minor, "INR")))
    out.print(table)


def legacy_bill(
    month: Annotated[str | None, typer.Option(help="Only this month, YYYY-MM.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what the old system would have asked beside what was delivered, per customer and month.

    Both views of the old bill: the first, and the second that has lost the one-time orders. The difference to what
    was delivered is a proposed recovery (or credit) that waits for a person.

    Exit codes: 0 done, 1 refused (the month), 3 no database or disk.

    Example: earlybird legacy-bill --month 2025-12 --json
    """
    wanted = str(Month.parse(month)) if month else None
    with database(data_dir) as engine:
        found = legacy.bills(engine, wanted)
    if as_json:
        answer(found)
        return
    table = Table("customer", "month", "delivered", "asked (1st view)", "asked (2nd view)", "lost", "over", "recovery")
    for row in found["rows"]:
        gap = row["delivered_minor"] - row["first_view_minor"]
        table.add_row(
            row["name"],
            row["month"],
            *(f"{row[name] / 100:,.2f}" for name in ("delivered_minor", "first_view_minor", "second_view_minor")),
            f"[red]{gap / 100:,.2f}[/]" if gap > 0 else "",
            f"[yellow]{-gap / 100:,.2f}[/]" if gap < 0 else "",
            row["recovery_state"] or "",
        )
    out.print(table)
    totals = found["totals"]
    out.print(
        f"delivered {totals['delivered_minor'] / 100:,.2f} · asked {totals['first_view_minor'] / 100:,.2f} · "
        f"[red]lost {totals['lost_minor'] / 100:,.2f}[/] · [yellow]over {totals['over_minor'] / 100:,.2f}[/]"
    )
