"""The terminal's way in: `earlybird COMMAND`; every command prints what it did and exits as documented."""

from __future__ import annotations

import typer

from earlybird.cli import bill, charge, pay
from earlybird.cli.terminal import failures_shown

app = typer.Typer(
    name="earlybird",
    help="Run a delivery business from the standing order to the money in the bank.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="Exit codes: 0 done, 1 refused or found wrong, 2 wrong usage, 3 no database or disk.",
)

app.add_typer(bill.app, name="bill")
app.command()(charge.charge)
app.command()(pay.pay)


def main() -> None:
    """Run one command."""
    with failures_shown():
        app()
