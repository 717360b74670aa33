"""Whatever a superuser does to the trail is found, with its place; honest lateness and crashes are not taken for it."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError

from earlybird.audit import service as audit
from earlybird.audit.errors import NoSuchFinding, NothingToErase
from earlybird.audit.models import AuditEntry
from earlybird.audit.queries import seals
from earlybird.audit.rules import Fault
from earlybird.audit.service import sealing
from earlybird.infra.checkpoints import Checkpoints, Trust
from earlybird.infra.db import rows, run, transaction
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx
from make.trail import Trail

COUNTS = (3, 1, 4)
LAST = sum(COUNTS)


@pytest.fixture
def trail(fresh: Engine, ctx: Ctx, tmp_path: Path) -> Trail:
    return Trail.at(fresh, ctx, tmp_path)


@pytest.fixture
def chain(trail: Trail) -> Trail:
    return trail.sealed(*COUNTS)


def at(position: int) -> str:
    return f"(SELECT audit_id FROM audit_seal_rows WHERE position = {position})"


def test_a_trail_left_alone_verifies(chain: Trail) -> None:
    chain.write(2)
    verdict = chain.verify()
    assert (verdict.broken, verdict.count) == ([], 0)
    assert (verdict.seals, verdict.rows, verdict.unsealed, verdict.checkpoint) == (3, LAST, 2, 3)
    assert chain.seal() == 2
    assert chain.seal() == 0
    assert chain.verify(with_secret=False).count == 0


def test_an_empty_trail_verifies_and_makes_no_seal(trail: Trail) -> None:
    assert trail.seal() == 0
    assert trail.verify().count == 0
    assert not trail.checkpoints.path.exists() or trail.checkpoints.path.read_bytes() == b""


def test_every_column_of_an_entry_is_covered() -> None:
    assert {column.name for column in AuditEntry.__table__.columns} == {*seals.KEPT, *seals.PERSONAL}


OTHERS = {
    "at": "at + interval '1 microsecond'", "actor_id": "gen_random_uuid()", "entity_id": "gen_random_uuid()",
    "row_count": "row_count + 1", "before": "'{}'", "after": "after || '{\"half\": 0.5000}'",
}  # fmt: skip


@pytest.mark.parametrize("column", [name for name in (*seals.KEPT, *seals.PERSONAL) if name != "id"])
def test_a_change_of_any_column_is_found_at_its_row(chain: Trail, column: str) -> None:
    changed = OTHERS.get(column, f"coalesce({column}, '') || ' '")
    chain.tamper(f"UPDATE audit_entries SET {column} = {changed} WHERE id = {at(5)}")
    [broken] = chain.verify().broken
    assert (broken.fault, broken.seal, broken.position) == (Fault.edited, 3, 5)


@pytest.mark.parametrize("position", range(1, LAST + 1))
def test_each_kind_of_tampering_at_each_position_is_found_there(chain: Trail, position: int) -> None:
    seal = chain.ask("SELECT seal_no FROM audit_seal_rows WHERE position = :p", p=position)
    key = chain.ask(f"SELECT audit_id FROM audit_seal_rows WHERE position = {position}")
    saved = ("CREATE TABLE saved_entries AS SELECT * FROM audit_entries",
             "CREATE TABLE saved_rows AS SELECT * FROM audit_seal_rows",
             "CREATE TABLE saved_seals AS SELECT * FROM audit_seals")  # fmt: skip
    chain.tamper(*saved)
    other = position % LAST + 1
    forged = (
        f"UPDATE audit_entries SET actor_name = 'Mallory' WHERE id = {at(position)}",
        f"UPDATE audit_seal_rows s SET digest = {seals.ROW_DIGEST} FROM audit_entries a WHERE a.id = s.audit_id",
    )
    newest = "(SELECT id FROM audit_entries ORDER BY id DESC LIMIT 1)"
    kinds = {
        "edit": (Fault.edited, (forged[0],)),
        "edit and digest": (Fault.edited, forged),
        "delete": (Fault.deleted, (f"DELETE FROM audit_entries WHERE id = {at(position)}",)),
        "delete with its place": (Fault.deleted, (
            f"DELETE FROM audit_entries WHERE id = {at(position)}",
            f"DELETE FROM audit_seal_rows WHERE position = {position}",
        )),
        "delete its place": (Fault.deleted, (f"DELETE FROM audit_seal_rows WHERE position = {position}",)),
        "swap": (Fault.swapped, (
            f"UPDATE audit_seal_rows SET position = -1 WHERE position = {position}",
            f"UPDATE audit_seal_rows SET position = {position} WHERE position = {other}",
            f"UPDATE audit_seal_rows SET position = {other} WHERE position = -1",
            "UPDATE audit_seal_rows r SET seal_no = o.seal_no FROM saved_rows o WHERE o.position = r.position",
        )),
        "another seal": (Fault.edited, (f"UPDATE audit_seal_rows SET seal_no = 77 WHERE position = {position}",)),
        "replaced": (Fault.edited, (
            f"UPDATE audit_entries SET id = new_id(), actor_name = 'Mallory' WHERE id = {at(position)}",
            f"UPDATE audit_seal_rows SET audit_id = {newest} WHERE position = {position}",
            forged[1],
        )),
    }  # fmt: skip
    for kind, (fault, statements) in kinds.items():
        chain.tamper(*statements)
        verdict = chain.verify()
        first = verdict.first
        assert first, kind
        where = min(position, other) if kind == "swap" else position
        if kind == "delete its place":  # what was there is now an entry that no seal holds, too
            assert {broken.fault for broken in verdict.broken} == {Fault.deleted, Fault.inserted}
            first = next(broken for broken in verdict.broken if broken.fault == Fault.deleted)
        assert (first.fault, first.position) == (fault, where), kind
        assert kind == "swap" or first.seal == seal, kind
        if kind in {"edit", "delete"}:
            assert (len(verdict.broken), first.audit_id) == (1, key)
        chain.tamper(
            "DELETE FROM audit_entries", "DELETE FROM audit_seal_rows", "DELETE FROM audit_seals",
            "INSERT INTO audit_entries SELECT * FROM saved_entries",
            "INSERT INTO audit_seal_rows SELECT * FROM saved_rows", "INSERT INTO audit_seals SELECT * FROM saved_seals",
        )  # fmt: skip
        assert chain.verify().count == 0, kind


@pytest.mark.parametrize("seal", [1, 2, 3])
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("digest = sha256(digest)", Fault.chain_broken),
        ("sealed_at = sealed_at + interval '1 second'", Fault.chain_broken),
        ("made_at = made_at + interval '1 second'", Fault.chain_broken),
        ("signature = signature || ''::bytea, key = 'ffff'", Fault.not_signed),
        ("signature = set_byte(signature, 3, (get_byte(signature, 3) + 1) % 256)", Fault.not_signed),
        ("row_count = row_count + 1", Fault.chain_broken),
    ],
)
def test_a_changed_seal_is_named(chain: Trail, seal: int, change: str, fault: Fault) -> None:
    chain.tamper(f"UPDATE audit_seals SET {change} WHERE seal_no = {seal}")
    first = chain.verify().first
    assert first
    assert first.seal == seal
    assert fault in {broken.fault for broken in chain.verify().broken if broken.seal == seal}


def test_a_chain_written_anew_by_who_has_no_key_is_not_ours(chain: Trail, tmp_path: Path) -> None:
    forger = replace(chain, checkpoints=Checkpoints(tmp_path / "forged.jsonl", Keys.random()))
    chain.tamper(
        f"UPDATE audit_entries SET actor_name = 'Mallory' WHERE id = {at(5)}",
        "INSERT INTO unsealed_entries SELECT audit_id FROM audit_seal_rows",
        "DELETE FROM audit_seals",
        "DELETE FROM audit_seal_rows",
    )
    forger.seal()
    assert forger.verify().count == 0
    first = chain.verify().first
    assert first
    assert (first.fault, first.seal) == (Fault.not_signed, 1)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_newest_seals_taken_away_are_found_by_the_checkpoints(chain: Trail, kept: int) -> None:
    rows_kept = sum(COUNTS[:kept])
    chain.tamper(
        f"DELETE FROM audit_entries WHERE id IN (SELECT audit_id FROM audit_seal_rows WHERE position > {rows_kept})",
        f"DELETE FROM audit_seal_rows WHERE position > {rows_kept}",
        f"DELETE FROM audit_seals WHERE seal_no > {kept}",
    )
    [broken] = chain.verify().broken
    assert (broken.fault, broken.seal, broken.position) == (Fault.truncated, kept + 1, rows_kept + 1)
    assert f"{rows_kept + 1} to {LAST}" in broken.sentence
    chain.write(1)
    chain.seal()  # goes on, but does not write over the evidence
    assert {broken.fault for broken in chain.verify().broken} & {Fault.truncated, Fault.checkpoint_differs}
    with transaction(chain.engine) as session:
        assert rows(session, "SELECT FROM findings WHERE check_name = 'audit_checkpoint' AND severity = 'error'")


def test_everything_truncated_is_found(chain: Trail) -> None:
    chain.tamper("TRUNCATE audit_entries, audit_seals, audit_seal_rows, unsealed_entries")
    [broken] = chain.verify().broken
    assert (broken.fault, broken.position) == (Fault.truncated, 1)


def test_a_seal_gone_from_the_middle_is_named(chain: Trail) -> None:
    chain.tamper("DELETE FROM audit_seals WHERE seal_no = 2")
    first = chain.verify().first
    assert first
    assert (first.fault, first.seal) == (Fault.deleted, 2)


COPY = (
    "INSERT INTO audit_entries SELECT * FROM jsonb_populate_record(NULL::audit_entries, (SELECT to_jsonb(a) || "
    "jsonb_build_object('id', {key}) FROM audit_entries a WHERE id = " + at(4) + "))"
)


def test_an_entry_put_in_with_the_triggers_off_is_never_sealed_and_always_found(chain: Trail) -> None:
    chain.tamper(COPY.format(key="new_id()"))
    for _ in range(2):
        [broken] = chain.verify().broken
        assert (broken.fault, broken.position) == (Fault.inserted, LAST)
        chain.write(1)
        chain.seal()


def test_an_entry_put_in_between_by_its_id_is_found_behind_that_position(chain: Trail) -> None:
    key = chain.ask("SELECT audit_id FROM audit_seal_rows WHERE position = 4")
    chain.tamper(COPY.format(key=f"'{str(key)[:-1]}{(int(str(key)[-1], 16) + 1) % 16:x}'"))
    [broken] = chain.verify().broken
    assert broken.fault == Fault.inserted
    assert broken.position in {3, 4}


def test_a_place_put_behind_the_last_seal_is_found(chain: Trail) -> None:
    chain.tamper(
        COPY.format(key="new_id()"),
        "INSERT INTO audit_seal_rows SELECT (SELECT id FROM audit_entries ORDER BY id DESC LIMIT 1), 3, 9, digest, mark, salt "
        "FROM audit_seal_rows WHERE position = 4",
    )
    assert (Fault.inserted, 9) in {(broken.fault, broken.position) for broken in chain.verify().broken}


@pytest.mark.parametrize("is_sealed", [False, True])
def test_an_entry_that_says_a_time_long_sealed_is_late_until_a_person_accepts_it(
    chain: Trail,
    is_sealed: bool,  # noqa: FBT001
) -> None:
    past = replace(chain, ctx=chain.ctx.at(chain.ctx.now - timedelta(hours=2)))
    past.write(1)
    if is_sealed:
        chain.seal()
    [broken] = chain.verify().broken
    assert broken.fault == Fault.late
    assert broken.position == (LAST + 1 if is_sealed else LAST)
    chain.seal()
    with transaction(chain.engine) as session:
        audit.accept(session, chain.ctx, seals.LATE_CHECK, str(broken.audit_id), reason="the import took two hours")
        session.flush()
        with pytest.raises(NoSuchFinding):
            audit.accept(session, chain.ctx, seals.LATE_CHECK, str(broken.audit_id), reason="again")
    assert chain.verify().count == 0


def test_an_entry_deleted_while_it_waited_is_found(chain: Trail) -> None:
    chain.write(1)
    chain.tamper("DELETE FROM audit_entries WHERE id IN (SELECT audit_id FROM unsealed_entries)")
    assert chain.seal() == 0
    [broken] = chain.verify().broken
    assert broken.fault == Fault.deleted


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    position=st.integers(1, LAST),
    column=st.sampled_from(["actor_name", "role", "via", "action", "entity", "trace_id", "reason"]),
    text=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=20),
)
def test_any_text_put_anywhere_is_found(chain: Trail, position: int, column: str, text: str) -> None:
    before = chain.ask(f"SELECT {column} FROM audit_entries WHERE id = {at(position)}")
    chain.tamper(f"UPDATE audit_entries SET {column} = :text WHERE id = {at(position)}", text=text)
    assert [broken.position for broken in chain.verify().broken] == ([position] if text != before else [])
    chain.tamper(f"UPDATE audit_entries SET {column} = :text WHERE id = {at(position)}", text=before)


# Late commits, several sealers, crashes


def test_a_long_transaction_falls_into_a_later_seal(trail: Trail) -> None:
    with transaction(trail.engine) as session:
        audit.record(session, trail.ctx, "orders.place", "order")
        trail.write(2)
        assert trail.seal() == 2
    trail.write(1)
    assert trail.seal() == 2
    verdict = trail.verify()
    assert (verdict.count, verdict.rows, verdict.seals) == (0, 4, 2)
    assert trail.ask("SELECT count(*) FROM audit_seal_rows WHERE seal_no = 2") == 2


def test_sealers_and_writers_at_once_make_one_chain(trail: Trail) -> None:
    failed: list[BaseException] = []

    def work(task: object) -> None:
        try:
            for _ in range(8):
                task()  # type: ignore[operator]
        except BaseException as failure:  # noqa: BLE001
            failed.append(failure)

    threads = [
        threading.Thread(target=work, args=(task,)) for task in (trail.write, trail.write, trail.seal, trail.seal)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    trail.seal()
    verdict = trail.verify()
    assert (verdict.broken, verdict.rows, verdict.unsealed) == ([], 16, 0)
    lines = trail.checkpoints.path.read_text().splitlines()
    assert [orjson.loads(line)["seal"] for line in lines] == list(range(1, verdict.seals + 1))


def test_a_kill_between_commit_and_checkpoint_is_no_tampering_and_heals(chain: Trail) -> None:
    chain.write(2)
    with transaction(chain.engine) as session:  # all that a killed sealer has done
        assert sealing.seal(session, chain.ctx, chain.checkpoints) == 2
    verdict = chain.verify()
    assert (verdict.count, verdict.seals, verdict.checkpoint) == (0, 4, 3)
    assert chain.seal() == 0
    verdict = chain.verify()
    assert (verdict.count, verdict.checkpoint) == (0, 4)
    assert chain.ask("SELECT count(*) FROM findings") == 0


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_line_cut_by_a_crash_is_written_again(chain: Trail, cut: int) -> None:
    path = chain.checkpoints.path
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    assert chain.verify().count == 0
    chain.seal()
    assert path.read_bytes() == whole


@pytest.mark.parametrize("kept", [None, 0, 1])
def test_a_lost_or_cut_file_is_named_as_that_and_the_rows_stand(chain: Trail, kept: int | None) -> None:
    path = chain.checkpoints.path
    whole = path.read_bytes()
    if kept is None:
        path.unlink()
    else:
        path.write_bytes(b"".join(whole.splitlines(keepends=True)[:kept]))
    verdict = chain.verify()
    [broken] = verdict.broken
    assert (broken.fault, verdict.rows) == (Fault.checkpoint_missing, LAST)
    assert ("lost" if kept is None else "cut") in broken.sentence
    chain.tamper("UPDATE audit_seals SET made_at = made_at")  # nothing: the seals are as they were
    chain.seal()
    assert path.read_bytes() == whole
    assert chain.verify().count == 0


def test_a_changed_line_is_told_from_a_changed_seal(chain: Trail) -> None:
    path = chain.checkpoints.path
    whole = path.read_text()
    path.write_text(re.sub(r'"seal":2,"digest":"(..)', '"seal":2,"digest":"00', whole))
    [broken] = chain.verify().broken
    assert (broken.fault, broken.seal) == (Fault.checkpoint_damaged, 2)
    path.write_text(whole.replace('{"seal":2', "{seal:2"))
    assert {broken.fault for broken in chain.verify().broken} >= {Fault.checkpoint_damaged}
    path.write_text(whole)
    assert chain.verify().count == 0


def test_a_line_of_the_file_can_be_checked_with_the_public_key_alone(chain: Trail) -> None:
    lines = [orjson.loads(line) for line in chain.checkpoints.path.read_text().splitlines()]
    assert [(line["seal"], line["rows"]) for line in lines] == [(1, 3), (2, 4), (3, 8)]
    assert lines[0]["key"] == hashlib.sha256(chain.checkpoints.public).hexdigest()[:16]
    newest = chain.checkpoints.newest()
    assert newest
    assert Trust.of([chain.checkpoints.public.hex()]).fits(newest)
    assert not Trust((Checkpoints(chain.checkpoints.path, Keys.random()).public,)).fits(newest)


# Erasing


def test_erased_details_are_gone_and_the_seals_still_verify(chain: Trail) -> None:
    order = chain.ask("SELECT entity_id FROM audit_entries WHERE id = " + at(4))
    with transaction(chain.engine) as session:
        count = sealing.erase(session, chain.ctx, "order", order, reason="their request")  # type: ignore[arg-type]
    assert count == 3
    chain.seal()
    verdict = chain.verify()
    assert (verdict.broken, verdict.erased) == ([], count)
    left = chain.ask("SELECT string_agg(a::text, '') FROM audit_entries a WHERE entity_id = :id AND action <> 'audit.erase'",
                     id=order)  # fmt: skip
    assert "98480" not in str(left)
    assert "Asha" not in str(left)
    assert "orders.place" in str(left)
    with transaction(chain.engine) as session, pytest.raises(NothingToErase):
        sealing.erase(session, chain.ctx, "order", order, reason="again")  # type: ignore[arg-type]
    chain.tamper(f"UPDATE audit_entries SET role = 'x' WHERE id = {at(4)}")
    assert [broken.position for broken in chain.verify().broken] == [4]


def test_blanked_without_a_record_is_edited(chain: Trail) -> None:
    blank = "actor_name = '', address = NULL, device = NULL, before = NULL, after = NULL, reason = NULL"
    chain.tamper(
        f"UPDATE audit_seal_rows s SET personal = {seals.PERSONAL_DIGEST}, salt = NULL, erased_by_id = new_id() "
        "FROM audit_entries a WHERE a.id = s.audit_id AND s.position = 4",
        f"UPDATE audit_entries SET {blank} WHERE id = {at(4)}",
    )
    [broken] = chain.verify().broken
    assert (broken.fault, broken.position) == (Fault.edited, 4)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET role = 'x'",
        "UPDATE audit_entries SET actor_name = 'x', before = NULL, after = NULL, reason = NULL",
        "UPDATE audit_seal_rows SET digest = digest",
        "UPDATE audit_seal_rows SET salt = NULL, personal = digest, erased_by_id = audit_id, position = position + 100",
        "DELETE FROM audit_entries", "DELETE FROM audit_seal_rows", "DELETE FROM audit_seals", "TRUNCATE audit_seals",
    ],
)  # fmt: skip
def test_even_while_erasing_nothing_else_may_change(chain: Trail, statement: str) -> None:
    with transaction(chain.engine) as session:
        run(session, "SET LOCAL earlybird.erasing = 'on'")
        with pytest.raises(DatabaseError, match="append-only"):
            run(session, statement)
        session.rollback()


def test_verifying_keeps_memory_flat_and_sealing_takes_all(trail: Trail) -> None:
    import tracemalloc

    trail.write_many(30_000)
    assert trail.seal() == 30_000
    trail.verify()
    tracemalloc.start()
    assert trail.verify().rows == 30_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
