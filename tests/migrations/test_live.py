"""Steps beside live work: what people write meanwhile, or between apply and revert, is all there afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from conftest import SOAK
from earlybird.infra import db
from earlybird.migrations import residue
from earlybird.migrations import service as steps
from importers import canonical
from migrations import clients, content

REVERTIBLE = [step for step in steps.STEPS if not step.is_structural]
CLIENTS, EACH = 8, 12 if SOAK else 2


def unlike(one: Engine, other: Engine) -> dict[str, Any]:
    first, second = canonical.state(one), canonical.state(other)
    for found in (first, second):
        for table in content.APART | {"policies"}:
            found.pop(table, None)
    return canonical.unlike(first, second)


def busy(engine: Engine, turn: int, kinds: Sequence[str], work: Callable[[], None]) -> None:
    """Do the work while eight clients write; each about rows of its own."""
    world = clients.world(engine)
    failed: list[BaseException] = []

    def client(number: int) -> None:
        try:
            for n in range(EACH):
                for kind in kinds:
                    mine = world[kind][number::CLIENTS]
                    if kind == "confirm":
                        mine = mine[turn::3]
                    if n < len(mine) or (mine and kind != "confirm"):
                        clients.write(engine, kind, mine[n % len(mine)], f"{kind} {turn} {number} {n}")
        except BaseException as failure:  # noqa: BLE001  told below, in the test's own thread
            failed.append(failure)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def up(engine: Engine, wanted: Sequence[steps.Step]) -> None:
    for step in wanted:
        steps.apply(engine, content.IMPORTER, step)


def down(engine: Engine, wanted: Sequence[steps.Step]) -> None:
    for step in wanted:
        steps.revert(engine, content.IMPORTER, step, confirmed=step.name, reason="a trial")


def test_eight_clients_write_meanwhile_and_it_ends_as_without_the_steps(
    taken: Engine, another: Callable[[], Any]
) -> None:
    money = steps.find("23")
    others = [step for step in REVERTIBLE if step is not money]
    clients.plan_the_day(taken)
    with another() as twin:
        clients.plan_the_day(twin)
        assert unlike(taken, twin) == {}
        turns: list[tuple[Sequence[str], Callable[[], None]]] = [
            (clients.KINDS, lambda: up(taken, others)),
            (("confirm", "order", "pause"), lambda: (up(taken, [money]), down(taken, [money]))[0]),
            (clients.KINDS, lambda: down(taken, others[::-1])),
        ]
        for turn, (kinds, work) in enumerate(turns):
            busy(taken, turn, kinds, work)
            busy(twin, turn, kinds, lambda: None)
        assert unlike(taken, twin) == {}


def everything(engine: Engine) -> dict[tuple[str, str], dict[str, Any]]:
    """Every row there is, by table and key."""
    found = {}
    with db.rehearsal(engine) as session:
        for table in content.digests(engine):
            key = residue.primary_key(session, table)
            if key and table not in content.WORK_LISTS:
                named = ", ".join(f"t.{name}" for name in key)
                for row in db.rows(
                    session, f"SELECT concat_ws('/', {named}) AS key, to_jsonb(t) AS row FROM {table} t"
                ):
                    found[table, row["key"]] = row["row"]
    return found


def written(before: dict[Any, dict[str, Any]], after: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """The fields that are new or changed."""
    return {
        key: {
            name: value for name, value in row.items() if name not in before.get(key, {}) or before[key][name] != value
        }
        for key, row in after.items()
        if before.get(key) != row
    }


def lost(wanted: dict[Any, dict[str, Any]], here: dict[Any, dict[str, Any]]) -> list[Any]:
    return [key for key, row in wanted.items() if any(here.get(key, {}).get(name, "gone") != row[name] for name in row)]


WRITES = st.lists(st.tuples(st.sampled_from(clients.KINDS), st.integers(0, 1000)), min_size=1, max_size=12)


@settings(
    max_examples=100 if SOAK else 2,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    writes=WRITES,
    since=WRITES,
    wanted=st.lists(st.sampled_from(REVERTIBLE), min_size=1, unique_by=lambda step: step.number).map(
        lambda found: sorted(found, key=lambda step: -step.number)
    ),
)
def test_nothing_written_between_apply_and_revert_is_lost(
    tied: Callable[[], Any],
    writes: list[tuple[str, int]],
    since: list[tuple[str, int]],
    wanted: list[steps.Step],
) -> None:
    with tied() as engine:
        world = clients.world(engine)
        taken_orders: set[Any] = set()

        def write_all(found: list[tuple[str, int]], word: str) -> dict[Any, dict[str, Any]]:
            before = everything(engine)
            for n, (kind, which) in enumerate(found):
                row = world[kind][which % len(world[kind])]
                if kind == "confirm" and row["id"] in taken_orders:
                    continue
                taken_orders.add(row["id"])
                clients.write(engine, kind, row, f"{word} {n}")
            return written(before, everything(engine))

        native = write_all(writes, "applied")
        down(engine, wanted)
        assert lost(native, everything(engine)) == []
        native |= write_all(since, "reverted")
        up(engine, wanted[::-1])
        assert lost(native, everything(engine)) == []
        assert {step.name: steps.verify(engine, step) for step in wanted} == {step.name: [] for step in wanted}
