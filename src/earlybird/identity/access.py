"""The lock on every route: `allow("slice.verb")` returns who acts, or refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from earlybird.identity import queries, tokens
from earlybird.identity.errors import NotGranted, PasswordChangeNeeded, SecondFactorRequired, SignInNeeded, TokenRefused
from earlybird.identity.rules import COOKIE, KEY_MARK, UNPROVEN, UNREPENTANT, Scope
from earlybird.infra import http
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Actor, Ctx, Reach
from earlybird.kernel.errors import Failure

WIDEST = {scope: place for place, scope in enumerate(Scope)}
BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class Lock:
    """What a route asks of whoever comes."""

    action: str

    def admit(
        self, session: Session, ctx: Ctx, *, keys: Keys, authorization: str | None = None, cookie: str | None = None
    ) -> Ctx:
        """Return the circumstances with the actor and their reach; refuse who is nobody or holds no grant.

        An Authorization header, where there is one, is all that counts; a cookie beside it is not looked at.
        """
        credential = self._credential(ctx, keys, authorization, cookie)
        found = queries.find_behind(session, [credential], self.action, ctx.now)[0]
        return self._let_in(ctx, credential, found)

    def admit_all(self, session: Session, asked: Sequence[tuple[http.Caller, Ctx]]) -> list[Ctx | Failure]:
        """Admit many, as `admit` does each, by what holds at this moment; refusals are in their places.

        All are asked about at the first one's `now`.
        """
        answers: list[Ctx | Failure] = []
        known: dict[int, queries.Credential] = {}
        for n, (caller, ctx) in enumerate(asked):
            try:
                known[n] = self._credential(ctx, caller.request.app.state.keys, *_presented(caller.request))
            except Failure as failure:
                answers.append(failure)
            else:
                answers.append(ctx)
        found = queries.find_behind(session, list(known.values()), self.action, asked[0][1].now)
        for (n, credential), who in zip(known.items(), found, strict=True):
            try:
                answers[n] = self._let_in(asked[n][1], credential, who)
            except Failure as failure:
                answers[n] = failure
        return answers

    def _credential(self, ctx: Ctx, keys: Keys, authorization: str | None, cookie: str | None) -> queries.Credential:
        """Return what somebody comes with; refuse what cannot be any good."""
        if authorization is None:
            if not cookie:
                raise SignInNeeded(action=self.action)
            return queries.Credential("cookie", cookie)
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != BEARER or not token:
            raise TokenRefused(action=self.action)
        if token.startswith(KEY_MARK):
            return queries.Credential("key", token)
        claims = tokens.read(keys, token, ctx.now)
        return queries.Credential("session", str(claims.session_id), claims.user_id)

    def _let_in(self, ctx: Ctx, credential: queries.Credential, found: dict[str, Any] | None) -> Ctx:
        if found is None:
            raise (SignInNeeded if credential.kind == "cookie" else TokenRefused)(action=self.action)
        if found["must_change_password"] and self.action not in UNREPENTANT:
            raise PasswordChangeNeeded(action=self.action)
        if found["must_add_factor"] and self.action not in UNPROVEN:
            raise SecondFactorRequired(action=self.action)
        reaches = tuple(
            Reach(role["role"], role["scope"], _key(role["site_id"]), _key(role["customer_id"]))
            for role in found["roles"]
            if role["scope"] is not None
        )
        if not reaches:
            raise NotGranted(action=self.action)
        widest = min(reaches, key=lambda reach: WIDEST[Scope(reach.scope)])
        actor = Actor(
            kind="key" if found["kind"] == "key" else "user",
            name=found["name"],
            role=widest.role,
            id=found["id"],
            customer_id=found["customer_id"],
            site_id=widest.site_id,
            session_id=found["session_id"],
            reaches=reaches,
        )
        return replace(ctx, actor=actor)

    async def __call__(self, request: Request) -> http.Caller:
        """Say how this request is to be admitted; the door does it inside its own transaction."""
        authorization, cookie = _presented(request)
        keys: Keys = request.app.state.keys

        def admit(session: Session, ctx: Ctx) -> Ctx:
            return self.admit(session, ctx, keys=keys, authorization=authorization, cookie=cookie)

        return http.Caller(request, admit, authorization or cookie)


def _presented(request: Request) -> tuple[str | None, str | None]:
    """Return the Authorization header and the session's cookie of a request."""
    return request.headers.get("authorization"), request.cookies.get(COOKIE)


def _key(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def allow(action: str) -> Any:
    """Return the dependency that admits only who is granted `action`."""
    return Depends(Lock(action))


def action_of(dependency: Callable[..., Any] | None) -> str | None:
    """Return the action a dependency asks for, None where it is no lock."""
    return dependency.action if isinstance(dependency, Lock) else None
