"""A new business begins with every rule on; one that is taken over as its old system had it."""

from __future__ import annotations

from sqlalchemy import Engine

from earlybird.identity.service import grants
from earlybird.infra import db
from earlybird.migrations import opening
from earlybird.migrations import service as steps
from earlybird.migrations.protocol import Kind
from migrations.content import IMPORTER

RULES = {step.number for step in steps.STEPS if step.kind in (Kind.enforces, Kind.builds)}


def states(engine: Engine) -> dict[int, str]:
    return {row["number"]: row["state"] for row in steps.listing(engine)}


def policies(engine: Engine) -> dict[str, bool]:
    with db.rehearsal(engine) as session:
        return {row["name"]: row["value"] for row in db.rows(session, "SELECT name, value FROM policies")}


def test_a_new_business_has_every_rule_on_and_what_somebody_takes_back_stays_so(fresh: Engine) -> None:
    with db.transaction(fresh) as session:
        grants.fill(session, IMPORTER)
    opening.begin_with_the_rules(fresh, IMPORTER)
    assert {24, 26, 27} <= RULES
    assert {number for number, state in states(fresh).items() if state == "applied"} == RULES | {28, 34}
    assert policies(fresh)["check_dates"] is policies(fresh)["check_quantities"] is True
    steps.revert(fresh, IMPORTER, steps.find("26"))
    steps.revert(fresh, IMPORTER, steps.find("24"), confirmed="roles_from_the_table", reason="a trial")
    assert opening.begin_with_the_rules(fresh, IMPORTER) == []
    assert (states(fresh)[26], states(fresh)[24]) == ("reverted", "reverted")


def test_the_grants_follow_a_newer_program(fresh: Engine) -> None:
    with db.transaction(fresh) as session:
        grants.fill(session, IMPORTER)
        db.run(session, "DELETE FROM grants WHERE action = 'steps.run'")
    opening.begin_with_the_rules(fresh, IMPORTER)
    with db.transaction(fresh) as session:
        assert db.value(session, "SELECT count(*) FROM grants WHERE action = 'steps.run'") == 1
        db.run(session, "DELETE FROM grants WHERE action = 'steps.run'")
    assert opening.begin_with_the_rules(fresh, IMPORTER) == ["roles_from_the_table"]


def test_before_a_take_over_the_rules_make_way_and_the_rights_stay(fresh: Engine) -> None:
    with db.transaction(fresh) as session:
        grants.fill(session, IMPORTER)
    opening.begin_with_the_rules(fresh, IMPORTER)
    assert {"confirmation_dates", "quantities_on_lines"} <= set(opening.make_way(fresh, IMPORTER))
    assert (states(fresh)[27], states(fresh)[26], states(fresh)[24]) == ("reverted", "reverted", "applied")
    assert policies(fresh)["check_dates"] is policies(fresh)["check_quantities"] is False


def test_what_was_taken_over_is_left_as_it_stands(taken: Engine) -> None:
    assert policies(taken)["check_dates"] is False
    assert opening.begin_with_the_rules(taken, IMPORTER) == []
    assert opening.make_way(taken, IMPORTER) == []
    assert {states(taken)[number] for number in RULES} == {"pending"}
