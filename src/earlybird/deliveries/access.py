"""The lock on routes that an opened shared link passes too: what it does is held to the link, not to a role."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from earlybird.deliveries.errors import LinkMayNot, LinkOver
from earlybird.deliveries.queries import links as queries
from earlybird.deliveries.service import links
from earlybird.deliveries.states import LinkAction
from earlybird.identity.access import Lock
from earlybird.infra.http import Caller
from earlybird.kernel.ctx import Ctx
from earlybird.kernel.errors import Failure, TooMany

PER_MINUTE = 300
"""How often one link may ask one process in a minute, on however many devices it is open."""


@dataclass(frozen=True, slots=True)
class LinkLock(Lock):
    """A lock that people open by their grants, and links by what they were made for."""

    allowed: LinkAction = LinkAction.see

    async def __call__(self, request: Request) -> Caller:
        """Say how this request is to be admitted; that a link is still good is asked anew each time."""
        access = _access(request)
        if access is None:
            return await Lock.__call__(self, request)

        def admit(session: Session, ctx: Ctx) -> Ctx:
            return self._let_link_in(request, ctx, queries.find_opened(session, ctx, access))

        return Caller(request, admit, access)

    def admit_all(self, session: Session, asked: Sequence[tuple[Caller, Ctx]]) -> list[Ctx | Failure]:
        """Admit many people and links, as they are admitted one by one."""
        accesses = {n: access for n, (caller, _) in enumerate(asked) if (access := _access(caller.request))}
        people = [n for n in range(len(asked)) if n not in accesses]
        answers: dict[int, Ctx | Failure] = {}
        if people:
            admitted = Lock.admit_all(self, session, [asked[n] for n in people])
            answers.update(zip(people, admitted, strict=True))
        if accesses:
            found = queries.find_all_opened(session, asked[0][1], list(accesses.values()))
            for n, link in zip(accesses, found, strict=True):
                caller, ctx = asked[n]
                try:
                    answers[n] = self._let_link_in(caller.request, ctx, link)
                except Failure as failure:
                    answers[n] = failure
        return [answers[n] for n in range(len(asked))]

    def _let_link_in(self, request: Request, ctx: Ctx, found: dict[str, Any] | None) -> Ctx:
        if found is None:
            raise LinkOver
        slow_down(request, found["id"])
        if self.allowed not in found["actions"]:
            raise LinkMayNot(action=str(self.allowed))
        return links.as_link(ctx, found["id"], found["name"], round_id=found["round_id"], order_id=found["order_id"])


def _access(request: Request) -> str | None:
    """Return the access token of an opened link that a request brings, None where it brings none."""
    access = request.headers.get("authorization", "").partition(" ")[2].strip()
    return access if access.startswith(links.MARK) else None


def slow_down(request: Request, link_id: UUID | None) -> None:
    """Count one request of a link; refuse it where there were too many."""
    wait = request.app.state.limiter.wait(f"link {link_id}", request, per_minute=PER_MINUTE)
    if wait:
        raise TooMany(retry_after=wait)


def allow_with_link(action: str, allowed: LinkAction) -> Any:
    """Return the dependency that admits who is granted `action`, and links that may do `allowed`."""
    return Depends(LinkLock(action, allowed))


def link_action_of(dependency: Callable[..., Any] | None) -> str | None:
    """Return what a link must be made for to pass, None where none passes."""
    return str(dependency.allowed) if isinstance(dependency, LinkLock) else None
