"""`earlybird messages`: what waits to be sent, sending it without a worker, and sending again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from earlybird import wiring
from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.customers.service import telling
from earlybird.infra.db import rehearsal, transaction
from earlybird.infra.security import Keys
from earlybird.notifications import queries, service
from earlybird.notifications.states import MessageKind, MessageState

app = typer.Typer(help="Messages to people: list them, send what waits, send again.")

TABLES = wiring.TABLES
"""Every table is known before a row is written: foreign keys point across slices."""


@app.callback(invoke_without_command=True)
def list_messages(call: typer.Context, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show the newest 200 messages that wait or failed; what they say is never shown.

    Exit codes: 0 done, 3 no database or disk.

    Example: earlybird messages --json
    """
    if call.invoked_subcommand is not None:
        return
    with terminal.database(data_dir) as engine, rehearsal(engine) as session:
        found = queries.unsent(session)
    _show(found, as_json=as_json)


@app.command("list")
def list_some(
    state: Annotated[MessageState | None, typer.Option(help="Only in this state; `failed` are those given up.")] = None,
    kind: Annotated[MessageKind | None, typer.Option(help="Only of this kind.")] = None,
    customer: Annotated[UUID | None, typer.Option(help="Only to this customer, by id.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest 200 messages, sent or not; what a code or link was is never shown.

    Exit codes: 0 done, 3 no database or disk.

    Example: earlybird messages list --state failed
    """
    with terminal.database(data_dir) as engine, rehearsal(engine) as session:
        found = queries.page(session, state=state, kind=kind, customer_id=customer).items
    _show(found, as_json=as_json)


@app.command()
def resend(
    ids: Annotated[list[UUID], typer.Argument(help="Messages by id, as `messages list` shows them.")],
    reason: Annotated[str | None, typer.Option(help="Why, for the audit.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Send messages to customers again, at once, to where they are reached today; all of them or none.

    Codes, links and other messages about a login are never sent again: what they said is not kept.

    Exit codes: 0 done, 1 refused (no such message, it waits already, a code or link), 3 no database or secret key.

    Example: earlybird messages resend 01a1fc2b-4797-7807-9cf1-37b78ca038f5
    """
    ctx, keys = terminal.context(), Keys.read(terminal.settings(data_dir))
    with terminal.database(data_dir) as engine, transaction(engine) as session:
        for one in ids:
            telling.resend(session, ctx, keys, one, reason=reason)
    typer.echo(f"{len(ids)} sent again.")


def _show(found: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        terminal.answer(found)
        return
    table = Table("id", "kind", "channel", "address", "state", "since", "tries", "why")
    for row in found:
        table.add_row(
            str(row["id"]),
            row["kind"],
            row["channel"],
            row["address"],
            row["state"],
            f"{row['state_at']:%Y-%m-%d %H:%M}",
            str(row["tries"]),
            row["last_error"],
        )
    terminal.out.print(table)


@app.command()
def send(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Send every message that is due, as the worker does; where no gateway is configured all of them wait.

    Exit codes: 0 done, 1 a gateway's URL is malformed, 3 no database or disk.

    Example: earlybird messages send
    """
    settings = terminal.settings(data_dir)
    done = 0
    with terminal.database(data_dir) as engine:
        job = next(job for job in wiring.on_demand(settings) if job.name == service.SEND)
        while count := int(str(job.run(engine, terminal.context()))):
            done += count
    if as_json:
        terminal.answer({"tried": done})
    else:
        typer.echo(f"{done} messages tried.")
