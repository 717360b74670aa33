"""What steps lock and weigh: every lock seen from outside was announced; the plan knows what is unclear and at stake."""

from __future__ import annotations

import threading

from sqlalchemy import Engine, text

from earlybird.infra import db
from earlybird.migrations import service as steps
from earlybird.worklist import queries as worklist
from earlybird.worklist.states import Kind
from migrations.content import IMPORTER

REVERTIBLE = [step for step in steps.STEPS if not step.is_structural]

SEEN = text(
    "SELECT DISTINCT c.relname, l.mode FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "JOIN pg_class c ON c.oid = l.relation WHERE a.datname = current_database() AND l.pid <> pg_backend_pid() "
    "AND a.backend_type = 'client backend' "
    "AND l.granted AND l.locktype = 'relation' AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
)


class Outsider:
    """Looks at all locks of the database, as often as it can."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.looks = engine, 0
        self.seen = set[tuple[str, str]]()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def look(self) -> None:
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not self.over.wait(0.002):
                self.seen |= {(row.relname, row.mode) for row in connection.execute(SEEN)}
                self.looks += 1

    def end(self) -> set[tuple[str, str]]:
        self.over.set()
        self.thread.join()
        return self.seen


def test_every_lock_seen_from_outside_was_announced(taken: Engine) -> None:
    looks = 0
    for step in (*REVERTIBLE, *REVERTIBLE[::-1]):
        outsider = Outsider(taken)
        if any(row["number"] == step.number and row["state"] == "applied" for row in steps.listing(taken)):
            steps.revert(taken, IMPORTER, step, confirmed=step.name, reason="a trial")
        else:
            steps.apply(taken, IMPORTER, step)
        seen = outsider.end()
        looks += outsider.looks
        assert {lock for lock in seen if not steps.announced(step, *lock)} == set(), step.name
        assert all(step.locks.get(table) == mode for table, mode in seen if mode == "AccessExclusiveLock"), step.name
    assert looks > len(REVERTIBLE)


def test_a_plan_lists_what_waits_for_a_person_and_what_is_at_stake(taken: Engine) -> None:
    planned = {found.step.number: found for found in steps.plan_all(taken, IMPORTER, REVERTIBLE)}
    for step in REVERTIBLE:
        steps.apply(taken, IMPORTER, step)
    with db.rehearsal(taken) as session:
        for number, kind in ((20, Kind.delivery), (21, Kind.login)):
            waiting = {row["id"] for row in worklist.page(session, limit=1000, kind=kind).items}
            assert {row["id"] for row in planned[number].unclear if row["candidates"]} <= waiting
            assert waiting <= {row["id"] for row in planned[number].unclear}
        findings = db.rows(session, "SELECT DISTINCT coalesce(d.customer_id::text, d.user_id::text, d.customer_key, "
            "'nobody') AS subject FROM legacy_deliveries d WHERE d.status IN ('delivered', 'partially_delivered') "
            "AND (d.speaks_morning OR d.speaks_evening) "
            "AND NOT EXISTS (SELECT FROM delivery_events e WHERE e.legacy_delivery_id = d.id)")  # fmt: skip
        assert findings
        assert {row["subject"] for row in findings} <= {row["id"] for row in planned[20].unclear}
        worth = db.rows(session, "SELECT sum(c.amount_minor) FILTER (WHERE o.source = 'subscription') AS standing, "
            "sum(c.amount_minor) AS whole FROM charges c JOIN delivery_event_lines e ON e.id = c.event_line_id "
            "JOIN delivery_lines d ON d.id = e.delivery_line_id JOIN order_lines o ON o.id = d.order_line_id")  # fmt: skip
        standing, whole = worth[0]["standing"], worth[0]["whole"]
        stakes = {step.number: [stake.amount_minor for stake in step.stakes(session)] for step in REVERTIBLE}
        owed = db.value(session, "SELECT sum(minor) FROM (SELECT sum(p.amount_minor) AS minor FROM postings p "
            "JOIN users u ON u.customer_id = p.customer_id AND u.email LIKE 'customer-%' WHERE p.account = 'receivable' "
            "GROUP BY p.customer_id HAVING sum(p.amount_minor) > 0) x")  # fmt: skip
    assert (stakes[19], stakes[20]) == ([standing], [whole])
    assert owed
    assert stakes[21][0] >= owed
