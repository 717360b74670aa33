"""Take over a business: intake, then every stage in its own transaction, each safe to repeat."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from earlybird.audit import service as audit
from earlybird.customers import service as customers
from earlybird.identity.service import grants
from earlybird.importers.earlybird import (
    evidence,
    facts_at_the_door,
    later,
    legacy_bill,
    masters,
    rights,
    settle,
    standing,
)
from earlybird.infra import db, fields
from earlybird.kernel.ctx import Ctx
from earlybird.territory import service as territory

Progress = Callable[[str, int, int], None]


def _masters(session: Session, ctx: Ctx, home: masters.Home) -> dict[str, int]:
    return masters.take_over_masters(session, ctx, home) | later.follow_masters(session, home)


def _parties(session: Session, ctx: Ctx, home: masters.Home) -> dict[str, int]:
    return {
        "accounts": evidence.judge_accounts(session),
        "parties": masters.take_over_parties(session, ctx, home),
    }


def _standing(session: Session, ctx: Ctx, home: masters.Home) -> dict[str, int]:
    masters.resolve(session)
    return standing.take_over_standing_orders(session, ctx, home)


def _door(session: Session, ctx: Ctx, home: masters.Home) -> dict[str, int]:
    masters.resolve(session)
    return facts_at_the_door.take_over_orders(session, ctx, home) | facts_at_the_door.take_over_deliveries(session)


def _money(session: Session, ctx: Ctx, home: masters.Home) -> dict[str, int]:
    masters.resolve(session)
    made = facts_at_the_door.take_over_payments(session, ctx, home)
    return made | {"openings": settle.open_balances(session, ctx, home)}


def _old_bill(session: Session, ctx: Ctx, home: masters.Home) -> dict[str, int]:
    return {"legacy_bills": legacy_bill.recompute(session, home.currency)} | later.list_differences(session, ctx)


STAGES: tuple[tuple[tuple[str, Callable[[Session, Ctx, masters.Home], dict[str, int]]], ...], ...] = (
    (("People, places, products and customers", _masters),),
    (("Who is who", _parties),),
    (("Standing orders", _standing), ("Payments and opening balances", _money)),
    (("Orders and deliveries", _door),),
    (("The old bill", _old_bill),),
)
"""Stages in order; those in one row know nothing of each other and run at once.

Standing orders come before deliveries: what a later dump changes holds from the day after the last one known.
"""

SWITCHED_BY_STEPS = ("charge_one_time_orders", "check_quantities", "check_dates", "check_references", "check_fields")
"""Rules of the house that the old system did not know: off until the step that switches them is applied."""


def _leave_rules_to_the_steps(session: Session, ctx: Ctx) -> None:
    """Say outright that the old system did without these rules, before the first order of a new database is there.

    A database in which no role may do anything yet begins with what the old system let them do.
    """
    for name in SWITCHED_BY_STEPS:
        facts = {"name": name}
        if db.value(
            session,
            "SELECT NOT EXISTS (SELECT FROM orders) AND NOT EXISTS (SELECT FROM policies WHERE name = :name)",
            facts,
        ):
            territory.set_policy(session, ctx, name, value=False)
    grants.fill(session, ctx, rights.cells())


ANALYZED = (
    "customers",
    "legacy_accounts",
    "legacy_parties",
    "legacy_deliveries",
    "orders",
    "order_lines",
    "prices",
    "products",
    "subscriptions",
    "subscription_overrides",
    "subscription_pauses",
    "subscription_versions",
    "users",
)
"""Tables that the steps join next; their statistics must not wait for the autovacuum."""


def convert(
    engine: Engine, ctx: Ctx, *, name: str | None, cutover_on: date | None, progress: Progress | None = None
) -> dict[str, Any]:
    """Turn the documents taken in into customers, orders, deliveries and money; return rows made per kind.

    Each stage is one transaction and makes only what is not yet there, so it may be interrupted and repeated.
    """
    with db.transaction(engine) as session:
        db.analyze(session, "legacy_documents")
    with db.transaction(engine) as session:
        home = masters.settle_home(session, ctx, name=name, cutover_on=cutover_on)
        _leave_rules_to_the_steps(session, ctx)
    count = sum(len(row) for row in STAGES)

    def run(title: str, stage: Callable[[Session, Ctx, masters.Home], dict[str, int]]) -> dict[str, int]:
        while True:
            try:
                return once(title, stage)
            except IntegrityError as failure:
                held = fields.broken(failure)
                if held is None:
                    raise
                with db.transaction(engine) as session:  # what the old system says stands, and is listed
                    fields.hold_changes(session, held)

    def once(title: str, stage: Callable[[Session, Ctx, masters.Home], dict[str, int]]) -> dict[str, int]:
        with db.transaction(engine) as session:
            db.as_history(session)
            db.settled_later(session)
            db.whole_sets(session)
            customers.logins_later(session, "login_to_customer opens them")
            part = stage(session, ctx, home)
            if any(part.values()):
                audit.record(session, ctx, "import.stage", "import", after={"stage": title} | part)
        return part

    made: dict[str, Any] = {}
    done = 0
    with ThreadPoolExecutor(2) as pool:
        for row in STAGES:
            for part in pool.map(lambda each: run(*each), row):
                made |= part
                done += 1
                if progress:
                    progress("Taken over", done, count)
    with db.transaction(engine) as session:
        db.analyze(session, *ANALYZED)
    return made
