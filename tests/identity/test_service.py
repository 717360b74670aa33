"""Links work once and for 15 minutes; sessions end; grants follow the table."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from earlybird.identity import queries
from earlybird.identity.access import Lock
from earlybird.identity.errors import LinkSpent, NotGranted, SignInNeeded
from earlybird.identity.service import grants, links, people, sessions
from earlybird.identity.states import Method, Purpose
from earlybird.infra.db import rows, run, value
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx

KEYS = Keys.random()
ACTION = "reconcile.read"


@pytest.fixture
def link(session: Session, ctx: Ctx) -> str:
    grants.seed(session, ctx)
    return links.issue(session, ctx, people.create_owner(session, ctx, "Asha@Example.com"))


def sign_in(session: Session, ctx: Ctx, token: str) -> str:
    user = links.spend(session, ctx, token, (Purpose.sign_in,))
    return sessions.open_browser(session, ctx, user, method=Method.link)


def behind(session: Session, cookie: str, now: datetime) -> Any:
    return queries.find_behind(session, [queries.Credential("cookie", cookie)], ACTION, now)[0]


def test_a_link_signs_in_once(session: Session, ctx: Ctx, link: str) -> None:
    session.flush()
    cookie = sign_in(session, ctx, link)
    found = behind(session, cookie, ctx.now)
    assert found is not None
    assert [(role["role"], role["scope"]) for role in found["roles"]] == [("admin", "all")]
    with pytest.raises(LinkSpent):
        sign_in(session, ctx, link)
    kept = rows(session, "SELECT token_hash FROM sessions UNION ALL SELECT token_hash FROM sign_in_links")
    assert not {cookie, link} & {row["token_hash"] for row in kept}
    assert value(session, "SELECT state FROM users") == "active"


@pytest.mark.parametrize(("minutes", "opens"), [(14, True), (15, False), (60, False)])
def test_a_link_is_good_for_fifteen_minutes(session: Session, ctx: Ctx, link: str, minutes: int, opens: bool) -> None:  # noqa: FBT001
    session.flush()
    later = ctx.at(ctx.now + timedelta(minutes=minutes))
    if opens:
        assert sign_in(session, later, link)
    else:
        with pytest.raises(LinkSpent):
            sign_in(session, later, link)


def test_a_session_ends_by_signing_out_by_age_and_with_the_membership(session: Session, ctx: Ctx, link: str) -> None:
    session.flush()
    cookie = sign_in(session, ctx, link)
    assert behind(session, cookie, ctx.now + timedelta(days=15)) is None
    run(session, "UPDATE memberships SET ended_at = :now", {"now": ctx.now})
    assert behind(session, cookie, ctx.now) is None
    run(session, "UPDATE memberships SET ended_at = NULL")
    assert behind(session, cookie, ctx.now) is not None
    sessions.forget_browser(session, ctx, cookie)
    assert behind(session, cookie, ctx.now) is None


def test_a_lock_admits_by_the_rows_of_the_grants_table(session: Session, ctx: Ctx, link: str) -> None:
    session.flush()
    cookie = sign_in(session, ctx, link)
    admitted = Lock("reconcile.read").admit(session, ctx, keys=KEYS, cookie=cookie)
    assert (admitted.actor.name, admitted.actor.role) == ("asha", "admin")
    for nobody in (None, "", "guess"):
        with pytest.raises(SignInNeeded):
            Lock("reconcile.read").admit(session, ctx, keys=KEYS, cookie=nobody)
    run(session, "UPDATE memberships SET role = 'driver'")
    with pytest.raises(NotGranted):
        Lock("reconcile.read").admit(session, ctx, keys=KEYS, cookie=cookie)
    assert Lock("deliveries.confirm").admit(session, ctx, keys=KEYS, cookie=cookie).actor.role == "driver"
    run(session, "DELETE FROM grants WHERE action = 'deliveries.confirm'")
    with pytest.raises(NotGranted):
        Lock("deliveries.confirm").admit(session, ctx, keys=KEYS, cookie=cookie)


def test_seeding_twice_changes_nothing_and_repairs_what_drifted(session: Session, ctx: Ctx, link: str) -> None:
    assert grants.seed(session, ctx) == 0
    run(session, "UPDATE grants SET scope = 'all' WHERE role = 'driver' AND action = 'deliveries.confirm'")
    run(session, "INSERT INTO grants VALUES ('driver', 'billing.run', 'all')")
    assert grants.seed(session, ctx) == 2
    assert value(session, "SELECT count(*) FROM grants WHERE role = 'driver' AND action = 'billing.run'") == 0
