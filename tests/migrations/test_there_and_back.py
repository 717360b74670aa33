"""Steps there and back: what apply wrote, revert takes back to the byte, and apply again restores, ids included."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from conftest import SOAK
from earlybird.infra import db
from earlybird.infra.embedded import Embedded
from earlybird.migrations import cutting
from earlybird.migrations import service as steps
from migrations.conftest import copied, taken_over
from migrations.content import IMPORTER, digests, unlike

REVERTIBLE = [step for step in steps.STEPS if not step.is_structural]


def take_back(engine: Engine, step: steps.Step) -> steps.Reverted:
    return steps.revert(engine, IMPORTER, step, confirmed=step.name, reason="a trial")


def test_each_step_goes_back_to_the_byte_and_comes_again_to_the_byte(taken: Engine) -> None:
    for step in REVERTIBLE:
        before = digests(taken)
        planned = steps.plan(taken, IMPORTER, step)
        assert unlike(before, digests(taken)) == [], step.name
        assert planned.is_lossless, step.name
        assert planned.unannounced == [], step.name
        assert steps.apply(taken, IMPORTER, step) == planned.rows, step.name
        applied = digests(taken)
        assert steps.verify(taken, step) == [], step.name
        back = take_back(taken, step)
        assert back.is_whole, (step.name, back.stands)
        assert unlike(before, digests(taken)) == [], step.name
        planned = steps.plan(taken, IMPORTER, step)
        assert steps.apply(taken, IMPORTER, step) == planned.rows, step.name
        assert unlike(applied, digests(taken)) == [], step.name


def test_all_of_them_go_down_and_come_up_to_the_byte(taken: Engine) -> None:
    bare = digests(taken)
    plans = {planned.step.name: planned.rows for planned in steps.plan_all(taken, IMPORTER, REVERTIBLE)}
    for step in REVERTIBLE:
        assert steps.apply(taken, IMPORTER, step) == plans[step.name], step.name
        assert any(plans[step.name].values()), step.name
    whole = digests(taken)
    assert all(found.is_whole for found in steps.plan_revert(taken, IMPORTER, REVERTIBLE[::-1]))
    assert unlike(whole, digests(taken)) == []
    for step in REVERTIBLE[::-1]:
        assert take_back(taken, step).is_whole, step.name
    assert unlike(bare, digests(taken)) == []
    for step in REVERTIBLE:
        steps.apply(taken, IMPORTER, step)
    assert unlike(whole, digests(taken)) == []


ALONE = [step for step in REVERTIBLE if SOAK or step.number in {19, 20, 23}]
"""Those that others build on."""


def test_each_step_alone_leaves_what_others_built_on_it_and_comes_again(taken: Engine) -> None:
    for step in REVERTIBLE:
        steps.apply(taken, IMPORTER, step)
    whole = digests(taken)
    for step in ALONE:
        back = take_back(taken, step)
        assert any(back.rows.values()) or back.stands, step.name
        for other in REVERTIBLE:
            if other is not step:
                assert [w for w in steps.verify(taken, other) if "gone" in w["what"]] == [], (step.name, other.name)
        steps.apply(taken, IMPORTER, step)
        assert unlike(whole, digests(taken)) == [], step.name


@pytest.mark.soak
@pytest.mark.parametrize("seed", [11, 29])
def test_it_is_so_for_other_businesses_too(server: Embedded, tmp_path: Path, seed: int) -> None:
    with taken_over(server, tmp_path, seed) as engine:
        bare = digests(engine)
        for step in REVERTIBLE:
            steps.apply(engine, IMPORTER, step)
        whole = digests(engine)
        for step in REVERTIBLE:
            take_back(engine, step)
            steps.apply(engine, IMPORTER, step)
            assert unlike(whole, digests(engine)) == [], step.name
        for step in REVERTIBLE[::-1]:
            assert take_back(engine, step).is_whole, step.name
        assert unlike(bare, digests(engine)) == []
        for step in REVERTIBLE:
            steps.apply(engine, IMPORTER, step)
        assert unlike(whole, digests(engine)) == []


def test_many_batches_taken_back_at_once_while_nobody_is_at_work_are_the_same_as_one_by_one(
    server: Embedded, taken: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting.units, "__defaults__", (1,))
    monkeypatch.setattr(cutting.Cutter.__init__, "__defaults__", (cutting.TARGET, 1))
    monkeypatch.setattr(cutting, "MOST", 1)
    for step in REVERTIBLE:
        steps.apply(taken, IMPORTER, step)
    monkeypatch.undo()
    with db.transaction(taken) as session:
        noted = (
            "UPDATE orders SET note = 'wait' "
            "WHERE id IN (SELECT id FROM orders WHERE source = 'subscription' ORDER BY id LIMIT 3)"
        )
        assert db.run(session, noted) == 3
        several = "SELECT count(DISTINCT batch) FROM step_residue r JOIN steps s ON s.id = r.step_id WHERE number = :of"
        assert all(db.value(session, several, {"of": of}) > 2 for of in (19, 20, 23))
    taken.dispose()
    with copied(server, str(taken.url.database)) as twin:
        order = [steps.find("19"), *(step for step in REVERTIBLE[::-1] if step.number != 19)]
        for step in order:  # the first while everything others built on it stands
            alone = steps.revert(
                twin, IMPORTER, step, confirmed=step.name, reason="an emergency", batch_seconds=cutting.TARGET * 2
            )
            back = take_back(taken, step)
            assert (alone.rows, alone.stands) == (back.rows, back.stands), step.name
            assert unlike(digests(taken), digests(twin)) == [], step.name


def test_what_is_pointed_at_is_never_deleted_while_nobody_is_at_work(taken: Engine) -> None:
    """A line that was hung on another order of its batch since: PostgreSQL is left to refuse."""
    for number in ("19", "20", "21"):
        steps.apply(taken, IMPORTER, steps.find(number))
    take_back(taken, steps.find("20"))
    with db.transaction(taken) as session:
        moved = (
            "UPDATE order_lines l SET order_id = (SELECT id FROM orders o WHERE o.source = 'subscription' "
            "AND o.id <> l.order_id ORDER BY id LIMIT 1) "
            "WHERE id = (SELECT id FROM order_lines WHERE source = 'subscription' ORDER BY id DESC LIMIT 1)"
        )
        assert db.run(session, moved) == 1
    with pytest.raises(IntegrityError):
        steps.revert(taken, IMPORTER, steps.find("19"), reason="an emergency", batch_seconds=cutting.TARGET * 2)
    with db.transaction(taken) as session:
        lost = "SELECT count(*) FROM order_lines l LEFT JOIN orders o ON o.id = l.order_id WHERE o.id IS NULL"
        assert db.value(session, lost) == 0
