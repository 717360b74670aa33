"""Merge a duplicate into the customer it is, and take that back: facts stay where they are, wishes move over.

Every row that is changed is kept with what stood there before and after (`customer_merges.carried`), so that taking
it back is exact, or refused. See docs/decisions/0018-merging-customers.md.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.customers import queries
from earlybird.customers.errors import CannotUndo, NoSuchMerge, NotOneBusiness, PricesDiffer, SameCustomer
from earlybird.customers.models import CustomerMerge
from earlybird.identity.service import sessions
from earlybird.identity.states import Role
from earlybird.infra.db import rows, run
from earlybird.kernel import ids
from earlybird.kernel.ctx import Ctx

KEYS = {
    "subscriptions": {"id": "uuid"},
    "customer_keys": {"source": "text", "kind": "text", "key": "text"},
    "api_keys": {"id": "uuid"},
    "customers": {"id": "uuid"},
    "users": {"id": "uuid"},
    "memberships": {"id": "uuid"},
}
"""How a row of each table that a merge touches is named."""

KINDS = {"archived_at": "timestamptz"}
"""The columns it writes that hold no uuid."""

CARRIED: tuple[tuple[str, str, str, str], ...] = (
    # A standing order without an address goes to the customer's usual one: it keeps going to the door it went to.
    (
        "subscriptions",
        "address_id",
        "(SELECT a.id FROM addresses a WHERE a.customer_id = :id AND a.is_default AND a.archived_at IS NULL)",
        "t.customer_id = :id AND t.state <> 'stopped' AND t.address_id IS NULL",
    ),
    ("subscriptions", "customer_id", ":into_id", "t.customer_id = :id AND t.state <> 'stopped'"),
    ("customer_keys", "customer_id", ":into_id", "t.customer_id = :id"),
    ("api_keys", "customer_id", ":into_id", "t.customer_id = :id AND t.revoked_at IS NULL"),
    ("users", "customer_id", "NULL", "t.customer_id = :id"),
    ("customers", "bill_to_id", "nullif(CAST(:payer_id AS uuid), t.id)", "t.bill_to_id = :id"),
    ("customers", "bill_to_id", ":payer_id", "t.id = :id AND t.bill_to_id IS DISTINCT FROM CAST(:payer_id AS uuid)"),
    ("customers", "archived_at", ":now", "t.id = :id"),
    ("customers", "merged_into_id", ":into_id", "t.id = :id"),
)
"""Table, column, what stands there afterwards, which rows: in this order, taken back in the opposite one."""

JOIN = """
INSERT INTO memberships (id, user_id, role, customer_id, created_at)
SELECT new_id(), m.user_id, m.role, m.wanted, :now
FROM (
    SELECT DISTINCT user_id, role,
           CASE customer_id WHEN CAST(:id AS uuid) THEN CAST(:into_id AS uuid) ELSE CAST(:id AS uuid) END AS wanted
    FROM memberships WHERE role = :role AND ended_at IS NULL AND customer_id IN (:id, :into_id)
) m
WHERE NOT EXISTS (SELECT FROM memberships o WHERE o.user_id = m.user_id AND o.role = m.role AND o.ended_at IS NULL
                  AND o.customer_id = m.wanted)
RETURNING id
"""


def merge(session: Session, ctx: Ctx, customer_id: UUID, into_id: UUID, *, reason: str) -> UUID:
    """Make a duplicate one with the customer it is; return the merge, by which it can be taken back.

    Standing orders, keys of other systems, payers and logins go over; orders, deliveries, bills and postings stay,
    and are read by either login. The duplicate is archived. What it still owes for is billed to the other.
    """
    if customer_id == into_id:
        raise SameCustomer(field="into_id")
    found = {
        key: queries.get_for_update(session, ctx, key, field=field)
        for key, field in sorted([(customer_id, "customer_id"), (into_id, "into_id")])
    }
    gone, into = found[customer_id], found[into_id]
    if (gone.business_id, gone.site_id) != (into.business_id, into.site_id):
        raise NotOneBusiness(field="into_id")
    apart = queries.prices_apart(session, customer_id, into_id)
    if apart:
        raise PricesDiffer(field="into_id", products=apart)
    payer_id = into.bill_to_id if into.bill_to_id not in {None, customer_id} else into_id
    facts = {"id": customer_id, "into_id": into_id, "payer_id": payer_id, "now": ctx.now, "role": str(Role.customer)}
    carried: list[dict[str, Any]] = []
    for table, column, wanted, which in CARRIED:
        carried += _carry(session, table, column, wanted, which, facts)
    joined = rows(session, JOIN, facts)
    carried += [{"table": "memberships", "key": {"id": str(row["id"])}} for row in joined]
    key = ids.new_id()
    session.add(
        CustomerMerge(id=key, customer_id=customer_id, into_id=into_id, carried=carried, reason=reason, made_at=ctx.now)
    )
    session.expire_all()  # the rows were changed beneath their objects
    session.flush()  # so that what reads next sees the merge
    said = {"merge_id": str(key), "into_id": str(into_id), "rows": _counts(carried)}
    audit.record(session, ctx, "customers.merge", "customer", customer_id, after=said, reason=reason)
    audit.record(session, ctx, "customers.take_in", "customer", into_id, after={"customer_id": str(customer_id)})
    _end_sessions(session, ctx, carried)
    return key


def undo(session: Session, ctx: Ctx, merge_id: UUID, *, reason: str) -> UUID:
    """Take a merge back: every row is as before; return the customer who is one of their own again.

    Refused where a row was changed since. Orders and bills made since stay with the customer they were made for.
    """
    row = session.scalars(
        select(CustomerMerge)
        .where(CustomerMerge.id == merge_id, CustomerMerge.undone_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NoSuchMerge(field="merge_id")
    pair = sorted([row.customer_id, row.into_id])
    run(session, "SELECT id FROM customers WHERE id = ANY(:ids) ORDER BY id FOR UPDATE", {"ids": pair})
    for kept in reversed(row.carried):
        _put_back(session, kept)
    row.undone_at = ctx.now
    session.flush()  # the merge is over
    session.expire_all()  # the rows were changed beneath their objects
    said = {"merge_id": str(merge_id), "into_id": str(row.into_id), "rows": _counts(row.carried)}
    audit.record(session, ctx, "customers.undo_merge", "customer", row.customer_id, before=said, reason=reason)
    _end_sessions(session, ctx, row.carried)
    return row.customer_id


def _carry(
    session: Session, table: str, column: str, wanted: str, which: str, facts: dict[str, Any]
) -> list[dict[str, Any]]:
    """Write one column of some rows; return what stood there before and what stands there now."""
    names = KEYS[table]
    own = " AND ".join(f"t.{name} = o.{name}" for name in names)
    changed = rows(
        session,
        f"WITH o AS (SELECT {', '.join(f't.{name}' for name in names)}, t.{column} AS before FROM {table} t "
        f"WHERE {which} FOR UPDATE) "
        f"UPDATE {table} t SET {column} = CAST({wanted} AS {_kind(column)}) FROM o WHERE {own} "
        f"RETURNING {', '.join(f'CAST(t.{name} AS text) AS {name}' for name in names)}, "
        f"CAST(o.before AS text) AS before, CAST(t.{column} AS text) AS after",
        facts,
    )
    return [
        {
            "table": table,
            "key": {name: each[name] for name in names},
            "column": column,
            "before": each["before"],
            "after": each["after"],
        }
        for each in changed
    ]


def _put_back(session: Session, kept: dict[str, Any]) -> None:
    table, names = kept["table"], KEYS[kept["table"]]
    own = " AND ".join(f"{name} = CAST(:key_{name} AS {kind})" for name, kind in names.items())
    facts = {f"key_{name}": kept["key"][name] for name in names}
    if "column" not in kept:
        done = run(session, f"DELETE FROM {table} WHERE {own} AND ended_at IS NULL", facts)
    else:
        column, kind = kept["column"], _kind(kept["column"])
        done = run(
            session,
            f"UPDATE {table} SET {column} = CAST(:before AS {kind}) "
            f"WHERE {own} AND {column} IS NOT DISTINCT FROM CAST(:after AS {kind})",
            facts | {"before": kept["before"], "after": kept["after"]},
        )
    if not done:
        raise CannotUndo(table=table, key=kept["key"], column=kept.get("column"))


def _kind(column: str) -> str:
    return KINDS.get(column, "uuid")


def _counts(carried: list[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for kept in carried:
        found[kept["table"]] = found.get(kept["table"], 0) + 1
    return found


def _end_sessions(session: Session, ctx: Ctx, carried: list[dict[str, Any]]) -> None:
    """Let who has another customer now sign in again: a token speaks of one customer."""
    for kept in carried:
        if kept["table"] == "users":
            sessions.end_all(session, ctx, UUID(kept["key"]["id"]), reason="the customer was merged")
