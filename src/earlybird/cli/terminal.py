"""What every command shares: the database, who is asking, how answers and failures are shown."""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, Protocol

import orjson
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from earlybird import schema
from earlybird.backups import service as backups
from earlybird.backups.errors import BackupNotProven
from earlybird.infra import db, gate
from earlybird.infra.embedded import DatabaseUnavailable, Embedded
from earlybird.infra.settings import Settings
from earlybird.kernel.ctx import EVERYWHERE, Actor, Ctx
from earlybird.kernel.errors import Failure, Unavailable

OK, REFUSED, USAGE, ENVIRONMENT = 0, 1, 2, 3
"""Exit codes: done · refused or found wrong · wrong usage or unreadable input · no database, no disk."""

READ_ONLY = "25006"
"""What PostgreSQL calls a write in a session that may only look."""

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="EARLYBIRD_DATA_DIR",
        help="Folder of the embedded database (unless EARLYBIRD_DATABASE_URL names a server).",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON on standard output.")]

Without = Annotated[
    str | None, typer.Option("--without-backup", metavar="REASON", help="In production: go without a proven backup.")
]

console = Console(stderr=True)
"""Progress and messages; answers go to standard output."""

out = Console()
"""Answers for people."""


def settings(data_dir: Path | None = None) -> Settings:
    """Read the settings, the command's --data-dir first."""
    return Settings(data_dir=data_dir) if data_dir else Settings()


@contextlib.contextmanager
def unprepared(data_dir: Path | None) -> Iterator[Any]:
    """Yield an engine on the database as it stands, whatever its version, past the gate."""
    found = settings(data_dir)
    with contextlib.ExitStack() as stack:
        if found.database_url:
            url = found.database_url
        else:
            embedded = Embedded(found.data_dir)
            stack.enter_context(embedded.running())
            url = embedded.url("earlybird")
        engine = db.connect(url)
        stack.callback(engine.dispose)
        yield engine


@contextlib.contextmanager
def database(data_dir: Path | None, *, as_application: bool = False, past_gate: bool = False) -> Iterator[Any]:
    """Yield an engine on the migrated database; start and stop the embedded one around it if need be.

    The web and the worker act as the application's own database role, where the server has it; a warning says
    where it has not. Every other command acts as the owner of the tables, and while writing is stopped may only
    look; what serves asks at each write instead, and what ends an emergency goes `past_gate`.
    """
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(unprepared(data_dir))
        schema.prepare(engine, is_production=settings(data_dir).production)
        url = engine.url.render_as_string(hide_password=False)
        if as_application:
            engine = _as_application(engine, url, stack)
        elif not past_gate and not stack.enter_context(gate.entered(engine)):
            engine = db.connect(url, is_looking=True)
            stack.callback(engine.dispose)
        yield engine


def require_backup(engine: Any, what: str, *, without: str | None) -> None:
    """Ask for a fresh, proven backup before `what`, in production; tables too old to know of backups know of none."""
    found = settings()
    terms = backups.Terms(found.production, found.backup_fresh_hours)
    with db.transaction(engine) as session:
        if db.value(session, "SELECT to_regclass('backups')") is not None:
            backups.require(session, context(), what, terms, without=without)
        elif terms.is_production and not without:
            raise BackupNotProven(what=what, hours=terms.fresh_hours)


def _as_application(engine: Any, url: str, stack: contextlib.ExitStack) -> Any:
    if not db.can_act_as_application(engine):
        console.print(
            f"[bold yellow]![/] This server has no role {db.APPLICATION} for us: the tables' owner serves, "
            "whom the audit does not hold back. See docs/runbook/install.md.",
            soft_wrap=True,
        )
        return engine
    engine.dispose()
    found = db.connect(url, role=db.APPLICATION)
    stack.callback(found.dispose)
    return found


def context(via: str = "cli") -> Ctx:
    """Return who asks (the operating system's user, as admin) and when (the clock, or EARLYBIRD_NOW)."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    now = Settings().now or datetime.now(UTC)
    return Ctx(actor=Actor(kind="cli", name=name, role="admin", reaches=EVERYWHERE), now=now, via=via)


class Report(Protocol):
    """What long work reports to: what is being done, how much of it, of how much, and how many rows that were."""

    def __call__(self, what: str, done: int, count: int, rows: int | None = None, /) -> None:
        """Show it."""


@contextlib.contextmanager
def bar() -> Iterator[Report]:
    """Show a progress bar with the time that is left on standard error; yields what long work reports to."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=not console.is_terminal) as shown:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, count: int, rows: int | None = None) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=count, speed="")
            passed = shown.tasks[tasks[what]].elapsed
            speed = f"{rows / passed:,.0f} rows/s" if rows and passed else ""
            shown.update(tasks[what], completed=done, total=count, speed=speed)

        yield report


def answer(facts: Any) -> None:
    """Print one JSON value on standard output."""
    sys.stdout.buffer.write(
        orjson.dumps(facts, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS) + b"\n"
    )
    sys.stdout.flush()


def stop(message: str, code: int = REFUSED) -> NoReturn:
    """Say why and leave."""
    console.print(f"[bold red]✗[/] {message}", highlight=False, markup=True, soft_wrap=True)
    raise SystemExit(code)


@contextlib.contextmanager
def failures_shown() -> Iterator[None]:
    """Turn failures into one clear line and the documented exit code."""
    try:
        yield
    except (Unavailable, DatabaseUnavailable) as failure:
        stop(str(failure), ENVIRONMENT)
    except Failure as failure:
        stop(str(failure), REFUSED)
    except db.DatabaseDown as failure:
        stop(f"The database does not answer: {failure.orig}", ENVIRONMENT)
    except db.DatabaseRefused as failure:
        if getattr(failure.orig, "sqlstate", "") != READ_ONLY:
            raise
        stop("Writing is stopped; only what looks is allowed: earlybird writing status says why.", ENVIRONMENT)
    except OSError as failure:
        stop(str(failure), ENVIRONMENT)
    except KeyboardInterrupt:
        stop("Interrupted; what was finished stands, run the command again to go on.", 130)
