"""`earlybird backup` and `earlybird restore`: make backups, prove them, bring them back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.filesize import decimal
from rich.table import Table

from earlybird.backups import queries
from earlybird.cli import terminal
from earlybird.cli.terminal import AsJson, DataDir
from earlybird.deploy import backup as making
from earlybird.deploy import drill as drilling
from earlybird.deploy import folder
from earlybird.deploy import restore as restoring
from earlybird.deploy.folder import Whole
from earlybird.deploy.place import Place
from earlybird.deploy.place import key as backup_key
from earlybird.deploy.retention import Retention
from earlybird.infra import db
from earlybird.infra.security import Keys

app = typer.Typer(name="backup", help="Make a backup while the business goes on; list and prove backups.")

Home = Annotated[
    Path | None,
    typer.Option("--to", metavar="DIR", help="The folder of backups (EARLYBIRD_BACKUP_DIR, else in the data folder)."),
]
From = Annotated[
    Path | None, typer.Option("--from", metavar="DIR", help="The folder of backups, as --to of `earlybird backup`.")
]
Name = Annotated[str | None, typer.Argument(metavar="BACKUP", help="Its name or path; the newest without it.")]


@app.callback(invoke_without_command=True)
def backup(
    context: typer.Context,
    to: Home = None,
    encrypt: Annotated[bool, typer.Option("--encrypt", help="Seal it with EARLYBIRD_BACKUP_KEY(_FILE).")] = False,
    keep_daily: Annotated[int | None, typer.Option(min=1, help="Keep the newest of so many days.")] = None,
    keep_weekly: Annotated[int, typer.Option(min=0, help="And of so many weeks.")] = 4,
    keep_monthly: Annotated[int, typer.Option(min=0, help="And of so many months.")] = 12,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Save the database, the photos and the checkpoints of the audit as they are at this moment.

    Nothing is removed unless --keep-daily is given.

    Exit codes: 0 done, 1 refused, 3 no database, disk or pg_dump.

    Example: earlybird backup --to /mnt/backups --encrypt --keep-daily 7
    """
    if context.invoked_subcommand:
        return
    place = Place.of(terminal.settings(data_dir), to)
    rule = Retention(keep_daily, keep_weekly, keep_monthly) if keep_daily else None
    with terminal.unprepared(data_dir) as engine:
        whole = making.make(engine, terminal.context(), place, encrypt=encrypt, retention=rule)
    if as_json:
        terminal.answer(as_facts(whole))
    else:
        typer.echo(f"{whole.path}  {decimal(whole.byte_count)}")
        terminal.console.print("Prove it: earlybird backup drill", highlight=False)


def as_facts(whole: Whole) -> dict[str, Any]:
    """Return what a backup says of itself, without what it is made of."""
    told = whole.manifest
    return {
        "name": whole.path.name,
        "path": str(whole.path),
        "made_at": told["made_at"],
        "schema": told["schema"],
        "byte_count": whole.byte_count,
        "encrypted": told["encrypted"] is not None,
        "files": told["files"],
        "parts": told["parts"],
    }


@app.command("list")
def list_backups(home: From = None, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the whole backups of the folder, the newest first, with what the last drill of each said.

    Exit codes: 0 done, 3 no database.

    Example: earlybird backup list
    """
    place = Place.of(terminal.settings(data_dir), home)
    with terminal.database(data_dir) as engine, db.rehearsal(engine) as session:
        known = {row["name"]: row for row in queries.listing(session)}
    found = []
    for whole in folder.listing(place.home):
        row = known.get(whole.path.name, {})
        found.append(as_facts(whole) | {"drilled_at": row.get("drilled_at"), "is_proven": row.get("is_proven")})
    if as_json:
        terminal.answer(found)
        return
    table = Table("backup", "made", "tables", "encrypted", "drill")
    table.add_column("size", justify="right")
    for one in found:
        said = {True: "[green]proven[/]", False: "[red]does not hold[/]"}.get(one["is_proven"], "–")
        seal = "yes" if one["encrypted"] else "no"
        table.add_row(one["name"], one["made_at"][:16], one["schema"], seal, said, decimal(one["byte_count"]))
    terminal.out.print(table)


@app.command()
def drill(name: Name = None, home: From = None, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Bring a backup back beside the live database and prove it: parts, rows, ledger, audit, photos, questions.

    The copy is dropped afterwards. A backup that does not hold is a finding.

    Exit codes: 0 proven, 1 it does not hold, 3 no database, disk or pg_restore.

    Example: earlybird backup drill
    """
    place = Place.of(terminal.settings(data_dir), home)
    whole = chosen(name, place)
    with terminal.database(data_dir) as engine, terminal.console.status(f"Bringing {whole.path.name} back …"):
        proof = drilling.run(engine, terminal.context(), place, whole)
    if as_json:
        terminal.answer(proof.as_facts())
    else:
        table = Table("part", "seconds")
        for what, seconds in proof.seconds.items():
            table.add_row(what, f"{seconds:.2f}")
        terminal.out.print(table)
        mark = "[green]✓ proven[/]" if proof.holds else "[red]✗ does not hold[/]"
        rows = proof.figures.get("rows", 0)
        terminal.out.print(f"{mark}: {proof.name}, {rows:,} rows.", highlight=False)
        for sentence in proof.wrong:
            terminal.out.print(f"  {sentence}", highlight=False, soft_wrap=True, markup=False)
    raise typer.Exit(terminal.OK if proof.holds else terminal.REFUSED)


def chosen(name: str | None, place: Place) -> Whole:
    """Return the backup that is named or lies at a path, the newest where none is given."""
    if name is None:
        return folder.newest(place.home)
    return folder.at(Path(name) if "/" in name else place.home / name)


def restore(
    source: Annotated[
        Path, typer.Argument(metavar="BACKUP", help="The backup's folder.", exists=True, file_okay=False)
    ],
    into: Annotated[str, typer.Option("--into", metavar="URL|DIR", help="An empty database, or a new data folder.")],
    files: Annotated[
        Path | None, typer.Option("--files", metavar="DIR", help="With a URL: the empty folder the photos go to.")
    ] = None,
    checkpoints: Annotated[
        Path | None, typer.Option("--checkpoints", metavar="FILE", help="With a URL: where the checkpoints go.")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Bring a backup back into an empty database or a new data folder; what is not empty is refused.

    Exit codes: 0 done, 1 refused or damaged, 3 no database, disk or pg_restore.

    Example: earlybird restore /mnt/backups/earlybird-20260115T120000Z-3f9a --into /srv/milk
    """
    found = terminal.settings(data_dir)
    whole, key = folder.at(source), backup_key(found)
    with terminal.console.status("Reading every part …"):
        whole.check_parts()
    if "://" in into:
        made = _into_database(whole, into, key, files, checkpoints)
    else:
        made = restoring.into_folder(whole, Path(into).absolute(), key)
    if as_json:
        terminal.answer(made | {"backup": whole.path.name})
        return
    typer.echo(f"{whole.path.name} is in {made['into']}, with {made['photos']} photos.")
    terminal.console.print(
        "The secret key is in no backup: put secret.key, or EARLYBIRD_SECRET_KEY, in place before you start.\n"
        "Then: earlybird audit verify, earlybird reconcile.",
        highlight=False,
        soft_wrap=True,
    )


def _into_database(
    whole: Whole, url: str, key: Keys | None, files: Path | None, checkpoints: Path | None
) -> dict[str, Any]:
    engine = db.connect(url)
    try:
        restoring.database(whole, engine, key)
        place = engine.url.render_as_string(hide_password=True)
    finally:
        engine.dispose()
    count = restoring.photos(whole, files, key) if files else 0
    if checkpoints:
        restoring.checkpoints(whole, checkpoints, key)
    return {"into": place, "photos": count}
