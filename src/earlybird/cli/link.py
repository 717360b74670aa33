"""`earlybird link`: rounds and orders opened to helpers without a login."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from earlybird import wiring
from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.deliveries.queries import links as queries
from earlybird.deliveries.service import links as service
from earlybird.deliveries.states import LinkAction, LinkState
from earlybird.infra.db import rehearsal, transaction
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.kernel.clock import aware

TABLES = wiring.TABLES
"""Every table is known before a row is written: foreign keys point across slices."""

app = typer.Typer(help="Shared links: a round or an order for a helper without a login.", no_args_is_help=True)


@app.command()
def create(
    round_id: Annotated[UUID | None, typer.Option("--round", help="The round it opens.")] = None,
    order_id: Annotated[UUID | None, typer.Option("--order", help="Or the order it opens.")] = None,
    until: Annotated[
        str | None, typer.Option(help="When it ends, with offset; else with its service date, where the site is.")
    ] = None,
    pin: Annotated[str | None, typer.Option(help="4 to 8 digits that a new device must know.")] = None,
    uses: Annotated[int | None, typer.Option(min=1, max=1000, help="On how many devices it opens.")] = None,
    name: Annotated[str | None, typer.Option(help="Whose it is.")] = None,
    actions: Annotated[str, typer.Option(help="What it may do, with commas.")] = "see,confirm,ask",
    phones: Annotated[bool, typer.Option("--phones", help="Show phone numbers in full.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Open a round, or an order, to a helper, and print the address: once, as only its fingerprint is kept.

    Exit codes: 0 done, 1 refused, 2 wrong usage, 3 no database or secret key.

    Example: earlybird link create --round 01976f3e-5b1c-7c4e-9d2a-0f4f6c1d2e3a --pin 4711 --uses 2
    """
    wanted = [word.strip() for word in actions.split(",")]
    if not set(wanted) <= set(LinkAction):
        raise typer.BadParameter(f"one or more of {', '.join(LinkAction)}", param_hint="--actions")
    settings = terminal.settings(data_dir)
    keys = Keys.read(settings)
    with terminal.database(data_dir) as engine, transaction(engine) as session:
        made = service.create(
            session,
            terminal.context(),
            keys,
            round_id=round_id,
            order_id=order_id,
            name=name,
            actions=wanted,
            expires_at=_instant(until) if until else None,
            pin=pin,
            max_uses=uses,
            shows_phones=phones,
        )
    _tell(settings, made, as_json=as_json)


@app.command("list")
def list_links(
    round_id: Annotated[UUID | None, typer.Option("--round", help="Only of this round.")] = None,
    state: Annotated[LinkState | None, typer.Option(help="Only in this state.")] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show the newest 200 links, on how many devices each was opened and until when it is good; never a token.

    Exit codes: 0 done, 3 no database or disk.

    Example: earlybird link list --state good
    """
    ctx = terminal.context()
    with terminal.database(data_dir) as engine, rehearsal(engine) as session:
        found = queries.page(session, ctx, round_id=round_id, state=state).items
    if as_json:
        terminal.answer(found)
        return
    table = Table("id", "name", "opens", "days", "may", "devices", "until", "state")
    for row in found:
        table.add_row(
            str(row["id"]),
            row["name"],
            f"round {row['round_id']}" if row["round_id"] else f"order {row['order_id']}",
            f"{row['first_on']} – {row['last_on']}" if row["first_on"] < row["last_on"] else str(row["first_on"]),
            " ".join(row["actions"]),
            f"{row['use_count']} of {row['max_uses']}" if row["max_uses"] else str(row["use_count"]),
            f"{row['expires_at']:%Y-%m-%d %H:%M}",
            row["state"],
        )
    terminal.out.print(table)


@app.command()
def revoke(
    link_id: Annotated[UUID, typer.Argument(help="Which link.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "revoked by hand",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """End a link at once, also on the devices where it is open.

    Exit codes: 0 done, 1 no such link, 3 no database.

    Example: earlybird link revoke 01976f3e-5b1c-7c4e-9d2a-0f4f6c1d2e3a --reason "phone lost"
    """
    ctx = terminal.context()
    with terminal.database(data_dir) as engine, transaction(engine) as session:
        service.revoke(session, ctx, link_id, reason=reason)
        found = queries.show(session, ctx, link_id)
    if as_json:
        terminal.answer(found)
        return
    typer.echo(f"{found['name']} opens nothing any more.")


@app.command()
def renew(
    link_id: Annotated[UUID, typer.Argument(help="The link of a day before.")],
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Make the link of the same round's next day, with a token of its own, and print its address once.

    Exit codes: 0 done, 1 no such link or no later day yet, 3 no database.

    Example: earlybird link renew 01976f3e-5b1c-7c4e-9d2a-0f4f6c1d2e3a
    """
    settings = terminal.settings(data_dir)
    with terminal.database(data_dir) as engine, transaction(engine) as session:
        made = service.renew(session, terminal.context(), link_id)
    _tell(settings, made, as_json=as_json)


def _instant(text: str) -> datetime:
    try:
        return aware(datetime.fromisoformat(text))
    except ValueError as failure:
        raise typer.BadParameter("ISO 8601 with offset, as 2026-01-16T09:00+05:30", param_hint="--until") from failure


def _tell(settings: Settings, made: service.Made, *, as_json: bool) -> None:
    site = str(settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
    url = f"{site}/l/{made.token}"
    if as_json:
        terminal.answer({"id": made.id, "url": url, "expires_at": made.expires_at})
        return
    terminal.console.print(f"[green]✓[/] Link {made.id}, good until {made.expires_at:%Y-%m-%d %H:%M} UTC:")
    typer.echo(url)
