"""A person sees what waits, decides it with a reason, and takes it back to the byte; steps leave decisions alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from earlybird.billing.errors import AmountBilled
from earlybird.importers.earlybird import evidence
from earlybird.infra.db import rows, run, value
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure
from earlybird.migrations.steps import delivery_to_order, login_to_customer
from earlybird.worklist import errors, queries, service
from earlybird.worklist.states import OPEN, Choice, Decided, Kind

OWN_BOOKS = {"worklist_choices", "audit_entries", "unsealed_entries"}
"""What a decision and its undoing leave behind on purpose."""


def waiting(session: Session, kind: Kind) -> dict[str, Any]:
    return next(iter(queries.page(session, limit=10, kind=kind).items))


def content(session: Session) -> dict[str, str]:
    """The hash of every table, its own books apart."""
    names = rows(
        session, "SELECT relname AS n FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    tables = {row["n"] for row in names} - OWN_BOOKS
    hashed = "SELECT md5(coalesce(string_agg(md5(t::text), '' ORDER BY t::text), '')) FROM {} t"
    return {name: value(session, hashed.format(name)) for name in tables}


def target(session: Session, item: dict[str, Any], choice: Choice) -> UUID | None:
    if choice is not Choice.link:
        return None
    found: UUID = queries.show(session, item["id"])["candidates"][0]["id"]
    return found


EVERY = [(kind, choice) for kind in Kind for choice in sorted(OPEN[kind])]


@pytest.mark.parametrize(("kind", "choice"), EVERY)
def test_a_decision_takes_an_item_off_the_list_and_undone_all_is_as_it_was(
    office: Session, ctx: Ctx, kind: Kind, choice: Choice
) -> None:
    before, counted = content(office), queries.counts(office)
    item = waiting(office, kind)
    service.resolve(
        office, ctx, item["id"], choice=choice, reason="she said so", target_id=target(office, item, choice)
    )
    assert queries.counts(office) == counted | {kind: counted[kind] - 1}
    assert item["id"] in {row["id"] for row in queries.page(office, limit=10, decided=Decided.decided).items}
    if choice in {Choice.link, Choice.approve} or (kind is Kind.amount and choice is Choice.reject):
        assert content(office) != before
    shown = queries.show(office, item["id"])
    assert shown["is_decided"]
    assert shown["choices"][0]["reason"] == "she said so"
    with pytest.raises(errors.AlreadyDecided):
        service.resolve(office, ctx, item["id"], choice=Choice.keep, reason="again")
    service.undo(office, ctx, item["id"], reason="it was the neighbour")
    assert content(office) == before
    assert queries.counts(office) == counted
    with pytest.raises(errors.NotDecided):
        service.undo(office, ctx, item["id"], reason="again")
    told = rows(office, "SELECT action, reason FROM audit_entries WHERE entity = 'worklist' ORDER BY id")
    assert told == [
        {"action": "worklist.resolve", "reason": "she said so"},
        {"action": "worklist.undo", "reason": "it was the neighbour"},
    ]


def test_everything_that_waits_is_listed_once_over_pages(office: Session) -> None:
    every, after = [], None
    while True:
        page = queries.page(office, limit=2, after=after)
        every += [(row["id"], row["kind"]) for row in page.items]
        after = page.next
        if after is None:
            break
    assert len(every) == len(set(every)) == sum(queries.counts(office).values()) == 7
    assert every == sorted(every)
    assert {kind for _, kind in every} == set(Kind)


def test_the_evidence_lays_candidates_side_by_side(office: Session) -> None:
    delivery = queries.show(office, waiting(office, Kind.delivery)["id"])
    assert [each["facts"]["service_on"] for each in delivery["candidates"]] == ["2025-12-21", "2025-12-22"]
    assert all(each["facts"]["lines"] and each["facts"]["stops"] for each in delivery["candidates"])
    login = queries.show(office, waiting(office, Kind.login)["id"])
    assert {each["facts"]["code"] for each in login["candidates"]} == {"C-0004", "C-0005"}
    assert not any("password" in name for name in login["row"])


REFUSED: list[tuple[Kind, Choice, bool, type[Failure]]] = [
    (Kind.delivery, Choice.approve, False, errors.NotOpen),
    (Kind.amount, Choice.link, True, errors.NotOpen),
    (Kind.delivery, Choice.link, False, errors.TargetMissing),
    (Kind.delivery, Choice.keep, True, errors.TargetNotWanted),
    (Kind.delivery, Choice.link, True, errors.NoCandidate),
    (Kind.login, Choice.link, True, errors.NoCandidate),
]


@pytest.mark.parametrize(("kind", "choice", "named", "refusal"), REFUSED)
def test_what_cannot_be_chosen_is_refused_and_changes_nothing(
    office: Session, ctx: Ctx, *, kind: Kind, choice: Choice, named: bool, refusal: type[Failure]
) -> None:
    item, before = waiting(office, kind), content(office)
    stranger = value(
        office, "SELECT id FROM orders WHERE customer_id = (SELECT id FROM customers WHERE code = 'C-0006') LIMIT 1"
    )
    with pytest.raises(refusal):
        service.resolve(office, ctx, item["id"], choice=choice, reason="x", target_id=stranger if named else None)
    with pytest.raises(errors.ReasonWanted):
        service.resolve(office, ctx, item["id"], choice=Choice.keep, reason=" ")
    assert content(office) == before
    assert not rows(office, "SELECT FROM worklist_choices")


def test_an_amount_on_a_document_cannot_be_taken_back(office: Session, ctx: Ctx) -> None:
    item = waiting(office, Kind.amount)
    service.resolve(office, ctx, item["id"], choice=Choice.approve, reason="hers")
    run(office, "INSERT INTO invoice_lines (invoice_id, adjustment_id, service_on, description, amount_minor, tax_minor) "
                "SELECT id, :id, '2025-12-31', 'x', 5000, 0 FROM invoices LIMIT 1", {"id": item["id"]})  # fmt: skip
    with pytest.raises(AmountBilled):
        service.undo(office, ctx, item["id"], reason="no")


def judged(session: Session) -> list[UUID]:
    """The rows step 20 would write something about now."""
    run(session, "DROP TABLE IF EXISTS judged")
    customers = [row["id"] for row in rows(session, "SELECT id FROM customers")]
    run(session, delivery_to_order.JUDGED, {"customers": customers, "nobody": True, "source": "earlybird"})
    return [row["id"] for row in rows(session, delivery_to_order.CHANGED)]


@pytest.mark.parametrize("choice", [Choice.link, Choice.reject, Choice.keep])
def test_the_step_leaves_a_decided_delivery_alone(office: Session, ctx: Ctx, choice: Choice) -> None:
    item = waiting(office, Kind.delivery)
    run(
        office,
        "INSERT INTO legacy_parties (source, party, kind, customer_id) SELECT 'earlybird', code, 'customer', id FROM customers",
    )
    run(office, "INSERT INTO legacy_documents (id, source, collection, ident, key, line, digest, verdict, facts, run_id) "
                "SELECT o.id, 'earlybird', 'orders', o.id::text, o.id::text, 1, '', 'imported', '{\"status\": \"delivered\"}', new_id() "
                "FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.code = 'C-0004' AND o.service_on = '2025-12-21'")  # fmt: skip
    assert judged(office) == [item["id"]]  # its evidence grew: the step would tie it now
    service.resolve(office, ctx, item["id"], choice=choice, reason="x", target_id=target(office, item, choice))
    assert judged(office) == []
    service.undo(office, ctx, item["id"], reason="x")
    assert judged(office) == [item["id"]]


def test_a_link_that_contradicts_is_a_person_s_word_to_the_step_s_check(office: Session, ctx: Ctx) -> None:
    run(
        office,
        "INSERT INTO legacy_parties (source, party, kind, customer_id) SELECT 'earlybird', code, 'customer', id FROM customers",
    )
    was = delivery_to_order.verify(office)
    item = next(row for row in queries.page(office, limit=10).items if row["why"] == "contradictory")
    service.resolve(
        office, ctx, item["id"], choice=Choice.link, reason="moved", target_id=target(office, item, Choice.link)
    )
    assert delivery_to_order.verify(office) == was


def test_a_login_joins_the_customer_and_later_dumps_leave_it(office: Session, ctx: Ctx) -> None:
    item = waiting(office, Kind.login)
    chosen = target(office, item, Choice.link)
    service.resolve(office, ctx, item["id"], choice=Choice.link, reason="x", target_id=chosen)
    member = "SELECT customer_id FROM memberships WHERE user_id = :id AND role = 'customer' AND ended_at IS NULL"
    assert value(office, member, {"id": item["id"]}) == chosen
    wrong = [row["id"] for row in login_to_customer.verify(office)]
    assert item["id"] not in wrong
    run(office, "INSERT INTO legacy_documents (id, source, collection, ident, key, line, digest, verdict, facts, run_id) "
                "SELECT id, 'earlybird', 'users', 'u1', 'u1', 1, '', 'imported', '{\"role\": \"customer\"}', new_id() "
                "FROM users WHERE id = :id", {"id": item["id"]})  # fmt: skip
    evidence.judge_accounts(office)
    kept = "SELECT verdict FROM legacy_accounts WHERE user_id = :id"
    assert value(office, kept, {"id": item["id"]}) == "contradictory"
    service.undo(office, ctx, item["id"], reason="x")
    evidence.judge_accounts(office)
    assert value(office, kept, {"id": item["id"]}) == "none"
