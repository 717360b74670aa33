"""The terminal's way in: `earlybird COMMAND`; every command prints what it did and exits as documented."""

from __future__ import annotations

import typer

from earlybird.cli import (
    audit,
    backup,
    bill,
    charge,
    confirm,
    database,
    demo,
    importing,
    init,
    link,
    messages,
    migrate,
    openapi,
    pay,
    plan,
    reconcile,
    rollback,
    rounds,
    schedule,
    serve,
    simulate,
    steps,
    tables,
    token,
    user,
    webhooks,
    worklist,
    writing,
)
from earlybird.cli.terminal import failures_shown

app = typer.Typer(
    name="earlybird",
    help="Run a delivery business from the standing order to the money in the bank.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="Exit codes: 0 done, 1 refused or found wrong, 2 wrong usage, 3 no database or disk.",
)

app.command()(demo.demo)
app.command()(init.init)
app.command()(serve.up)
app.command()(serve.serve)
app.command()(serve.worker)
app.command()(openapi.openapi)
app.command()(token.token)
app.command()(simulate.simulate)
app.add_typer(database.app)
app.add_typer(importing.app, name="import")
importing.app.command("csv")(tables.import_csv)
app.add_typer(tables.app, name="export")
app.add_typer(steps.app, name="steps")
app.add_typer(migrate.app, name="migrate")
app.add_typer(backup.app, name="backup")
app.command()(backup.restore)
app.command()(rollback.rollback)
app.command()(rollback.rehearse)
app.add_typer(writing.app, name="writing")
app.command("legacy-bill")(importing.legacy_bill)
app.command()(plan.plan)
app.add_typer(rounds.app, name="rounds")
app.command()(confirm.confirm)
app.command()(charge.charge)
app.add_typer(bill.app, name="bill")
app.command()(pay.pay)
app.command()(reconcile.reconcile)
app.add_typer(worklist.app, name="worklist")
app.add_typer(audit.app, name="audit")
app.add_typer(schedule.app, name="jobs")
app.add_typer(messages.app, name="messages")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(user.app, name="user")
app.add_typer(link.app, name="link")
app.command()(user.invite)


def main() -> None:
    """Run one command."""
    with failures_shown():
        app()
