"""The lock on every route: `allow("slice.verb")` returns who acts, or refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from earlybird.identity import queries
from earlybird.identity.errors import NotGranted, SignInNeeded
from earlybird.identity.rules import COOKIE
from earlybird.infra import http
from earlybird.kernel.ctx import Actor, Ctx


@dataclass(frozen=True, slots=True)
class Lock:
    """What a route asks of whoever comes."""

    action: str

    def admit(self, session: Session, ctx: Ctx, cookie: str | None) -> Ctx:
        """Return the circumstances with the signed-in actor; refuse who is nobody or holds no grant."""
        found = queries.find_session(session, cookie, ctx.now) if cookie else None
        if found is None:
            raise SignInNeeded(action=self.action)
        grant = queries.find_grant(session, found["roles"], self.action)
        if grant is None:
            raise NotGranted(action=self.action)
        actor = Actor(
            kind="user",
            name=found["name"],
            role=grant["role"],
            id=found["id"],
            customer_id=found["customer_id"],
            site_id=found["site_id"],
        )
        return replace(ctx, actor=actor)

    async def __call__(self, request: Request) -> http.Caller:
        """Say how this request is to be admitted; the door does it inside its own transaction."""
        cookie = request.cookies.get(COOKIE)
        return http.Caller(request, lambda session, ctx: self.admit(session, ctx, cookie))


def allow(action: str) -> Any:
    """Return the dependency that admits only who is granted `action`."""
    return Depends(Lock(action))


def action_of(dependency: Callable[..., Any] | None) -> str | None:
    """Return the action a dependency asks for, None where it is no lock."""
    return dependency.action if isinstance(dependency, Lock) else None
