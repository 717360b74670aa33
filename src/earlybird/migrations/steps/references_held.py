"""References lead somewhere: to a row that is there, and a customer carried on a row is the one of what it belongs to.

Columns that name a row get a foreign key, first for new rows, then proven for all. The customer carried on lines,
stops, words and charges is held by a trigger per statement: a foreign key costs the plan more and asks less, that the
customer is there and not that it is the order's (docs/decisions/0027-what-holds-a-reference.md). Where the order is
certain and nothing of it is charged, a wrong customer is set right; everything else is listed. The policy row
`check_references` is switched on: nothing begins with a customer or product that is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from earlybird.infra import policies
from earlybird.infra.db import rows, run, value
from earlybird.infra.fields import DANGLES
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import holding, residue
from earlybird.migrations.protocol import Batch, Kind


@dataclass(frozen=True, slots=True)
class Pointer:
    """A column that names a row of another table, or of its own."""

    table: str
    column: str
    target: str

    @property
    def name(self) -> str:
        """The name of the foreign key."""
        return f"{self.table}_{self.column}{DANGLES}"

    @property
    def says(self) -> str:
        """What is wrong with a row that breaks it."""
        return f"{self.table}.{self.column} names nothing that is there"

    @property
    def wrong(self) -> str:
        """The rows that break it, as SQL: `id`."""
        return (
            f"SELECT t.id FROM {self.table} t LEFT JOIN {self.target} p ON p.id = t.{self.column} "
            f"WHERE t.{self.column} IS NOT NULL AND p.id IS NULL"
        )

    @property
    def recount(self) -> str:
        """The same asked otherwise."""
        return (
            f"SELECT id FROM {self.table} WHERE {self.column} IN "
            f"(SELECT {self.column} FROM {self.table} EXCEPT SELECT id FROM {self.target})"
        )


@dataclass(frozen=True, slots=True)
class Carried:
    """A customer_id that a row carries from the row that `column` names."""

    table: str
    column: str
    target: str

    @property
    def name(self) -> str:
        """The name of the trigger on insert, and of its function."""
        return f"{self.table}_customer_held"

    @property
    def later(self) -> str:
        """The name of the trigger on change."""
        return f"{self.name}_later"

    @property
    def says(self) -> str:
        """What is wrong with a row that breaks it."""
        return f"{self.table}.customer_id is another than that of {self.target}"

    @property
    def wrong(self) -> str:
        """The rows that break it, as SQL: `id`."""
        return (
            f"SELECT t.id FROM {self.table} t JOIN {self.target} p ON p.id = t.{self.column} "
            "WHERE p.customer_id <> t.customer_id"
        )

    @property
    def recount(self) -> str:
        """The same asked otherwise."""
        return (
            f"SELECT id FROM {self.table} WHERE ({self.column}, customer_id) IN (SELECT {self.column}, customer_id "
            f"FROM {self.table} EXCEPT SELECT id, customer_id FROM {self.target})"
        )


POINTERS = (
    Pointer("delivery_events", "legacy_delivery_id", "legacy_deliveries"),
    Pointer("legacy_deliveries", "order_id", "orders"),
    Pointer("rounds", "standing_round_id", "standing_rounds"),
    Pointer("shared_links", "first_id", "shared_links"),
)

CARRIED = (
    Carried("charges", "event_line_id", "delivery_event_lines"),
    Carried("deliveries", "order_id", "orders"),
    Carried("delivery_cash", "delivery_id", "deliveries"),
    Carried("delivery_event_lines", "event_id", "delivery_events"),
    Carried("delivery_events", "delivery_id", "deliveries"),
    Carried("delivery_lines", "delivery_id", "deliveries"),
    Carried("order_lines", "order_id", "orders"),
)
"""Each leads to its order in the end, and orders.customer_id has a foreign key of its own."""

NUMBER = 32
NAME = "references_held"
TITLE = "References lead somewhere"
REASON = "A line of another customer's order is billed to the wrong household, and nobody can say why."
TOUCHES = ("order_lines", "deliveries", "delivery_lines", "policies")
WARNING = "Reverting lets rows name what is not there, and customers and products that are gone be ordered for again."
KIND = Kind.enforces
SWITCHES = {policies.REFERENCES: False}
LOCKS = {
    table: "AccessExclusiveLock"
    for one in (*POINTERS, *CARRIED)
    for table in ((one.table, one.target) if isinstance(one, Pointer) else (one.table,))
}
"""Holding takes ShareRowExclusiveLock; letting go, when the step is reverted, the whole table for a moment."""

SWITCH, HOLD, SET_RIGHT, PROVE = "switch", "hold", "set right", "prove"
BY_NAME: dict[str, Pointer | Carried] = {one.name: one for one in (*POINTERS, *CARRIED)}

TO_ORDER = {
    "order_lines": "orders o ON o.id = t.order_id",
    "deliveries": "orders o ON o.id = t.order_id",
    "delivery_lines": "deliveries d ON d.id = t.delivery_id JOIN orders o ON o.id = d.order_id",
}
"""How a row that may be set right leads to its order."""

# What is charged was billed to somebody, or will be: who that was is for a person to say.
ASTRAY = """
CREATE TEMP TABLE astray ON COMMIT DROP AS
SELECT t.id, o.customer_id FROM {table} t JOIN {way} WHERE o.customer_id <> t.customer_id AND NOT EXISTS (
    SELECT FROM order_lines l JOIN delivery_lines x ON x.order_line_id = l.id
    JOIN delivery_event_lines e ON e.delivery_line_id = x.id JOIN charges c ON c.event_line_id = e.id
    WHERE l.order_id = o.id)
"""


def phases(session: Session) -> list[list[tuple[str, str]]]:
    """Switch the policy and hold new rows; set right what is certain; prove the rest."""
    del session
    return [
        [(SWITCH, "policies"), *((HOLD, name) for name in BY_NAME)],
        [(SET_RIGHT, table) for table in TO_ORDER],
        [(PROVE, name) for name in BY_NAME],
    ]


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: tuple[str, str]) -> None:
    """Do one of the four; what is held and proven already stays."""
    kind, name = chunk
    if kind == SWITCH:
        residue.policy(session, ctx, batch, policies.REFERENCES, value=True)
        return
    if kind == SET_RIGHT:
        _set_right(session, batch, name)
        return
    one = BY_NAME[name]
    if kind == HOLD:
        _hold(session, one)
    elif isinstance(one, Pointer):
        _prove(session, one)
    else:
        _vouch(session, one)


def _hold(session: Session, one: Pointer | Carried) -> None:
    if isinstance(one, Pointer):
        if one.name not in holding.constraints(session, one.table):
            holding.settle(session)
            run(
                session,
                f"ALTER TABLE {one.table} ADD CONSTRAINT {one.name} FOREIGN KEY ({one.column}) "
                f"REFERENCES {one.target} (id) NOT VALID",
            )
    elif not {one.name, one.later} <= holding.triggers(session, one.table):
        run(session, ASK_NEW.format(**_words(one)))
        run(
            session,
            f"CREATE OR REPLACE TRIGGER {one.name} AFTER INSERT ON {one.table} REFERENCING NEW TABLE AS added "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {one.name}()",
        )
        run(
            session,
            f"CREATE OR REPLACE TRIGGER {one.later} AFTER UPDATE OF customer_id, {one.column} ON {one.table} "
            f"FOR EACH ROW EXECUTE FUNCTION refuse_other_customer('{one.target}', '{one.column}')",
        )


# Nested loops on purpose: a plan made for one row and one made for a million must both stay flat.
ASK_NEW = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
    SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (SELECT FROM added a LEFT JOIN {target} p ON p.id = a.{column}
               WHERE p.customer_id IS DISTINCT FROM a.customer_id) THEN
        RAISE EXCEPTION 'a row of {table} names another customer than what it belongs to'
            USING ERRCODE = 'check_violation', CONSTRAINT = '{name}', TABLE = '{table}', COLUMN = 'customer_id';
    END IF;
    RETURN NULL;
END $$
"""


def _words(one: Carried) -> dict[str, str]:
    return {"name": one.name, "table": one.table, "column": one.column, "target": one.target}


def _set_right(session: Session, batch: Batch, table: str) -> None:
    """Give the rows of other customers their order's, where nothing of the order is charged."""
    if not run(session, ASTRAY.format(table=table, way=TO_ORDER[table])):
        return
    residue.columns(session, batch, table, ("customer_id",), "SELECT id FROM astray")
    run(session, f"UPDATE {table} t SET customer_id = a.customer_id FROM astray a WHERE a.id = t.id")


def _prove(session: Session, one: Pointer) -> None:
    """Prove a foreign key for old rows; where one of them names nothing, it holds the new ones only."""
    if holding.constraints(session, one.table).get(one.name) is False:
        holding.settle(session)
        try:
            with session.begin_nested():
                run(session, f"ALTER TABLE {one.table} VALIDATE CONSTRAINT {one.name}")
        except IntegrityError:
            return


PROVEN = "proven for the rows of before"
"""The comment on a trigger that no row broke when the step was done."""

SAID = """
SELECT obj_description(oid, 'pg_trigger') FROM pg_trigger WHERE tgrelid = to_regclass(:table) AND tgname = :name
"""


def _vouch(session: Session, one: Carried) -> None:
    """Say on the trigger whether every old row keeps the rule."""
    is_whole = not value(session, f"SELECT EXISTS ({one.wrong})")
    if one.name in holding.triggers(session, one.table) and is_whole is not _is_proven(session, one):
        run(session, f"COMMENT ON TRIGGER {one.name} ON {one.table} IS {repr(PROVEN) if is_whole else 'NULL'}")


def _is_proven(session: Session, one: Pointer | Carried) -> bool:
    if isinstance(one, Pointer):
        return bool(holding.constraints(session, one.table).get(one.name))
    return bool(value(session, SAID, {"table": one.table, "name": one.name}) == PROVEN)


def verify(session: Session) -> list[dict[str, Any]]:
    """List references that nothing holds, that hold less than they could, and rows that break what was proven."""
    wrong: list[dict[str, Any]] = []
    for one in BY_NAME.values():
        wanted = {one.name} if isinstance(one, Pointer) else {one.name, one.later}
        if not wanted <= holding.triggers(session, one.table) | set(holding.constraints(session, one.table)):
            wrong.append({"id": one.name, "what": "nothing holds the reference"})
            continue
        broken = rows(session, f"{one.recount} ORDER BY id LIMIT 1000")
        if _is_proven(session, one):
            wrong += [row | {"what": one.says} for row in broken]
        elif not broken:
            wrong.append({"id": one.name, "what": "the rule is not proven for the rows of before, and none breaks it"})
    return wrong


def unclear(session: Session) -> list[dict[str, Any]]:
    """List the rows that name nothing, or another customer than their order: for a person to judge."""
    return [
        row | {"what": one.says, "candidates": []}
        for one in BY_NAME.values()
        for row in rows(session, f"{one.wrong} ORDER BY t.id LIMIT 1000")
    ]


def tear_down(connection: Connection) -> dict[str, int]:
    """Hold nothing any more."""
    for one in BY_NAME.values():
        holding.let_go(connection, one.table, one.name)
        if isinstance(one, Carried):
            holding.let_go(connection, one.table, one.later)
            connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {one.name}()")
    return {}
