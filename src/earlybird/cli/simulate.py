"""`earlybird simulate`: a dairy played from a seed, and every promise checked each evening."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson
from earlybird.infra.db import run, transaction
from earlybird.kernel.money import Money

if TYPE_CHECKING:
    from earlybird.simulation import Outcome, Played, Stage

CURRENCY = "INR"
COLUMNS = (
    ("orders", ("orders",)),
    ("stops", ("stops",)),
    ("online", ("online",)),
    ("offline", ("offline",)),
    ("by link", ("by link",)),
    ("wrong taps", ("wrong taps", "second phones", "two drivers")),
    ("corrected", ("corrections", "returns")),
    ("extras", ("extra",)),
    ("pauses", ("pause", "leave_for_a_while")),
    ("other wishes", ("resume", "override", "withdraw", "change", "stop", "reactivate", "change_extra", "cancel_extra",
                      "join", "request", "late requests")),
    ("refused", ("refused",)),
    ("paid", ("payments",)),
    ("crashes", ("crashes",)),
)  # fmt: skip
"""Headings of the table of days, and the counts each sums."""


def simulate(
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days of delivery.")] = 30,
    customers: Annotated[int, typer.Option(min=2, max=20_000, help="How many households at the start.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Whatever happens follows from it.")] = 1,
    keep: Annotated[
        Path | None, typer.Option(help="An empty folder to leave the database in, to look at afterwards.")
    ] = None,
    sabotage: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="SQL to run behind the product's back on the last evening, to see it found.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Play a dairy through the real doors and jobs, on a clock of its own, and check every promise each evening.

    It makes a scratch database (embedded, or beside the one EARLYBIRD_DATABASE_URL names) and drops it afterwards;
    no other data is touched. A month's end lies two thirds into the days, so that bills, payments and late
    evidence take part. The same seed, days and customers give the same digest. It stops on the first evening on
    which something does not hold.

    Exit codes: 0 everything held, 1 something did not, 2 wrong usage, 3 no database or disk.

    Example: earlybird simulate --days 30 --customers 500 --seed 7
    """
    import logging

    import structlog

    from earlybird.simulation import scratch
    from earlybird.simulation import simulate as play

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if keep is not None and keep.exists() and any(keep.iterdir()):
        terminal.stop(f"{keep} is not empty.", terminal.USAGE)
    began = time.monotonic()
    table = _table()
    with (
        terminal.console.status("Opening the dairy …") as status,
        scratch(terminal.settings().database_url, keep) as place,
    ):

        def shown(played: Played) -> None:
            table.add_row(*_row(played))
            status.update(f"{played.day} is over, {len(table.rows)} of {days} days …")

        evenings = iter(range(days))

        def between(stage: Stage, _day: object) -> None:
            if next(evenings) == days - 1 and sabotage is not None:
                with transaction(stage.owner) as session:
                    run(session, "SET LOCAL session_replication_role = replica")  # no trigger and no key objects
                    run(session, sabotage.read_text(encoding="utf-8"))

        outcome = play(place.url, place.folder, days=days, customers=customers, seed=seed, shown=shown, between=between)
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        terminal.answer(_facts(outcome, seconds))
    else:
        terminal.out.print(table)
        _say(outcome, seconds, keep)
    raise typer.Exit(terminal.REFUSED if outcome.violations else terminal.OK)


def _table() -> Table:
    table = Table("day", box=None, pad_edge=False, header_style="bold")
    for title, _ in COLUMNS:
        table.add_column(title, justify="right")
    for title in ("delivered", "billed", "holds"):
        table.add_column(title, justify="right")
    return table


def _row(played: Played) -> list[str]:
    counts = played.counts
    cells = [str(sum(counts.get(name, 0) for name in names) or "·") for _, names in COLUMNS]
    money = [
        str(Money(counts[name], CURRENCY)) if counts[name] else "·" for name in ("delivered_minor", "billed_minor")
    ]
    return [f"{played.day:%d %b}", *cells, *money, "[red]no[/]" if played.violations else "[green]yes[/]"]


def _say(outcome: Outcome, seconds: float, keep: Path | None) -> None:
    out = terminal.out
    for violation in outcome.violations:
        out.print(f"[red]✗[/] [bold]{violation.invariant}[/]  {violation.what}", highlight=False, soft_wrap=True)
    totals = outcome.totals
    out.print(
        f"{len(outcome.days)} days, {totals['requests']:,} requests, {totals['jobs']:,} runs of jobs, "
        f"{totals['crashes']:,} of them died half-way and were done again; {seconds} s.",
        highlight=False,
    )
    found = len(outcome.violations)
    out.print("[green]Everything held every evening.[/]" if not found else f"[red]{found} things do not hold.[/]")
    out.print(f"seed {outcome.seed}  digest {outcome.digest}", highlight=False, soft_wrap=True)
    if keep is not None:
        out.print(f"The database is in {keep}.", highlight=False, soft_wrap=True)


def _facts(outcome: Outcome, seconds: float) -> dict[str, Any]:
    def plain(violations: list[Any]) -> list[dict[str, str]]:
        return [{"invariant": one.invariant, "what": one.what} for one in violations]

    return {
        "ok": not outcome.violations,
        "seed": outcome.seed,
        "customers": outcome.customers,
        "digest": outcome.digest,
        "seconds": seconds,
        "days": [{"day": one.day, "counts": one.counts, "violations": plain(one.violations)} for one in outcome.days],
        "totals": outcome.totals,
        "violations": plain(outcome.violations),
    }
