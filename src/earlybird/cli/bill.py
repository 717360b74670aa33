"""`earlybird bill`: issue the bills of a month, list them, show one as text or PDF."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.progress import Progress

from earlybird.billing import documents, queries
from earlybird.billing.service import adjustments, invoices
from earlybird.cli import terminal
from earlybird.cli.charge import charge_all
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.infra.db import rehearsal, transaction
from earlybird.kernel.clock import Month, business_day
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.money import Money

CHUNK = 10_000

app = typer.Typer(help="Issue bills, list them, show one.", no_args_is_help=True)

BusinessName = Annotated[str | None, typer.Option("--business", help="Which business, when there are several.")]


@app.command()
def run(
    month: Annotated[str, typer.Option("--month", help="YYYY-MM.")],
    data_dir: DataDir = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be issued; keep nothing.")] = False,
    business: BusinessName = None,
    chunk: Annotated[int, typer.Option("--chunk", min=1, help="Customers billed in one transaction.")] = CHUNK,
    as_json: AsJson = False,
) -> None:
    """Issue the bills of a month: everything delivered and not yet billed, once.

    Charges first what was delivered. Twice, two at once, or again after an interruption: nothing is billed
    twice and no number is lost.

    Exit codes: 0 done, also when nothing was new, 1 refused (the month, the business), 3 no database or disk.

    Example: earlybird bill run --month 2026-01 --dry-run
    """
    wanted = Month.parse(month)
    ctx = terminal.context()
    with terminal.database(data_dir) as engine:
        issued = rehearse(engine, ctx, wanted, business) if dry_run else bill(engine, ctx, wanted, business, size=chunk)
    show(issued, wanted, dry_run=dry_run, as_json=as_json)


def bill(engine: Any, ctx: Ctx, month: Month, business: str | None, *, size: int = CHUNK) -> list[dict[str, Any]]:
    """Charge and bill, one transaction per chunk of customers."""
    with rehearsal(engine) as session:
        firm = queries.business(session, business)
        since = queries.fitting_cutover(firm, month, business_day(ctx.now, firm.zone))
        firm_id = firm.id
    charge_all(engine, ctx)
    with rehearsal(engine) as session:
        payers = queries.payers_to_bill(session, firm_id, since=since, through=month.last)
    issued = []
    with Progress(console=terminal.console, transient=True) as progress:
        task = progress.add_task("billing", total=len(payers))
        for chunk in chunks(payers, size):
            with transaction(engine) as session:
                issued += invoices.run_month(session, ctx, firm_id, month, chunk)
            progress.advance(task, len(chunk))
    return issued


def rehearse(engine: Any, ctx: Ctx, month: Month, business: str | None) -> list[dict[str, Any]]:
    """Do the same in one transaction, and roll it back."""
    with rehearsal(engine) as session:
        return invoices.issue_month(session, ctx, queries.business(session, business).id, month)


def chunks(payers: list[UUID], size: int) -> Iterator[list[UUID]]:
    """Cut the list into what one transaction takes."""
    for start in range(0, len(payers), size):
        yield payers[start : start + size]


def show(issued: list[dict[str, Any]], month: Month, *, dry_run: bool, as_json: bool) -> None:
    """Answer with the totals, and in a dry run with each customer's."""
    totals: dict[str, int] = {}
    for row in issued:
        totals[row["currency"]] = totals.get(row["currency"], 0) + row["total_minor"]
    if as_json:
        terminal.answer(
            {"month": str(month), "dry_run": dry_run, "count": len(issued), "totals": totals, "documents": issued}
        )
        return
    if dry_run:
        for row in issued:
            kind = " (credit note)" if row["kind"] == "credit_note" else ""
            typer.echo(
                f"{row['customer']:<14}{row['name']:<32}{Money(row['total_minor'], row['currency'])!s:>20}{kind}"
            )
    total = ", ".join(str(Money(minor, currency)) for currency, minor in totals.items()) or "nothing"
    verb = "would be issued" if dry_run else "issued"
    typer.echo(f"{month}: {len(issued)} documents {verb}, {total}.")


@app.command("list")
def list_(
    data_dir: DataDir = None,
    month: Annotated[str | None, typer.Option("--month", help="YYYY-MM.")] = None,
    business: BusinessName = None,
    as_json: AsJson = False,
) -> None:
    """List the newest bills, or those of a month; at most 200.

    Exit codes: 0 done, 1 refused (the month, the business), 3 no database or disk.

    Example: earlybird bill list --month 2026-01
    """
    with terminal.database(data_dir) as engine, rehearsal(engine) as session:
        firm = queries.business(session, business)
        found = queries.list_documents(session, firm.id, Month.parse(month) if month else None)
    if as_json:
        terminal.answer(found)
        return
    for row in found:
        typer.echo(
            f"{row['number']:<20}{row['kind']:<13}{row['issued_on']}  {row['customer']:<14}{row['name']:<28}"
            f"{Money(row['total_minor'], row['currency'])!s:>18}{'  void' if row['state'] == 'void' else ''}"
        )


@app.command("show")
def show_one(
    number: Annotated[str, typer.Argument(help="The bill's number or id.")],
    data_dir: DataDir = None,
    pdf: Annotated[Path | None, typer.Option("--pdf", help="Write it to this file as PDF.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show one bill as text, or write it as PDF.

    Exit codes: 0 done, 1 there is no such bill, 3 no database or disk.

    Example: earlybird bill show INV/2025-26/1 --pdf bill.pdf
    """
    with terminal.database(data_dir) as engine, rehearsal(engine) as session:
        key = queries.find_document(session, number)
        facts = queries.bill_facts(session, key)
        said = documents.page(session, key)
    if pdf is not None:
        write(pdf, documents.pdf(said))
    if as_json:
        terminal.answer(facts)
    elif pdf is None:
        typer.echo(documents.plain(said), nl=False)
    else:
        typer.echo(f"{said.number} written to {pdf}.")


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as failure:
        part.unlink(missing_ok=True)
        reason = os.strerror(failure.errno or errno.EIO)
        terminal.stop(f"Cannot write {path}: {reason}", terminal.ENVIRONMENT)


@app.command()
def proposals(data_dir: DataDir = None, business: BusinessName = None, as_json: AsJson = False) -> None:
    """List the amounts that wait for a person: recoveries of what an old system forgot, credits of what it over-asked.

    Exit codes: 0 done, 1 refused (the business), 3 no database or disk.

    Example: earlybird bill proposals
    """
    with terminal.database(data_dir) as engine, rehearsal(engine) as session:
        found = queries.proposals(session, queries.business(session, business).id)
    if as_json:
        terminal.answer(found)
        return
    for row in found:
        amount = Money(row["amount_minor"], row["currency"])
        typer.echo(f"{row['id']}  {row['customer']:<12}{row['name']:<28}{amount!s:>18}  {row['reason']}")


Proposals = Annotated[list[UUID], typer.Argument(help="Proposals by id, as `bill proposals` lists them.")]


@app.command()
def approve(ids: Proposals, data_dir: DataDir = None) -> None:
    """Let proposed amounts go on their customers' next bills; all of them or none.

    Exit codes: 0 done, 1 refused (no such proposal, or decided already), 3 no database or disk.

    Example: earlybird bill approve 01a1fc2b-4797-7807-9cf1-37b78ca038f5
    """
    ctx = terminal.context()
    with terminal.database(data_dir) as engine, transaction(engine) as session:
        for one in ids:
            adjustments.approve_adjustment(session, ctx, one)
    typer.echo(f"{len(ids)} approved: on the next bill.")


@app.command()
def waive(
    ids: Proposals,
    reason: Annotated[str, typer.Option("--reason", help="Why it is never asked for.")],
    data_dir: DataDir = None,
) -> None:
    """Decide that proposed amounts are never asked for; all of them or none.

    Exit codes: 0 done, 1 refused (no such proposal, or decided already), 3 no database or disk.

    Example: earlybird bill waive 01a1fc2b-4797-7807-9cf1-37b78ca038f5 --reason "long ago, good customer"
    """
    ctx = terminal.context()
    with terminal.database(data_dir) as engine, transaction(engine) as session:
        for one in ids:
            adjustments.waive_adjustment(session, ctx, one, reason=reason)
    typer.echo(f"{len(ids)} waived.")
