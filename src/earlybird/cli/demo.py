"""`earlybird demo`: a whole business taken over, proven and planned, from nothing, in one command."""

from __future__ import annotations

from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.panel import Panel
from rich.table import Table

from earlybird.catalog import service as catalog
from earlybird.cli.importing import link_all
from earlybird.cli.serve import serve
from earlybird.cli.terminal import REFUSED, AsJson, DataDir, answer, bar, context, database, out, settings
from earlybird.deliveries.service import planning
from earlybird.identity import queries as identity_queries
from earlybird.identity.service import links, people
from earlybird.importers import earlybird as legacy
from earlybird.infra.db import transaction
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.money import Money
from earlybird.migrations import opening
from earlybird.reconcile import service as reconcile
from earlybird.territory import queries as territory

OWNER = "owner@sunrise.example"


def demo(
    once: Annotated[bool, typer.Option("--once", help="Do it all, show the summary, serve nothing.")] = False,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the console.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take over the bundled sample business, link and charge it, prove it, plan its first day, and serve the console.

    Everything in it is invented. Run again, it goes on where it stopped and changes nothing more.

    Exit codes: 0 done, 1 a question of the proof was answered with an error, 3 no database or disk.

    Example: earlybird demo --once
    """
    ctx = context("import")
    with ExitStack() as stack:
        engine = stack.enter_context(database(data_dir))
        progress = stack.enter_context(bar())
        folder = Path(stack.enter_context(resources.as_file(resources.files("earlybird.demo") / "dump")))
        opening.make_way(engine, ctx)
        taken = legacy.take_over(engine, ctx, folder, link=lambda: link_all(engine, ctx, progress), progress=progress)
        report = legacy.report(engine, taken)
        planned = _plan_first_day(engine, ctx)
        with transaction(engine) as session:
            reconcile.snapshot(session)
            answers = reconcile.ask(session, ctx)
        with transaction(engine) as session:
            reconcile.keep(session, ctx, answers)
        token = None if once else _sign_in_link(engine, ctx)
        bills = legacy.bills(engine)
    wrong = [a for a in answers if a.is_error]
    if as_json:
        answer({"documents": report["collections"], "totals": bills["totals"], "planned": planned, "wrong": len(wrong)})
    else:
        _show(report, bills, planned, asked=len(answers), wrong=len(wrong))
    if token:
        found = settings(data_dir)
        out.print(f"Sign in, once: [bold]http://{found.host}:{port or found.port}/sign-in/{token}[/]", soft_wrap=True)
        serve(port=port, data_dir=data_dir)
    raise typer.Exit(REFUSED if wrong else 0)


def _plan_first_day(engine: Any, ctx: Ctx) -> dict[str, Any]:
    """Plan the day of change: the first day that is ours."""
    with transaction(engine) as session:
        day = territory.cutover_on(session) or ctx.now.date()
        sites: list[UUID] = [site["id"] for site in territory.sites(session)]
        done = [planning.plan_day(session, ctx, site, day) for site in sites]
    names = ("orders", "lines", "stops", "amount_minor", "unassigned")
    return {"on": day} | {name: sum(getattr(one, name) for one in done) for name in names}


def _sign_in_link(engine: Any, ctx: Ctx) -> str:
    with transaction(engine) as session:
        catalog.seed_units(session)
        owner = identity_queries.find_owner(session)
        owner_id = owner["id"] if owner else people.create_owner(session, ctx, OWNER)
        return links.issue(session, ctx, owner_id)


def _rupees(minor: int) -> str:
    return str(Money(minor, "INR"))


def _show(report: dict[str, Any], bills: dict[str, Any], planned: dict[str, Any], *, asked: int, wrong: int) -> None:
    counts = report["collections"].values()
    totals = bills["totals"]
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    documents = {name: sum(c[name] for c in counts) for name in ("in", "imported", "quarantined", "duplicates")}
    for label, text in (
        ("documents read", f"{documents['in']:,}"),
        ("  imported", f"{documents['imported']:,}"),
        ("  kept aside with a reason", f"{documents['quarantined']:,}"),
        ("  duplicates", f"{documents['duplicates']:,}"),
        ("logins tied to their customer", f"{len(report['links']['users_to_customers']):,}"),
        ("one-time orders with their customer", f"{len(report['links']['orders_to_customers']):,}"),
        ("deliveries tied to a one-time order", f"{len(report['links']['deliveries_to_orders']):,}"),
        ("delivered, as the dump proves", _rupees(totals["delivered_minor"])),
        ("asked by the old system", _rupees(totals["first_view_minor"])),
        ("[red]delivered and never asked for[/]", f"[red]{_rupees(totals['lost_minor'])}[/]"),
        ("[yellow]asked for and never delivered[/]", f"[yellow]{_rupees(totals['over_minor'])}[/]"),
        (f"planned for {planned['on']}", f"{planned['orders']:,} orders, {_rupees(planned['amount_minor'])}"),
        ("questions asked of the books", f"{asked} asked, {wrong} answered with an error"),
    ):
        table.add_row(label, text)
    out.print(Panel(table, title="A business taken over, and what its old system forgot", expand=False))
    worst = Table("customer", "month", "delivered", "asked", "never asked for", title="The largest losses")
    for row in bills["rows"][:5]:
        gap = row["delivered_minor"] - row["first_view_minor"]
        worst.add_row(
            row["name"], row["month"], _rupees(row["delivered_minor"]), _rupees(row["first_view_minor"]), _rupees(gap)
        )
    out.print(worst)
