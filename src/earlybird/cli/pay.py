"""`earlybird pay`: take a file of payments and reversals, each row judged on its own."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.markup import escape

from earlybird.billing.errors import UnreadableFile
from earlybird.billing.service import payments
from earlybird.billing.service.payments import Outcome
from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.infra.db import rehearsal, transaction

CHUNK = 1_000
KEY = ("customer_source", "customer_kind", "customer_key")

Row = tuple[int, str, Any]


def pay(
    file: Annotated[Path, typer.Option("--file", help="JSON Lines or CSV, UTF-8: one payment or reversal a row.")],
    data_dir: DataDir = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do it all, show what came of it, keep nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Record payments and settle the oldest open bills with them; reverse what did not hold.

    The same file twice, or two at once, changes nothing more. A refused row is shown, and kept with its
    field and rule. Payments of a file are taken before its reversals.

    Example: earlybird pay --file payments.jsonl, where a line reads {"client_id":"upi-8812",
    "customer":"C-7Q4K2M9P","amount":"1250.00","currency":"INR","method":"upi","received_on":"2026-02-03"}
    or {"reverse":"upi-8812","reason":"bounced"}

    Exit codes: 0 all recorded or repeated, 1 some rejected, 2 unreadable file, 3 no database or disk.
    """
    try:
        with file.open("rb") as probe:
            reader = _csv if file.suffix.lower() == ".csv" else _lines
            if not probe.read(1):
                terminal.stop(f"{escape(str(file))} is empty.", terminal.USAGE)
            probe.seek(0)
            with terminal.database(data_dir) as engine:
                outcome = take(engine, reader(probe), dry_run=dry_run)
    except UnreadableFile as failure:
        terminal.stop(f"{escape(str(file))}: {failure}", terminal.USAGE)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as failure:
        terminal.stop(f"Cannot read {escape(str(file))}: {failure.strerror}.", terminal.USAGE)
    show(outcome, dry_run=dry_run, as_json=as_json)


def take(engine: Any, given: Iterator[Row], *, dry_run: bool) -> Outcome:
    """Take the rows in chunks, each in a transaction; a dry run takes all in one and gives it back."""
    ctx = terminal.context("file")
    outcome = Outcome()
    reversals: list[Row] = []

    def incoming() -> Iterator[Row]:
        for row in given:
            if isinstance(row[2], dict) and "reverse" in row[2]:
                reversals.append(row)
            else:
                yield row

    received = incoming()
    if dry_run:
        with rehearsal(engine) as session:
            while chunk := list(islice(received, CHUNK)):
                outcome.add(payments.receive(session, ctx, chunk))
            outcome.add(payments.reverse(session, ctx, reversals))
        return outcome
    with terminal.console.status("recording payments"):
        while chunk := list(islice(received, CHUNK)):
            with transaction(engine) as session:
                done = payments.receive(session, ctx, chunk)
            outcome.add(done)
        for start in range(0, len(reversals), CHUNK):
            with transaction(engine) as session:
                done = payments.reverse(session, ctx, reversals[start : start + CHUNK])
            outcome.add(done)
    return outcome


def show(outcome: Outcome, *, dry_run: bool, as_json: bool) -> None:
    """Answer with the counts and every refused row."""
    rejected = sorted(outcome.rejected, key=lambda row: row["line"])
    counts = {
        "recorded": outcome.recorded,
        "reversed": outcome.reversed,
        "repeated": outcome.repeated,
        "rejected": len(rejected),
    }
    if as_json:
        terminal.answer({**counts, "dry_run": dry_run, "rejections": rejected})
    else:
        for row in rejected:
            where = f"{row['field']}: " if row["field"] else ""
            typer.echo(f"line {row['line']}  {where}{row['rule']}")
        typer.echo(", ".join(f"{count} {name}" for name, count in counts.items()) + ".")
        if dry_run:
            typer.echo("A dry run: nothing was kept.")
    if rejected:
        raise typer.Exit(terminal.REFUSED)


def _lines(source: Any) -> Iterator[Row]:
    for number, raw in enumerate(source, 1):
        if raw.startswith((b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"PK\x03")) and number == 1:
            raise UnreadableFile("JSON Lines in UTF-8 are wanted.")
        body = raw.removeprefix(b"\xef\xbb\xbf").strip()
        if not body:
            continue
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError:
            parsed = None
        yield number, body.decode(errors="replace"), parsed


def _csv(source: Any) -> Iterator[Row]:
    """Read CSV with a header: the fields of a payment, the legacy key as customer_source, _kind and _key."""
    text = io.TextIOWrapper(source, encoding="utf-8-sig", errors="replace", newline="")
    try:
        reader = csv.DictReader(text, strict=True)
        names = reader.fieldnames or []
        if "client_id" not in names and "reverse" not in names:
            raise UnreadableFile("The first line must name the columns, client_id among them.")
        for row in reader:
            yield reader.line_num, orjson.dumps(row, option=orjson.OPT_NON_STR_KEYS).decode(), _shaped(row)
    except csv.Error as failure:
        raise UnreadableFile(f"Line {text.buffer.tell()}: {failure}") from failure


def _shaped(row: dict[Any, Any]) -> dict[Any, Any]:
    told = {name: cell for name, cell in row.items() if cell not in {"", None} if name not in KEY}
    if any(row.get(name) for name in KEY):
        told["customer"] = {name.removeprefix("customer_"): row.get(name) or "" for name in KEY}
    return told
