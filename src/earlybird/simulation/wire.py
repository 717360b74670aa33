"""The real doors: requests to the application in this process, by people who really signed in."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import httpx

from earlybird.simulation.clockwork import Clock
from earlybird.simulation.crashes import Crashes

TOKEN_LIFE = timedelta(minutes=9)
LINK_LIFE = timedelta(minutes=29)
AGAIN = 503
TRIES = 4


@dataclass
class Person:
    """Somebody with a login, or with a shared link; `device` is what the phone calls itself."""

    name: str
    email: str
    password: str
    device: str = "Redmi 9A"
    first_password: str | None = None
    access: str | None = None
    refresh: str | None = None
    until: datetime | None = None
    link: str | None = None
    pin: str | None = None
    device_key: str | None = None
    taps: Counter[str] = field(default_factory=Counter)

    def tap(self, phone: str) -> int:
        """Return the next number of one of their phones."""
        self.taps[phone] += 1
        return self.taps[phone]


@dataclass(frozen=True)
class Asked:
    """One request: by whom, what, under which idempotency key, and which answers are right."""

    by: Person | None
    method: str
    path: str
    body: Any = None
    key: str | None = None
    wants: tuple[int, ...] = (200, 201, 202, 204)
    is_file: bool = False
    bearer: str | None = None


@dataclass(frozen=True)
class Answer:
    """What came back, and whether that was right."""

    status: int
    facts: Any
    is_right: bool


class Unanswered(Exception):
    """A door that shows something did not: the play cannot go on."""


@dataclass
class Wire:
    """Sends requests, signs people in when their token has run out, sends again what got no answer."""

    app: Any
    clock: Clock
    crashes: Crashes
    surprises: list[str] = field(default_factory=list)
    sent: int = 0
    resent: int = 0

    def __enter__(self) -> Self:
        """Open the connection to the application."""
        self._loop = asyncio.new_event_loop()
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=("203.0.113.7", 40000))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://earlybird.test")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._loop.run_until_complete(self._client.aclose())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def ask(self, by: Person | None, method: str, path: str, body: Any = None, **facts: Any) -> Answer:
        """Send one request and return its answer."""
        return self.together([Asked(by, method, path, body, **facts)])[0]

    def see(self, by: Person, path: str) -> Any:
        """Return what a door shows to somebody; without it the play cannot go on."""
        found = self.ask(by, "GET", path)
        if not found.is_right:
            raise Unanswered(f"GET {path}: {found.status}")
        return found.facts

    def together(self, asked: Sequence[Asked]) -> list[Answer]:
        """Send requests at the same time; return the answers in the order of the requests."""
        return self._loop.run_until_complete(self._together(asked))

    async def _together(self, asked: Sequence[Asked]) -> list[Answer]:
        for person in {id(one.by): one.by for one in asked if one.by}.values():
            await self._sign_in(person)
        return list(await asyncio.gather(*(self._ask(one) for one in asked)))

    async def _ask(self, asked: Asked) -> Answer:
        headers = {"User-Agent": asked.by.device if asked.by else "Mozilla/5.0"}
        if asked.by or asked.bearer:
            headers["Authorization"] = f"Bearer {asked.bearer or (asked.by and asked.by.access)}"
        if asked.key:
            headers["Idempotency-Key"] = asked.key
        content = {"content": asked.body, "headers": headers} if asked.is_file else {"headers": headers}
        if asked.is_file:
            headers["Content-Type"] = "text/csv"
        elif asked.body is not None:
            content["json"] = asked.body
        for tries in range(TRIES):
            answer = await self._client.request(asked.method, asked.path, **content)
            self.sent += 1
            self.resent += tries > 0
            if answer.status_code != AGAIN:
                break
        is_json = "json" in answer.headers.get("content-type", "")
        is_right = answer.status_code in asked.wants
        if not is_right:
            who = asked.by.name if asked.by else "nobody"
            self.surprises.append(f"{asked.method} {asked.path} by {who}: {answer.status_code} {answer.text[:300]}")
        return Answer(answer.status_code, answer.json() if is_json and answer.content else None, is_right)

    async def _sign_in(self, person: Person) -> None:
        """See to it that somebody holds a token that is still good: by refreshing, else by their password."""
        if person.access and person.until and self.clock.now < person.until:
            return
        if person.link:
            await self._open_link(person)
            return
        if person.refresh:
            found = await self._ask(Asked(None, "POST", "/api/auth/refresh", {"refresh_token": person.refresh}))
        else:
            found = await self._log_in(person, person.first_password or person.password)
            if found.is_right and found.facts["must_change_password"]:
                change = {"password": person.password, "current_password": person.first_password}
                token = found.facts["access_token"]
                found = await self._ask(Asked(None, "POST", "/api/auth/password", change, bearer=token))
                person.first_password = None
        if found.is_right:
            person.access, person.refresh = found.facts["access_token"], found.facts["refresh_token"]
            person.until = self.clock.now + TOKEN_LIFE

    async def _open_link(self, person: Person) -> None:
        """Open a shared link: the first time with its PIN, later as a device that it knows."""
        body = {"token": person.link} | ({"pin": person.pin} if person.pin else {})
        body |= {"device_key": person.device_key} if person.device_key else {}
        found = await self._ask(Asked(None, "POST", "/api/link/open", body))
        if found.is_right:
            person.access, person.device_key = found.facts["access_token"], found.facts["device_key"]
            person.until = self.clock.now + LINK_LIFE

    async def _log_in(self, person: Person, password: str) -> Answer:
        return await self._ask(Asked(None, "POST", "/api/auth/login", {"email": person.email, "password": password}))
