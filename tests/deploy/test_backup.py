"""A backup is of one moment, whole or not there, and comes back as it was; a drill proves it or says what is wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import shutil
import signal
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine

from earlybird.backups import queries
from earlybird.backups import service as backups
from earlybird.backups.errors import BackupNotProven
from earlybird.deploy import backup, drill, folder, restore
from earlybird.deploy.errors import BackupDamaged, BackupRuns, KeyMissing, KeyWrong, NoSuchFolder, TargetNotEmpty
from earlybird.deploy.folder import Whole
from earlybird.deploy.place import Place
from earlybird.deploy.retention import Retention
from earlybird.infra import db
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx

from .conftest import PHOTOS, contents

SHAPES = (
    "SELECT relname::text, relkind, relrowsecurity FROM pg_class WHERE relnamespace = 'public'::regnamespace",
    (
        "SELECT attrelid::regclass::text, attname::text, format_type(atttypid, atttypmod), attnotnull, "
        "pg_get_expr(adbin, adrelid) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid "
        "LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum "
        "WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped"
    ),
    "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT conrelid::regclass::text, conname::text, convalidated, pg_get_constraintdef(oid) FROM pg_constraint",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'",
)


def shape(engine: Engine) -> list[list[str]]:
    """Tables, columns, triggers, constraints, indexes and functions."""
    with db.rehearsal(engine) as session:
        return [sorted(str(row) for row in db.rows(session, question)) for question in SHAPES]


@pytest.mark.parametrize("encrypt", [False, True])
def test_what_comes_back_is_what_was_there_to_the_byte(
    business: Engine, place: Place, ctx: Ctx, empty: Any, tmp_path: Path, *, encrypt: bool
) -> None:
    before = contents(business)
    whole = backup.make(business, ctx, place, encrypt=encrypt)
    assert sorted(path.name for path in place.home.iterdir()) == [".lock", whole.path.name]
    stored = (whole.path / folder.DATABASE).read_bytes()
    assert stored.startswith(b"PGDMP") is not encrypt
    whole.check_parts()
    with empty() as engine:
        restore.database(whole, engine, place.key)
        assert contents(engine) == before
        assert shape(engine) == shape(business)
        with pytest.raises(TargetNotEmpty):
            restore.database(whole, engine, place.key)
    assert restore.photos(whole, tmp_path / "back", place.key) == len(PHOTOS)
    assert sorted(path.read_bytes() for path in (tmp_path / "back").rglob("*-*")) == sorted(PHOTOS)
    restore.checkpoints(whole, tmp_path / "lines", place.key)
    assert (tmp_path / "lines").read_bytes() == place.checkpoint_file.read_bytes() != b""
    text = b"".join(path.read_bytes() for path in whole.path.iterdir())
    for keys in (place.keys, place.key):
        assert keys
        assert keys.root not in text
        assert keys.root.hex().encode() not in text


def test_an_encrypted_one_needs_its_own_key_and_a_changed_part_is_refused(
    business: Engine, place: Place, ctx: Ctx, empty: Any
) -> None:
    with pytest.raises(KeyMissing):
        backup.make(business, ctx, dataclasses.replace(place, key=None), encrypt=True)
    whole = backup.make(business, ctx, place, encrypt=True)
    with empty() as engine:
        for key, failure in ((None, KeyMissing), (Keys.random(), KeyWrong)):
            with pytest.raises(failure):
                restore.database(whole, engine, key)
        flip(whole.path / folder.DATABASE)
        with pytest.raises(BackupDamaged):
            restore.database(whole, engine, place.key)
        assert contents(engine) == {}


def flip(path: Path) -> None:
    """Change one bit in the middle."""
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)


def test_a_drill_proves_it_and_what_may_begin_in_production_waits_for_that(
    business: Engine, place: Place, ctx: Ctx
) -> None:
    def asked(hours: int = 0, without: str | None = None) -> None:
        with db.transaction(business) as session:
            backups.require(session, ctx.at(ctx.now + timedelta(hours=hours)), "step 22", place.terms, without=without)

    whole = backup.make(business, ctx, place, encrypt=True)
    with pytest.raises(BackupNotProven):
        asked()
    asked(without="nobody has any data yet")
    proof = drill.run(business, ctx, place, whole)
    assert (proof.wrong, proof.figures["photos"]) == ([], len(PHOTOS))
    assert proof.figures["rows"] > 500
    asked()
    asked(24)
    with pytest.raises(BackupNotProven):
        asked(25)
    with db.transaction(business) as session:
        [row] = queries.listing(session)
        assert (row["name"], row["is_proven"], row["is_encrypted"]) == (whole.path.name, True, True)
        said = db.rows(session, "SELECT action, reason FROM audit_entries WHERE action LIKE 'backups.%' ORDER BY id")
        assert [(one["action"], one["reason"]) for one in said] == [
            ("backups.make", None), ("backups.do_without", "nobody has any data yet"), ("backups.drill", None)
        ]  # fmt: skip
        assert backups.watch(session, ctx.at(ctx.now + timedelta(hours=25)), place.terms) == 1
        assert found(session) == [("backup_stale", "open")]
        assert backups.watch(session, ctx, place.terms) == 0
        assert found(session) == [("backup_stale", "resolved")]
    assert not scratches(business)


def found(session: db.Session) -> list[tuple[str, str]]:
    return [
        (r["check_name"], r["state"]) for r in db.rows(session, "SELECT check_name, state FROM findings ORDER BY 1")
    ]


def scratches(engine: Engine) -> Any:
    with db.rehearsal(engine) as session:
        return db.value(
            session,
            "SELECT count(*) FROM pg_database WHERE datname LIKE 'earlybird_drill_%' || "
            "(SELECT oid FROM pg_database WHERE datname = current_database())",
        )


def signed_again(whole: Whole, keys: Keys) -> Whole:
    """Make the manifest fit what lies there: somebody with the secret key covers it up."""
    draft = folder.Draft(whole.path.parent, whole.path.name, whole.made_at, None)
    for part in whole.manifest["parts"]:
        made = folder.Part(whole.path / (part["name"] + ".new"), None)
        made.write((whole.path / part["name"]).read_bytes())
        draft.parts.append(made.finish() | {"name": part["name"]})
        made.close()
        (whole.path / (part["name"] + ".new")).replace(whole.path / part["name"])
    (whole.path / folder.MANIFEST).unlink()
    whole.path.rename(draft.folder)
    return folder.at(draft.finish(keys, {n: whole.manifest[n] for n in ("schema", "pg_dump", "server", "files")}))


PLANTED = {
    "a bit of a part": lambda whole, _keys: flip(whole.path / folder.DATABASE) or whole,
    "a part gone": lambda whole, _keys: (whole.path / folder.FILES).unlink() or whole,
    "the list of parts": lambda whole, _keys: change(whole, "schema", "0001"),
    "signed by another": lambda whole, _keys: signed_again(whole, Keys.random()),
    "a photo's bytes": lambda whole, keys: swap(whole, folder.FILES, b"a doorstep", b"a doormat!", keys),
    "a figure": lambda whole, keys: swap(whole, folder.FACTS, b'"charges": ', b'"charges": 1', keys),
    "a checkpoint": lambda whole, keys: swap(whole, folder.CHECKPOINTS, b'"rows":', b'"rows":1', keys),
}


def change(whole: Whole, name: str, fact: Any) -> Whole:
    path = whole.path / folder.MANIFEST
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {name: fact}))
    return folder.at(whole.path)


def swap(whole: Whole, part: str, old: bytes, new: bytes, keys: Keys) -> Whole:
    body = (whole.path / part).read_bytes()
    assert old in body
    (whole.path / part).write_bytes(body.replace(old, new, 1))
    return signed_again(whole, keys)


def test_a_drill_names_whatever_was_changed(business: Engine, place: Place, ctx: Ctx, tmp_path: Path) -> None:
    whole = backup.make(business, ctx, place, encrypt=False)
    shutil.copytree(whole.path, tmp_path / "kept")
    for what, plant in PLANTED.items():
        shutil.rmtree(whole.path)
        shutil.copytree(tmp_path / "kept", whole.path)
        proof = drill.run(business, ctx, place, plant(folder.at(whole.path), place.keys))
        assert proof.wrong, what
        with db.rehearsal(business) as session:
            assert found(session) == [("backup_failed", "open")], what
            assert queries.newest_proven_at(session) is None, what
    shutil.rmtree(whole.path)
    shutil.copytree(tmp_path / "kept", whole.path)
    assert drill.run(business, ctx, place, whole).holds
    with db.rehearsal(business) as session:
        assert found(session) == [("backup_failed", "resolved")]


def test_a_database_that_lost_rows_behind_the_triggers_is_seen_by_the_drill(
    business: Engine, place: Place, ctx: Ctx
) -> None:
    """The parts are whole, the figures are those of the dump: it is the ledger, the audit and the questions that tell."""
    with db.transaction(business) as session:
        db.run(session, "SET LOCAL session_replication_role = replica")
        db.run(session, "DELETE FROM postings WHERE id = (SELECT max(id::text)::uuid FROM postings)")
        db.run(
            session, "UPDATE audit_entries SET reason = 'x' WHERE id = (SELECT min(id::text)::uuid FROM audit_entries)"
        )
    proof = drill.run(business, ctx, place, backup.make(business, ctx, place, encrypt=False))
    said = " ".join(proof.wrong)
    assert "sums to" in said
    assert "Reconcile: journal_not_zero" in said


def test_it_is_of_one_moment_while_others_write(business: Engine, place: Place, ctx: Ctx) -> None:
    """Money moves in two transactions a turn, so that only one moment balances; the drill holds it to that."""
    is_over, written = threading.Event(), []

    def write() -> None:
        while not is_over.is_set():
            with db.transaction(business) as session:
                db.run(
                    session,
                    "WITH j AS (INSERT INTO journals (business_id, kind, posted_on, made_at) SELECT id, 'payment', "
                    "'2026-01-15', :now FROM businesses LIMIT 1 RETURNING id) "
                    "INSERT INTO postings (journal_id, account, amount_minor, currency, posted_on) "
                    "SELECT j.id, a.account, a.minor, 'INR', '2026-01-15' "
                    "FROM j, (VALUES ('bank', 100), ('rounding', -100)) a(account, minor)",
                    {"now": ctx.now},
                )
            written.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not written:
            pass
        whole = backup.make(business, ctx, place, encrypt=False)
    finally:
        is_over.set()
        writer.join()
    said = whole.facts(None)
    assert 0 < said["tables"]["journals"] < len(written) + 5 + 5
    proof = drill.run(business, ctx, place, whole)
    assert [line for line in proof.wrong if not line.startswith("Reconcile")] == []


def killed(engine: Engine, ctx: Ctx, place: Place, at: str) -> None:
    """Make a backup in a child that is killed at one moment of it."""
    url = engine.url.render_as_string(hide_password=False)
    gc.collect()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):

            def die(*_: Any, **__: Any) -> Any:
                os.kill(os.getpid(), signal.SIGKILL)

            if at == "first bytes":
                folder.Part.put = die  # type: ignore[method-assign]
            elif at == "photos":
                backup._photos = die
            elif at == "manifest":
                folder.flush = die
            else:
                Path.rename = die  # type: ignore[method-assign]
            backup.make(db.connect(url), ctx, place, encrypt=False)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_killed_at_any_moment_it_leaves_nothing_that_looks_whole(business: Engine, place: Place, ctx: Ctx) -> None:
    for at in ("first bytes", "photos", "manifest", "rename"):
        killed(business, ctx, place, at)
        assert [path.name[0] for path in place.home.iterdir()] == [".", "."], at  # the lock, and the draft
        assert folder.listing(place.home) == []
        with pytest.raises(NoSuchFolder):
            folder.newest(place.home)
        for draft in place.home.glob(".earlybird-*"):
            with pytest.raises(NoSuchFolder):
                folder.at(draft)
    whole = backup.make(business, ctx, place, encrypt=False)
    assert sorted(path.name for path in place.home.iterdir()) == [".lock", whole.path.name]


def test_one_at_a_time_and_the_old_ones_go(business: Engine, place: Place, ctx: Ctx) -> None:
    with folder.alone(place.home), pytest.raises(BackupRuns):
        backup.make(business, ctx, place, encrypt=False)
    made = [
        backup.make(business, ctx.at(ctx.now + timedelta(days=n)), place, encrypt=False, retention=Retention(2, 0, 0))
        for n in range(3)
    ]
    assert [one.path for one in folder.listing(place.home)] == [one.path for one in made[:0:-1]]
    with db.rehearsal(business) as session:
        assert [row["removed_at"] is None for row in queries.listing(session)] == [True, True, False]
