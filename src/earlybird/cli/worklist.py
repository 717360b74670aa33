"""`earlybird worklist`: what nobody but a person can decide."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from rich.markup import escape
from rich.table import Table

from earlybird.cli.terminal import AsJson, DataDir, answer, context, database, out
from earlybird.infra.db import rehearsal, transaction
from earlybird.kernel.money import Money
from earlybird.worklist import queries, service
from earlybird.worklist.states import Choice, Decided, Kind

app = typer.Typer(help="What nobody but a person can decide: see the evidence, choose, undo.", no_args_is_help=True)

Item = Annotated[UUID, typer.Argument(help="The id of an item, as the list shows it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with who decided it.")]


@app.command("list")
def list_items(
    kind: Annotated[Kind | None, typer.Option("--kind", help="Only items of this kind.")] = None,
    customer: Annotated[UUID | None, typer.Option("--customer", help="Only this customer's, by id.")] = None,
    decided: Annotated[bool, typer.Option("--decided", help="Show what was decided instead of what waits.")] = False,
    after: Annotated[UUID | None, typer.Option("--after", help="Go on after this id.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="How many at once.")] = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show what waits for a person, the oldest first, and how many of each kind there are.

    Exit codes: 0 done, 3 no database or disk.

    Example: earlybird worklist list --kind delivery
    """
    state = Decided.decided if decided else Decided.waiting
    with database(data_dir) as engine, rehearsal(engine) as session:
        page = queries.page(session, after=after, limit=limit, kind=kind, customer_id=customer, decided=state)
        counts = queries.counts(session)
    if as_json:
        answer({"waiting": counts, "items": list(page.items), "next": page.next})
        return
    table = Table("id", "kind", "what", "why", "money")
    for row in page.items:
        table.add_row(str(row["id"]), row["kind"], escape(row["title"]), escape(row["why"]), _money(row))
    out.print(table)
    out.print("  ".join(f"{name} {count}" for name, count in counts.items() if count) or "Nothing waits.")
    if page.next:
        out.print(f"More: earlybird worklist list --after {page.next}")


@app.command()
def show(item_id: Item, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show an item with the evidence: its row, what it may belong to side by side, what was decided before.

    Exit codes: 0 done, 1 there is no such item, 3 no database or disk.

    Example: earlybird worklist show 01990c5e-7a10-7000-8000-000000000001
    """
    with database(data_dir) as engine, rehearsal(engine) as session:
        found = queries.show(session, item_id)
    _show(found, as_json=as_json)


@app.command()
def resolve(
    item_id: Item,
    choice: Annotated[Choice, typer.Argument(help="link, reject or keep; of an amount approve, reject or keep.")],
    reason: Reason,
    target: Annotated[UUID | None, typer.Option("--to", help="The order or customer that a link names, by id.")] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Decide an item; steps and later dumps leave a decision alone.

    Exit codes: 0 done, 1 no such item, decided already, or refused, 3 no database or disk.

    Example: earlybird worklist resolve 01990c5e-7a10-7000-8000-000000000001 keep --reason "nobody remembers"
    """
    with database(data_dir) as engine, transaction(engine) as session:
        service.resolve(session, context(), item_id, choice=choice, reason=reason, target_id=target)
        found = queries.show(session, item_id)
    _show(found, as_json=as_json)


@app.command()
def undo(item_id: Item, reason: Reason, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Take a decision back: what it wrote is as it was before, and the item waits again.

    Exit codes: 0 done, 1 no such item, not decided, or changed since, 3 no database or disk.

    Example: earlybird worklist undo 01990c5e-7a10-7000-8000-000000000001 --reason "it was the neighbour"
    """
    with database(data_dir) as engine, transaction(engine) as session:
        service.undo(session, context(), item_id, reason=reason)
        found = queries.show(session, item_id)
    _show(found, as_json=as_json)


def _money(row: dict[str, Any]) -> str:
    if row["money_minor"] is None:
        return ""
    return str(Money(row["money_minor"], row["currency"])) if row["currency"] else str(row["money_minor"])


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        answer(found)
        return
    out.print(f"[bold]{escape(found['title'])}[/]  {escape(found['why'])}  {_money(found)}")
    columns = [("it", found["row"]), *((str(each["id"]), each["facts"]) for each in found["candidates"])]
    table = Table("", *(name for name, _ in columns))
    for name in dict.fromkeys(name for _, facts in columns for name in facts):
        cells = [facts.get(name) for _, facts in columns]
        if any(cell is not None for cell in cells):
            table.add_row(name, *(escape(_cell(cell)) for cell in cells))
    out.print(table)
    for each in found["choices"]:
        undone = f", undone by {each['undone_by']}: {each['undone_reason']}" if each["undone_at"] else ""
        out.print(
            escape(f"{each['made_at']:%Y-%m-%d %H:%M} {each['made_by']} {each['choice']}: {each['reason']}{undone}")
        )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
