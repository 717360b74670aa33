"""`earlybird confirm`: take a file of confirmations, corrections and returns, in chunks that each stand."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.deliveries.schemas import Answer, Confirmation, NotRead, Verdict, read
from earlybird.deliveries.service import door
from earlybird.infra.db import transaction

CHUNK = 500
LONGEST = 1 << 20
"""Bytes of one line; no confirmation is near that long."""
FOREIGN = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x1f\x8b": "gzip", b"PK": "zip"}
Lines = list[tuple[int, bytes]]
MARK = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Tally:
    """What has become of the lines so far."""

    size: int
    answers: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    rejections: list[dict[str, Any]] = field(default_factory=list)

    def count(self, lines: Lines, verdicts: Sequence[Verdict]) -> None:
        """Count a chunk."""
        for (number, _), verdict in zip(lines, verdicts, strict=True):
            self.answers[verdict.answer] += 1
            if verdict.answer == Answer.rejected:
                self.rejections.append(
                    {"line": number, "client_id": verdict.client_id, "field": verdict.field, "rule": verdict.rule}
                )
            elif verdict.outcome and verdict.answer != Answer.repeated:
                self.outcomes[verdict.outcome] += 1

    def summary(self) -> dict[str, Any]:
        """Return the counts; every line read is counted under exactly one answer."""
        return {
            "read": self.answers.total(),
            **{str(answer): self.answers[answer] for answer in Answer},
            "outcomes": dict(sorted(self.outcomes.items())),
        }


def confirm(
    file: Annotated[
        Path, typer.Option("--file", help="JSON Lines, UTF-8: one confirmation, correction or return a line.")
    ],
    data_dir: DataDir = None,
    as_json: AsJson = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do it all, show what came of it, keep nothing.")] = False,
) -> None:
    """Confirm deliveries from a file: one or a hundred thousand.

    Repeating a file is harmless, and so is going on with one that was interrupted. Each line stands
    or falls alone; refused lines are shown, and kept with the rule they broke.

    Example: earlybird confirm --file round.jsonl, where a line reads
    {"client_id":"p1-17","kind":"confirm","order_code":"O-7Q4K2M9P","outcome":"delivered",
    "device_at":"2026-01-15T06:30:00+05:30"}

    Exit codes: 0 all taken or repeated, 1 some rejected, 2 unreadable file, 3 no database or disk.
    """
    with _opened(file) as source:
        tally = Tally(file.stat().st_size)
        with terminal.database(data_dir) as engine:
            take(engine, source, tally, dry_run=dry_run)
    if not tally.answers:
        terminal.stop(f"{escape(str(file))} holds no confirmations.", terminal.USAGE)
    _show(tally, as_json=as_json, dry_run=dry_run)
    if tally.answers[Answer.rejected]:
        raise typer.Exit(terminal.REFUSED)


def take(engine: Any, source: BufferedReader, tally: Tally, *, dry_run: bool) -> None:
    """Take the file chunk by chunk, each in a transaction; a dry run takes all in one and gives it back."""
    ctx = terminal.context("file")
    gc.freeze()  # what was imported is no garbage, and walking it again and again costs a tenth
    with _progress() as bar:
        task = bar.add_task("confirming", total=tally.size or None)
        chunks = _ahead(_chunks(source))
        if dry_run:
            with transaction(engine) as session:
                for lines, items in chunks:
                    tally.count(lines, door.confirm_many(session, ctx, items, bodies=[body for _, body in lines]))
                    bar.advance(task, sum(len(body) + 1 for _, body in lines))
                session.rollback()
            return
        for lines, items in chunks:
            with transaction(engine) as session:
                verdicts = door.confirm_many(session, ctx, items, bodies=[body for _, body in lines])
            tally.count(lines, verdicts)
            bar.advance(task, sum(len(body) + 1 for _, body in lines))


def _ahead(chunks: Iterator[Lines]) -> Iterator[tuple[Lines, list[Confirmation | NotRead]]]:
    """Yield chunks with what they read as; the next one is read while the database works on this one."""

    def following() -> tuple[Lines, list[Confirmation | NotRead]]:
        lines = next(chunks, [])
        return lines, [
            read(body) if len(body) <= LONGEST else NotRead(None, None, "A line is longer than 1 MiB.")
            for _, body in lines
        ]

    with ThreadPoolExecutor(1) as reader:
        found = reader.submit(following).result()
        while found[0]:
            upcoming = reader.submit(following)
            yield found
            found = upcoming.result()


def _opened(file: Path) -> BufferedReader:
    """Open the file where it can be one of ours; otherwise say what it is and leave."""
    try:
        source = file.open("rb")
        start = source.peek(4)
    except OSError as failure:
        terminal.stop(f"Cannot read {escape(str(file))}: {failure.strerror}.", terminal.USAGE)
    if not start:
        terminal.stop(f"{escape(str(file))} is empty.", terminal.USAGE)
    for sign, name in FOREIGN.items():
        if start.startswith(sign):
            terminal.stop(f"{escape(str(file))} is {name}; JSON Lines in UTF-8 are wanted.", terminal.USAGE)
    if start.startswith(MARK):
        source.read(len(MARK))
    return source


def _chunks(source: BufferedReader) -> Iterator[Lines]:
    """Yield numbered lines in chunks; blank ones are passed over."""
    lines = ((number, body) for number, body in enumerate(_lines(source), 1) if body)
    while chunk := list(islice(lines, CHUNK)):
        yield chunk


def _lines(source: BufferedReader) -> Iterator[bytes]:
    """Yield stripped lines; of one that is too long only the beginning, so that memory stays flat."""
    while line := source.readline(LONGEST + 1):
        rest = line
        while len(rest) > LONGEST and not rest.endswith(b"\n"):
            rest = source.readline(LONGEST + 1)
        yield line if len(line) > LONGEST else line.strip()


def _progress() -> Progress:
    """Return a bar on a terminal, and nothing where nobody looks."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
        console=terminal.console, disable=not terminal.console.is_terminal, transient=True,
    )  # fmt: skip


def _show(tally: Tally, *, as_json: bool, dry_run: bool) -> None:
    """Answer with the counts and with every line that was rejected."""
    summary = tally.summary()
    if as_json:
        terminal.answer({**summary, "dry_run": dry_run, "rejections": tally.rejections})
        return
    for found in tally.rejections:
        where = f"{found['field']}: " if found["field"] else ""
        typer.echo(f"line {found['line']}  {found['client_id'] or '-'}  {where}{found['rule']}")
    counts = ", ".join(f"{summary[answer]} {answer}" for answer in Answer)
    outcomes = ", ".join(f"{n} {name}" for name, n in summary["outcomes"].items())
    typer.echo(f"{summary['read']} read: {counts}." + (f" Now {outcomes}." if outcomes else ""))
    if dry_run:
        typer.echo("A dry run: nothing was kept.")
