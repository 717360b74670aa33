"""A customer comes with a login: by every entrance, one to one, and the database holds us to it."""

from __future__ import annotations

from sqlalchemy.orm import Session

import make
from earlybird.customers import service
from earlybird.customers.service import Door, Newcomer
from earlybird.infra.db import rows, run, value
from earlybird.kernel.ctx import Ctx


def test_a_customer_comes_with_a_door_and_a_login(session: Session, ctx: Ctx) -> None:
    firm = make.business(session)
    made = service.create(
        session,
        ctx,
        Newcomer(
            name="Meena Rao", phone="98450 12345", email="Meena@Example.com", address=Door(line1="12 Temple Road")
        ),
    )
    assert (made.site_id, made.phone, made.phone_as_given) == (firm.site_id, "+919845012345", "98450 12345")
    login = rows(session, "SELECT * FROM users WHERE customer_id = :id", {"id": made.id})[0]
    assert (login["email"], login["state"], login["password_hash"]) == ("meena@example.com", "uninvited", None)
    member = rows(session, "SELECT * FROM memberships WHERE user_id = :id", {"id": login["id"]})
    assert [(m["role"], m["customer_id"]) for m in member] == [("customer", made.id)]
    assert value(session, "SELECT line1 FROM addresses WHERE customer_id = :id AND is_default", {"id": made.id})
    run(session, "SET CONSTRAINTS ALL IMMEDIATE")
