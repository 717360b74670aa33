"""`earlybird audit`: read the trail, seal it, verify it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from rich.markup import escape
from rich.table import Table

from earlybird.audit import service
from earlybird.audit.queries import trail, verification
from earlybird.audit.queries.seals import LATE_CHECK
from earlybird.audit.rules import Verdict
from earlybird.audit.service import sealing
from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.infra import checkpoints
from earlybird.infra.checkpoints import Checkpoints, Trust
from earlybird.infra.db import rehearsal, transaction

app = typer.Typer(name="audit", help="Read the trail of changes, seal it, verify it.", no_args_is_help=True)

Entity = Annotated[str | None, typer.Option("--entity", help="KIND or KIND:ID, as order or order:0199….")]


@app.command()
def verify(
    as_json: AsJson = False,
    data_dir: DataDir = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="Trust this public key (earlybird audit key), without the secret; may be repeated."),
    ] = None,
    file: Annotated[Path | None, typer.Option("--checkpoints", help="The checkpoint file, or a copy of it.")] = None,
) -> None:
    """Recompute every seal from the entries; name what was edited, deleted, inserted, swapped or cut off, and where.

    Exit codes: 0 every seal holds, 1 something is broken, 3 no database.

    Example: earlybird audit verify --json
    """
    found = terminal.settings(data_dir)
    mark_key = None
    if key:
        trust = Trust.of(key)
    else:
        own = Checkpoints.at(found)
        trust, mark_key = Trust((own.public,)), own.mark_key
    path = file or checkpoints.place(found)
    with terminal.database(data_dir) as engine, rehearsal(engine) as session:
        verdict = verification.verify(session, path, trust, mark_key)
    if as_json:
        terminal.answer(as_facts(verdict, path))
    else:
        _show(verdict, path)
    raise typer.Exit(terminal.REFUSED if verdict.count else terminal.OK)


def as_facts(verdict: Verdict, path: Path) -> dict[str, Any]:
    """Return a verdict for JSON."""
    first = verdict.first
    return {
        "ok": not verdict.count,
        "seals": verdict.seals,
        "rows": verdict.rows,
        "unsealed": verdict.unsealed,
        "erased": verdict.erased,
        "checkpoint_file": str(path),
        "checkpoint_seal": verdict.checkpoint,
        "broken_count": verdict.count,
        "first": first.as_facts() if first else None,
        "broken": [one.as_facts() for one in verdict.ordered()],
    }


def _show(verdict: Verdict, path: Path) -> None:
    out = terminal.out
    word = "[red]✗ broken[/]" if verdict.count else "[green]✓ every seal holds[/]"
    out.print(f"{word}: {verdict.seals} seals over {verdict.rows} entries, {verdict.unsealed} not sealed yet.")
    upto = f"up to seal {verdict.checkpoint}" if verdict.checkpoint else "none"
    out.print(f"Checkpoints: {upto} ({escape(str(path))}).", soft_wrap=True)
    if verdict.erased:
        out.print(f"Personal details erased, and recorded: {verdict.erased} entries.")
    for number, one in enumerate(verdict.ordered()):
        place = ", ".join(
            f"{name} {fact}"
            for name, fact in (("seal", one.seal), ("position", one.position), ("entry", one.audit_id))
            if fact is not None
        )
        style = "bold red" if number == 0 else "red"
        out.print(f"  [{style}]{one.fault}[/] {escape(one.sentence)} [dim]{place}[/]", highlight=False, soft_wrap=True)
    if verdict.count > len(verdict.broken):
        out.print(f"  … and {verdict.count - len(verdict.broken)} more.")


@app.command()
def show(
    entity: Entity = None,
    actor: Annotated[str | None, typer.Option(help="Name, kind (cli, system, user, link) or id of who acted.")] = None,
    action: Annotated[str | None, typer.Option(help="An action, or all of a slice: orders.cancel, orders.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="UTC.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="The newest so many.")] = 50,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show what happened, newest first: when, who, from where, what, before and after.

    Exit codes: 0 done, 2 wrong usage, 3 no database.

    Example: earlybird audit show --entity order:01990c5e-7a10-7000-8000-000000000001
    """
    kind, _, key = (entity or "").partition(":")
    wanted: dict[str, Any] = {"entity": kind or None, "action": action, "limit": limit}
    wanted["entity_id"] = _key(key) if key else None
    wanted["since"] = since.replace(tzinfo=UTC) if since else None
    if actor:
        try:
            wanted["actor_id"] = UUID(actor)
        except ValueError:
            wanted["actor"] = actor
    with terminal.database(data_dir) as engine, rehearsal(engine) as session:
        found = list(trail.page(session, **wanted).items)
    if as_json:
        terminal.answer(found)
        return
    table = Table("When", "Who", "What", "Which", "Before → after", box=None, pad_edge=False, header_style="bold")
    for row in found:
        who = f"{row['actor_name'] or '(erased)'} ({row['role']}, {row['via']})"
        where = " ".join(filter(None, (row["address"], row["device"])))
        which = f"{row['entity']} {row['entity_id'] or ''}" + (f" ×{row['row_count']}" if row["row_count"] != 1 else "")
        said = " → ".join(orjson.dumps(row[name]).decode() for name in ("before", "after") if row[name] is not None)
        if row["reason"]:
            said = f"{said} “{row['reason']}”".strip()
        when = f"{row['at']:%Y-%m-%d %H:%M:%S}"
        table.add_row(*map(escape, (when, f"{who} {where}".strip(), row["action"], which.strip(), said)))
    terminal.out.print(table)


def _key(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as failure:
        raise typer.BadParameter("An entity is KIND or KIND:ID, the id a UUID.") from failure


@app.command()
def seal(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Seal what waits now instead of at the next minute, and write its checkpoint.

    Exit codes: 0 done, 3 no database or disk.

    Example: earlybird audit seal
    """
    own = Checkpoints.at(terminal.settings(data_dir))
    with terminal.database(data_dir) as engine:
        count = sealing.seal_all(engine, terminal.context(), own)
    if as_json:
        terminal.answer({"sealed": count})
    else:
        typer.echo(f"{count} entries sealed.")


@app.command()
def erase(
    entity: Annotated[str, typer.Option("--entity", help="KIND:ID, as customer:0199… or user:0199….")],
    reason: Annotated[str, typer.Option(help="Why; kept in the trail.")],
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Erase the personal details in the entries about somebody, or by them; the seals still verify. No way back.

    Exit codes: 0 done, 1 nothing to erase, 2 wrong usage, 3 no database or disk.

    Example: earlybird audit erase --entity customer:01990c5e-7a10-7000-8000-000000000001 --reason "their request"
    """
    kind, _, key = entity.partition(":")
    entity_id = _key(key)
    ctx, own = terminal.context(), Checkpoints.at(terminal.settings(data_dir))
    with terminal.database(data_dir) as engine:
        sealing.seal_all(engine, ctx, own)
        with transaction(engine) as session:
            count = sealing.erase(session, ctx, kind, entity_id, reason=reason)
    if as_json:
        terminal.answer({"erased": count})
    else:
        typer.echo(f"{count} entries keep no personal details any more.")


@app.command()
def accept(
    entry: Annotated[UUID, typer.Option(help="The id of the late entry, as verify names it; it must be sealed.")],
    reason: Annotated[str, typer.Option(help="Why it is honest; kept in the trail.")],
    data_dir: DataDir = None,
) -> None:
    """Take a late entry as honest: verify no longer calls it broken.

    Exit codes: 0 done, 1 no such finding, 3 no database or disk.

    Example: earlybird audit accept --entry 01990c5e-7a10-7000-8000-000000000001 --reason "the import ran for two hours"
    """
    with terminal.database(data_dir) as engine, transaction(engine) as session:
        service.accept(session, terminal.context(), LATE_CHECK, str(entry), reason=reason)
    typer.echo("Accepted.")


@app.command()
def key(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Print the public key of the checkpoints, for an auditor: earlybird audit verify --key.

    Exit codes: 0 done, 3 no secret key.

    Example: earlybird audit key
    """
    public = Checkpoints.at(terminal.settings(data_dir)).public
    facts = {"key": public.hex(), "name": checkpoints.name_of(public), "algorithm": "Ed25519"}
    if as_json:
        terminal.answer(facts)
    else:
        typer.echo(facts["key"])
