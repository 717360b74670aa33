"""`earlybird charge`: charge what was delivered, as the worker does every minute."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from earlybird.billing.service import charges
from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.infra.db import transaction
from earlybird.kernel.ctx import Ctx

CHUNK = 200_000


def charge(
    data_dir: DataDir = None,
    as_json: AsJson = False,
    sweep: Annotated[bool, typer.Option("--sweep", help="Compare all facts with all charges first.")] = False,
) -> None:
    """Charge every delivered line that has no charge yet. Twice, or two at once, charges nothing more.

    The number is of lines looked at: those a policy leaves out are among them.

    Exit codes: 0 done, 3 no database or disk.

    Example: earlybird charge --json
    """
    with terminal.database(data_dir) as engine:
        count = charge_all(engine, terminal.context(), sweep=sweep)
    if as_json:
        terminal.answer({"lines": count})
    else:
        typer.echo(f"{count} delivered lines charged.")


def charge_all(engine: Any, ctx: Ctx, *, sweep: bool = False) -> int:
    """Charge all that waits, one transaction per chunk; return how many lines."""
    if sweep:
        with transaction(engine) as session:
            charges.sweep(session)
    done = 0
    with terminal.console.status("charging") as status:
        while True:
            with transaction(engine) as session:
                count = charges.charge_delivered(session, ctx, limit=CHUNK)
            done += count
            status.update(f"charged {done} lines")
            if count < CHUNK:
                return done
