"""Taking a dump in: every document accounted for, nothing twice, nothing half, nothing secret."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from earlybird.importers.earlybird import folder, intake, merge
from earlybird.importers.errors import DumpUnreadable, NoRoom
from earlybird.infra import db
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Unavailable
from make import dump

TRUTH = dump.SHARED / "legacy" / "earlybird" / "truth.json.gz"

Kept = dict[str, dict[str, Any]]


def take(engine: Engine, ctx: Ctx, path: Path) -> intake.Intake:
    with intake.alone(engine):
        return intake.take_in(engine, ctx, path)


def ask(engine: Engine, sql: str, **facts: Any) -> list[dict[str, Any]]:
    with db.transaction(engine) as session:
        return db.rows(session, sql, facts)


def kept(engine: Engine, collection: str) -> Kept:
    """The documents of a collection by ident."""
    found = ask(engine, "SELECT * FROM legacy_documents WHERE collection = :name ORDER BY line", name=collection)
    return {row["ident"]: row for row in found}


def everything(engine: Engine) -> list[dict[str, Any]]:
    """Every row with the transaction that wrote it: equal lists mean that nothing was written in between."""
    tables = ("legacy_documents", "import_runs", "audit_entries")
    return [row for name in tables for row in ask(engine, f"SELECT xmin::text, t::text FROM {name} t ORDER BY 2")]


def verdicts(engine: Engine, collection: str) -> list[tuple[int, str, str | None]]:
    return [(row["line"], row["verdict"], row["reason"]) for row in kept(engine, collection).values()]


def hex_id(number: int) -> str:
    return f"{number:024x}"


def test_the_sample_is_accounted_for_holds_no_plain_password_and_a_second_time_writes_nothing(
    fresh: Engine, ctx: Ctx
) -> None:
    found = take(fresh, ctx, dump.SAMPLE)
    assert found.phase == intake.READ
    assert sum(counts.read for counts in found.collections.values()) == 62351
    assert {name: counts.quarantined for name, counts in found.collections.items() if counts.quarantined} == {
        "payment_transactions": 9,  # no readable amount
    }
    stored = ask(fresh, "SELECT collection, verdict, count(*) AS n FROM legacy_documents GROUP BY 1, 2")
    by_verdict = {(row["collection"], row["verdict"]): row["n"] for row in stored}
    for name, counts in found.collections.items():
        assert by_verdict[name, "imported"] == counts.imported
        assert by_verdict.get((name, "duplicate"), 0) == counts.duplicates

    plain = set()
    for line in gzip.decompress((dump.SAMPLE / "users.json.gz").read_bytes()).splitlines():
        body = json.loads(line)
        word = body.get("password") or body.get("password_hash")
        if word and not word.startswith("$2") and len(word) != 64:
            plain.add(word)
    assert plain >= {"customer123", "earlybird2025"}
    for table in ask(fresh, "SELECT format('%I', tablename) AS name FROM pg_tables WHERE schemaname = 'public'"):
        held = f"SELECT count(*) AS n FROM {table['name']} t WHERE EXISTS (SELECT FROM unnest(CAST(:words AS text[])) w WHERE strpos(t::text, w) > 0)"
        assert ask(fresh, held, words=sorted(plain)) == [{"n": 0}], table
    bodies = ask(fresh, "SELECT body, facts FROM legacy_documents WHERE collection = 'users'")
    assert not any("$2b$" in row["body"] for row in bodies)
    assert Counter(row["facts"]["password"]["scheme"] for row in bodies)["bcrypt"] > 1000

    before = everything(fresh)
    again = take(fresh, ctx, dump.SAMPLE)
    assert (again.run_id, again.taken, again.collections) == (found.run_id, [], found.collections)
    assert everything(fresh) == before

    if not TRUTH.exists():
        pytest.skip(f"the truth of the sample is not at {TRUTH}; everything else held")
    truth = json.loads(gzip.decompress(TRUTH.read_bytes()))["collections"]
    assert {name: (counts.read, counts.duplicates) for name, counts in found.collections.items()} == {
        name: (counts["in"], counts["duplicates"]) for name, counts in truth.items()
    }


def test_what_is_double_what_is_taken_and_what_is_neither(fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    same_oid = {"_id": dump.oid(1)}
    documents = [
        {"id": "a", "n": 1, **same_oid},
        {"id": "b", "n": 2, **same_oid},
        {"n": 1, "id": "a", "_id": dump.oid(3)},
        {"id": "a", "n": 2, "_id": dump.oid(4)},
        {"n": 1, "_id": dump.oid(5)},
        {"n": 1, "_id": dump.oid(6)},
    ]
    dump.write(tmp_path, orders=documents, disputes=documents)
    found = take(fresh, ctx, tmp_path)
    assert verdicts(fresh, "orders") == [
        (1, "imported", None),
        (2, "duplicate", "the same _id as line 1"),
        (3, "duplicate", "the same id and content as line 1"),
        (4, "quarantined", "the id is taken by line 1 with other content"),
        (5, "imported", None),
        (6, "imported", None),
    ]
    assert [verdict for _, verdict, _ in verdicts(fresh, "disputes")].count("imported") == 4
    assert found.collections["orders"].as_report() == {"in": 6, "imported": 3, "quarantined": 1, "duplicates": 2}
    assert [row["key"] for row in kept(fresh, "orders").values()] == ["a", "b", "a", "a", hex_id(5), hex_id(6)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.fixed_dictionaries(
            {"n": st.integers(1, 2)},
            optional={"_id": st.integers(1, 6).map(dump.oid), "id": st.sampled_from(["a", "b", "", hex_id(1)])},
        ),
        max_size=9,
    ),
    st.sampled_from(["disputes", "users"]),
)
def test_duplicates_are_what_the_rule_says(
    session: Session, tmp_path: Path, documents: list[dict[str, Any]], collection: str
) -> None:
    path = tmp_path / "dump" / f"{collection}.json"
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir()
    path.write_bytes(b"".join(dump.line(document) + b"\n" for document in documents))
    double = []
    for at, one in enumerate(documents):
        content = {name: value for name, value in one.items() if name != "_id"}
        double.append(
            any(
                ("_id" in one and one["_id"] == other.get("_id"))
                or (one.get("id") and content == {name: value for name, value in other.items() if name != "_id"})
                for other in documents[:at]
            )
        )
    [file] = folder.find_files(path.parent)
    with session.begin_nested() as savepoint:
        session.execute(text(merge.INCOMING))
        intake._copy(session, file, lambda _name, _read: None)
        counts = merge.settle(session, "earlybird", collection, ids.new_id())
        verdicts = db.rows(session, "SELECT line, verdict, key, ident FROM legacy_documents ORDER BY line")
        savepoint.rollback()
    assert [row["verdict"] == "duplicate" for row in verdicts] == double
    assert counts["read"] == counts["added"] == len(documents)
    assert len({row["ident"] for row in verdicts}) == len(documents)
    if collection == "users":
        keys = [row["key"] for row in verdicts if row["verdict"] == "imported"]
        assert len(set(keys)) == len(keys)


def test_what_is_no_document_is_kept_to_the_byte(fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    wrong = [b'{"id":"x",', b'{"id":"\xff\xfe"}', b"7", b'\x00{"id":"n"}', b'{"n":1}', b'{"id":"x",',
             b'{"id":"' + b"k" * 3000 + b'"}', b'{"id":"a\\u0000b"}']  # fmt: skip
    names = [{"_id": dump.oid(1), "id": "a", "name": "గేటు \\ \t\0 \n"}, *wrong]
    dump.write(tmp_path, leads=names)
    counts = take(fresh, ctx, tmp_path).collections["leads"]
    assert (counts.read, counts.imported, counts.quarantined, counts.duplicates) == (9, 1, 8, 0)
    found = list(kept(fresh, "leads").values())
    assert json.loads(found[0]["body"]) == names[0]
    assert [row["raw"] or row["body"].encode() for row in found[1:]] == wrong
    assert all(row["reason"] for row in found[1:])
    assert [row["raw"] is not None for row in found[1:]] == [False, True, False, True, False, False, False, False]


def test_secrets_are_cut_out_of_whatever_shape_they_are_in(fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    lines = [
        b'{"_id":{"$oid":"%024x"},"id":"1", "password" : "hunter22", "password_hash_upgraded_at":"2025-01-01"}' % 1,
        b'{"id":"2","pass\\u0077ord":"hunter22"}',
        b'{"id":"3","password":["hunter22"],"n":NaN}',
        b'{"id":"4","PASSWORD":"hun\\"ter22 hunter22","name":"M"}',
        b'{"id":"5","password":"hunter22',
        b"{'id':'6','password':'hunter22'}",
        b'{"id":"7","password":hunter22}',
        b'{"id":"\xff","password":"hunter22"}',
        b'{"id":"9","password":"hunter22","password":"hunter22"}',
    ]
    dump.write(tmp_path, users=lines, audit_logs=[{"before": {"password": "hunter22", "name": "M"}}])
    take(fresh, ctx, tmp_path)
    assert ask(fresh, "SELECT d::text FROM legacy_documents d WHERE strpos(d::text, 'hunter') > 0") == []
    assert ask(fresh, "SELECT raw FROM legacy_documents WHERE position('hunter'::bytea IN raw) > 0") == []
    found = kept(fresh, "users")
    assert json.loads(found[hex_id(1)]["body"]) == {
        "_id": {"$oid": hex_id(1)}, "id": "1", "password": "withheld", "password_hash_upgraded_at": "2025-01-01"}  # fmt: skip
    assert json.loads(found["4"]["body"])["name"] == "M"
    [log] = kept(fresh, "audit_logs").values()
    assert json.loads(log["body"])["before"] == {"password": "withheld", "name": "M"}


def test_a_later_dump_brings_only_differences(fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    products = [{"_id": dump.oid(n), "id": f"p{n}", "name": f"Milk {n}"} for n in range(1, 5)]
    old = dump.write(tmp_path / "old", products=products, leads=[{"id": "l"}], wallets=[{"id": "w"}])
    first = take(fresh, ctx, old)
    before = kept(fresh, "products")
    changed = [products[3], {**products[0], "name": "Ghee"}, products[1], {"_id": dump.oid(9), "id": "p9"}]
    new = dump.write(tmp_path / "new", products=changed)
    shutil.copy(old / "leads.json", new)
    second = take(fresh, ctx, new)
    assert second.run_id != first.run_id
    assert second.taken == ["products"]
    counts = second.collections["products"]
    assert (counts.read, counts.imported, counts.added, counts.changed, counts.missing) == (4, 4, 1, 1, 1)
    after = kept(fresh, "products")
    assert after[hex_id(3)] == before[hex_id(3)]
    assert after[hex_id(2)] == before[hex_id(2)]
    one = after[hex_id(1)]
    assert (one["id"], one["facts"]["name"], one["former"]["name"]) == (before[hex_id(1)]["id"], "Ghee", "Milk 1")
    assert (one["run_id"], one["changed_run_id"]) == (first.run_id, second.run_id)
    [run] = ask(fresh, "SELECT facts FROM import_runs WHERE id = :id", id=second.run_id)
    assert run["facts"]["files"]["products"]["missing"] == [hex_id(3)]
    assert run["facts"]["missing_collections"] == ["wallets"]

    back = take(fresh, ctx, old)
    assert back.taken == ["products"]
    assert (back.collections["products"].changed, back.collections["products"].missing) == (1, 1)
    assert kept(fresh, "products")[hex_id(1)]["facts"]["name"] == "Milk 1"


def test_a_collection_written_anew_is_known_again_by_its_ids(fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    orders = [{"id": "a", "n": 1}, {"id": "b", "n": 1}, {"id": "c", "n": 1}]
    take(fresh, ctx, dump.write(tmp_path / "old", orders=orders))
    before = {row["key"]: row["id"] for row in kept(fresh, "orders").values()}
    anew = [{"id": "c", "n": 1}, {"id": "b", "n": 2}, {"id": "a", "n": 1}, {"id": "b", "n": 1}]
    found = take(fresh, ctx, dump.write(tmp_path / "new", first_oid=0x9000, orders=anew))
    counts = found.collections["orders"]
    assert (counts.imported, counts.quarantined, counts.added, counts.changed) == (3, 1, 1, 1)
    after = [row for row in kept(fresh, "orders").values() if row["verdict"] == "imported"]
    assert {row["key"]: row["id"] for row in after} == before


def test_an_id_stays_with_the_document_that_has_it(fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    one, other = {"_id": dump.oid(1), "id": "a", "n": 1}, {"_id": dump.oid(2), "id": "a", "n": 2}
    take(fresh, ctx, dump.write(tmp_path / "1", orders=[one, other]))
    before = kept(fresh, "orders")
    take(fresh, ctx, dump.write(tmp_path / "2", orders=[other, one]))
    assert kept(fresh, "orders") == before
    take(fresh, ctx, dump.write(tmp_path / "3", orders=[other]))
    assert kept(fresh, "orders")[hex_id(1)]["verdict"] == "imported"
    assert kept(fresh, "orders")[hex_id(2)]["verdict"] == "quarantined"


def test_two_at_once_are_one(fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    path = dump.write(tmp_path, leads=[{"id": f"l{n}"} for n in range(500)], users=[{"id": "u"}])
    reading, waiting = threading.Event(), threading.Event()
    results: dict[str, intake.Intake] = {}

    def first_progress(_collection: str, _read: int) -> None:
        reading.set()
        assert waiting.wait(20)

    def first() -> None:
        with intake.alone(fresh):
            results["first"] = intake.take_in(fresh, ctx, path, first_progress)

    def second() -> None:
        assert reading.wait(20)
        with intake.alone(fresh, waiting.set):
            results["second"] = intake.take_in(fresh, ctx, path)

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results["first"].taken == ["leads", "users"]
    assert (results["second"].taken, results["second"].run_id) == ([], results["first"].run_id)
    assert ask(fresh, "SELECT count(*) AS n FROM legacy_documents")[0]["n"] == 501


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from earlybird.importers.earlybird import intake
from earlybird.infra import db
from earlybird.kernel.ctx import SYSTEM, Ctx

def progress(collection, read):
    if collection == "orders" and read >= 4000:
        os.kill(os.getpid(), signal.SIGKILL)

engine = db.connect(sys.argv[1])
with intake.alone(engine):
    intake.take_in(engine, Ctx(actor=SYSTEM, now=datetime.now(UTC), via="cli"), Path(sys.argv[2]), progress)
"""


def test_killed_in_the_middle_of_a_file_it_goes_on_with_that_file(
    fresh: Engine, fresh_url: str, ctx: Ctx, tmp_path: Path
) -> None:
    orders = [{"id": f"o{n}", "notes": "x" * 200} for n in range(6000)]
    path = dump.write(tmp_path, leads=[{"id": "l"}], orders=orders, users=[{"id": "u"}])
    killed = subprocess.run([sys.executable, "-c", KILLED, fresh_url, str(path)], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with intake.alone(fresh):  # waits until the server has noticed
        [run] = ask(fresh, "SELECT id, phase, facts FROM import_runs")
        done = {name for name in ("leads", "orders", "users") if kept(fresh, name)}
        assert "orders" not in done  # the others may have been read beside it
        assert (run["phase"], set(run["facts"]["files"])) == (intake.READING, done)
    found = take(fresh, ctx, path)
    assert (found.run_id, found.phase) == (run["id"], intake.READ)
    assert set(found.taken) == {"leads", "orders", "users"} - done
    assert [counts.imported for counts in found.collections.values()] == [1, 6000, 1]
    assert ask(fresh, "SELECT count(*) AS n FROM legacy_documents")[0]["n"] == 6002


def broken_gzip(path: Path) -> None:
    whole = gzip.compress(b"".join(dump.line({"id": f"o{n}", "x": hex(n**9)}) + b"\n" for n in range(5000)))
    (path / "orders.json.gz").write_bytes(whole[: len(whole) // 2])


def two_folders(path: Path) -> None:
    dump.write(path / "one", users=[{"id": "u"}])
    dump.write(path / "two", users=[{"id": "u"}])


UNREADABLE: list[tuple[Callable[[Path], object], str]] = [
        (lambda path: path.rmdir(), "there is no such folder"),
        (lambda path: (path.rmdir(), path.write_text("x")), "there is no such folder"),
        (lambda _path: None, "the folder is empty"),
        (lambda path: (path / "notes.txt").write_text("x"), "holds no collection"),
        (lambda path: (path / "users.metadata.json").write_text("{}"), "holds no collection"),
        (lambda path: (path / ".users.json").write_text("{}"), "holds no collection"),
        (lambda path: (path / "users.bson").write_text("x"), "mongoexport"),
        (two_folders, "several dumps"),
        (lambda path: (path / "users.json").symlink_to(path / "gone"), "users.json: No such file"),
        (lambda path: [(path / name).write_text("{}") for name in ("users.json", "users.jsonl")], "in two files"),
        (broken_gzip, "orders.json.gz: truncated gzip file"),
        (lambda path: (path / "users.json").write_bytes('{"id":"a"}\n'.encode("utf-16")), "users.json: the file is UTF-16"),
        (lambda path: (path / "users.json").write_bytes(b"PK\x03\x04..."), "users.json: the file is a zip"),
]  # fmt: skip


def test_a_dump_that_cannot_be_read_is_refused_by_name(fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    for number, (prepare, message) in enumerate(UNREADABLE):
        path = tmp_path / f"dump{number}"
        path.mkdir()
        prepare(path)
        with pytest.raises(DumpUnreadable, match=message):
            take(fresh, ctx, path)
    assert ask(fresh, "SELECT FROM legacy_documents") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    dump.write(tmp_path, users=[{"id": "u"}])
    (tmp_path / "users.json").chmod(0)
    with pytest.raises(DumpUnreadable, match=r"users\.json: Permission denied"):
        take(fresh, ctx, tmp_path)


def test_a_truncated_file_leaves_the_others(fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    dump.write(tmp_path, leads=[{"id": "l"}], users=[{"id": "u"}])
    broken_gzip(tmp_path)
    with pytest.raises(DumpUnreadable, match=r"orders\.json\.gz"):
        take(fresh, ctx, tmp_path)
    assert list(kept(fresh, "leads")) != []
    assert kept(fresh, "orders") == {}
    (tmp_path / "orders.json.gz").write_bytes(gzip.compress(b'{"id":"o"}\n'))
    found = take(fresh, ctx, tmp_path)
    assert "orders" in found.taken
    assert "leads" not in found.taken
    assert {name: found.collections[name].imported for name in ("leads", "orders", "users")} == dict.fromkeys(
        ("leads", "orders", "users"), 1
    )


def test_a_full_disk_is_named_and_the_run_goes_on_with_room(fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    dump.write(tmp_path, leads=[{"id": "l"}], users=[{"id": "u"}])
    with db.transaction(fresh) as session:
        session.execute(
            text(
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.collection = 'users' "
                "THEN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END IF; RETURN new; END $$"
            )
        )
        session.execute(
            text("CREATE TRIGGER full_disk BEFORE INSERT ON legacy_documents FOR EACH ROW EXECUTE FUNCTION full_disk()")
        )
    with pytest.raises(NoRoom) as failure:
        take(fresh, ctx, tmp_path)
    assert isinstance(failure.value, Unavailable)
    assert len(kept(fresh, "leads")) == 1
    with db.transaction(fresh) as session:
        session.execute(text("DROP TRIGGER full_disk ON legacy_documents"))
    assert take(fresh, ctx, tmp_path).taken == ["users"]


def test_the_database_of_a_mongodump_folder_is_found(fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    dump.write(tmp_path / "dump" / "earlyapp", packed=True, users=[{"id": "u"}])
    (tmp_path / "dump" / "earlyapp" / "users.metadata.json").write_text("{}")
    (tmp_path / "dump" / ".hidden").mkdir()
    assert list(take(fresh, ctx, tmp_path / "dump").collections) == ["users"]


def test_documents_of_one_line_keep_their_order(fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    (tmp_path / "users.json").write_text('[{"id":"a","n":1},{"id":"a","n":2},{"id":"b"}]')
    take(fresh, ctx, tmp_path)
    assert [(line, verdict) for line, verdict, _ in verdicts(fresh, "users")] == [
        (1, "imported"), (2, "quarantined"), (3, "imported")]  # fmt: skip
