"""`earlybird import csv` and `earlybird export csv`: tables in and out."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.markup import escape
from rich.table import Table

from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.identity.passwords import normal
from earlybird.importers import tables
from earlybird.importers.errors import NoSuchKind, NoSuchMapping, TableUnreadable
from earlybird.infra.db import rehearsal
from earlybird.infra.hashing import Hasher
from earlybird.infra.settings import Settings
from earlybird.kernel.money import Money

app = typer.Typer(help="Write the business's tables.", no_args_is_help=True)

Business = Annotated[str | None, typer.Option(help="Name of the business; needed where there are several.")]
Kind = Annotated[str, typer.Argument(help="customers, products, subscriptions, orders or payments.")]


def import_csv(
    kind: Kind,
    file: Annotated[Path, typer.Argument(help="CSV (also .gz, .xz) or .xlsx; for some mappings a folder.")],
    mapping: Annotated[
        str | None, typer.Option(help="Columns of another system: legacy-excel, online-retail, olist.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do it all, show what came of it, keep nothing.")] = False,
    errors: Annotated[
        Path | None, typer.Option(help="Write refused rows here: as they were, line, field, rule.")
    ] = None,
    business: Business = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Bring a table in: good rows come in, refused ones are shown and kept with line, field and rule.

    The same file again changes nothing; killed, it goes on where it was when it is run again. Columns and rules
    stand in docs/howto/import-and-export.md.

    Exit codes: 0 all in, 1 some rows refused (the others are in), 2 unreadable file, unknown kind, mapping or column
    (nothing is in), 3 no database or disk.

    Example: earlybird import csv customers customers.csv --errors refused.csv --dry-run
    """
    try:
        found = tables.kind_of(kind, mapping)
        if not file.exists():
            terminal.stop(f"There is no file {escape(str(file))}.", terminal.USAGE)
        with terminal.database(data_dir) as engine, _whole(errors) as out, terminal.bar() as progress:
            outcome = tables.take(
                engine,
                terminal.context("import"),
                found,
                file,
                business=business,
                dry_run=dry_run,
                errors=out,
                progress=progress,
                first_hash=_first_hash(terminal.settings(data_dir)),
            )
    except (TableUnreadable, NoSuchKind, NoSuchMapping) as failure:
        terminal.stop(escape(str(failure)), terminal.USAGE)
    facts = outcome.as_facts() | {"mapping": mapping, "dry_run": dry_run}
    if as_json:
        terminal.answer(facts)
    else:
        show(facts, outcome.currency)
    if outcome.refused:
        raise typer.Exit(terminal.REFUSED)


def _first_hash(settings: Settings) -> str | None:
    word = settings.first_password
    return Hasher.read(settings).hash(normal(word.get_secret_value())) if word else None


@contextlib.contextmanager
def _whole(path: Path | None) -> Iterator[TextIO | None]:
    """Open a file that appears whole or not at all."""
    if path is None:
        yield None
        return
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="") as out:
            yield out
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def show(facts: dict[str, Any], currency: str) -> None:
    """Print the counts, the totals, and the first refused rows."""
    for note in facts["notes"]:
        terminal.console.print(f"[yellow]![/] {escape(note)}")
    shown = Table("what", "count", title=f"{facts['kind']} of {facts['rows']:,} rows")
    for name in ("created", "changed", "same", "refused", "kept"):
        shown.add_row(name, f"{facts[name]:,}")
    for name, count in facts["counts"].items():
        shown.add_row(name.replace("_", " "), f"{count:,}")
    for reason, count in facts["kept_because"].items():
        shown.add_row(f"kept: {escape(reason)}", f"{count:,}")
    for name, minor in facts.get("totals", {}).items():
        if name.endswith("_minor"):
            shown.add_row(name.removesuffix("_minor").replace("_", " "), str(Money(minor, currency)))
    terminal.out.print(shown)
    for row in facts["rejections"][:20]:
        where = f"{row['field']}: " if row["field"] else ""
        typer.echo(f"line {row['line']}  {where}{row['rule']}")
    if len(facts["rejections"]) > 20:  # noqa: PLR2004  a screenful
        typer.echo(f"… and {facts['refused'] - 20:,} more; --errors FILE writes them all.")
    if facts["dry_run"]:
        typer.echo("A dry run: nothing was kept.")


@app.command("csv")
def export_csv(
    kind: Kind,
    out: Annotated[
        Path | None, typer.Option(help="Write here instead of standard output; .xlsx makes a workbook.")
    ] = None,
    xlsx: Annotated[bool, typer.Option("--xlsx", help="A workbook, whatever the name; needs --out.")] = False,
    business: Business = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write a table as `earlybird import csv` reads it: UTF-8, one header, cells that open no formula.

    Exit codes: 0 done, 1 refused (which business?), 2 unknown kind, 3 no database or disk.

    Example: earlybird export csv customers --out customers.csv
    """
    try:
        found = tables.export_of(kind)
    except NoSuchKind as failure:
        terminal.stop(escape(str(failure)), terminal.USAGE)
    as_book = xlsx or (out is not None and out.suffix.lower() == ".xlsx")
    if as_book and out is None:
        terminal.stop("A workbook needs --out FILE.", terminal.USAGE)
    with terminal.database(data_dir) as engine, rehearsal(engine) as session:
        home = tables.find_home(session, terminal.context().now, business)
        if as_book and out is not None:
            part = out.with_name(out.name + ".part")
            try:
                count = tables.as_workbook(session, home, found, part)
                part.replace(out)
            finally:
                part.unlink(missing_ok=True)
        else:
            with _whole_or_standard(out) as target:
                count = sum(_written(target, part_) for part_ in tables.as_text(session, home, found)) - 1
    if as_json and out is not None:
        terminal.answer({"kind": kind, "business": home.name, "rows": count, "out": str(out)})
    else:
        terminal.console.print(f"[green]✓[/] {count:,} rows of {kind}.")


@contextlib.contextmanager
def _whole_or_standard(path: Path | None) -> Iterator[TextIO]:
    if path is not None:
        part = path.with_name(path.name + ".part")
        try:
            with part.open("w", encoding="utf-8", newline="") as out:
                yield out
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", newline="") as out:
        yield out


def _written(target: TextIO, part: str) -> int:
    """Write a part of a table; return how many records it holds at least (records may hold line ends)."""
    target.write(part)
    return part.count("\r\n")
