"""The gathering door: what goes through together ends as if one had come after the other; nobody spoils another's."""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Response
from httpx import ASGITransport, AsyncClient

import make
from conftest import SOAK
from earlybird.audit import service as audit
from earlybird.deliveries.states import LinkAction
from earlybird.identity.access import allow
from earlybird.identity.service import sessions
from earlybird.infra import db, http
from earlybird.infra.http import door, gathering
from earlybird.kernel.ctx import Ctx
from earlybird.main import create_app
from make import entrance
from make.doors import Town
from make.month import NOW
from make.served import served, until

ON = date(2026, 1, 15)
COUNT = 300 if SOAK else 90
SEED = 20260115


class Alone:
    """A door where nobody is gathered."""

    async def answer(self, *_: Any) -> Response | None:
        return None


@dataclass
class Street:
    """Planned stops of three drivers and of nobody, with people who may confirm them and who may not."""

    town: Town
    stops: list[Any] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        town = self.town
        with db.transaction(town.engine) as session:
            for name in ("Prakash", "Sita", "Gopal"):
                user_id = entrance.person(session, "driver", site_id=town.firm.site_id, name=name)
                self.tokens[name] = entrance.token_of(session, town.keys, NOW, user_id, role="driver")
                for _ in range(COUNT // 9):
                    self.stops.append((name, self._planned(session, user_id)))
            admin = entrance.person(session, "admin", name="Asha")
            self.tokens["Asha"] = entrance.token_of(session, town.keys, NOW, admin, role="admin")
            self.stops += [("Asha", self._planned(session, None)) for _ in range(COUNT // 9)]
            gone = entrance.person(session, "driver", site_id=town.firm.site_id, name="Ravi")
            self.tokens["Ravi"] = entrance.token_of(session, town.keys, NOW, gone, role="driver")
            self.stops += [("Ravi", self._planned(session, gone)) for _ in range(3)]
            ctx = town.ctx()
            sessions.end_all(session, ctx, gone, reason="left")
            self.tokens["Meena"] = entrance.token_of(session, town.keys, NOW, town.logins["meena"])
            self.stops.append(("Lata", self._planned(session, None)))
        self.tokens["Lata"] = self._link(self.stops[-1][1].order_id)
        self.tokens["nobody"] = "x.y.z"

    def _planned(self, session: Any, driver_id: UUID | None) -> make.planned.__class__:
        found: Any = make.planned(session, self.town.firm, self.town.meena, [self.town.milk, self.town.curd], on=ON)
        db.run(
            session, "UPDATE deliveries SET driver_id = :d WHERE id = :id", {"d": driver_id, "id": found.delivery_id}
        )
        return found

    def _link(self, order_id: UUID) -> str:
        """The access token of a link that is open for one order."""
        facts = {"order_id": str(order_id), "name": "Lata", "actions": list(LinkAction)}
        made = self.town.ask("admin", "POST", "/api/links", facts).json()
        return str(self.town.ask(None, "POST", "/api/link/open", {"token": made["token"]}).json()["access_token"])

    def request(self, n: int, who: str, stop: Any, client_id: str, **over: Any) -> dict[str, Any]:
        """One confirmation as its client sends it, under a trace of its own."""
        key = over.pop("key", None)
        said = {"client_id": f"{client_id}@{self.mark}", "device_at": "2026-01-15T06:30:00+05:30"} | over
        headers = {
            "Authorization": f"Bearer {self.tokens[who]}",
            "User-Agent": f"phone of {who}",
            "traceparent": f"00-{n + 1:032x}-00f067aa0ba902b7-01",
        }
        return {
            "method": "POST",
            "url": f"/api/deliveries/{stop.delivery_id}/confirm",
            "json": said,
            "headers": headers | ({"Idempotency-Key": key} if key else {}),
        }

    @property
    def mark(self) -> str:
        return str(self.town.firm.id)

    def plain(self, text: str) -> str:
        """A text in which what belongs to this street alone is called by its place."""
        for n, (_, stop) in enumerate(self.stops):
            for word, key in (("delivery", stop.delivery_id), ("order", stop.order_id)):
                text = text.replace(str(key), f"{word} {n}")
            for m, (line, own) in enumerate(zip(stop.line_ids, stop.delivery_line_ids, strict=True)):
                text = text.replace(str(line), f"line {n}.{m}").replace(str(own), f"line {n}.{m}")
        return re.sub(r"[0-9a-f]{64}|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}", "…", text.replace(self.mark, "here"))

    def left(self) -> dict[str, Any]:
        """All that stands in the tables of these stops, ids and order of arrival apart."""
        ids = {
            "d": [s.delivery_id for _, s in self.stops],
            "o": [s.order_id for _, s in self.stops],
            "m": f"%@{self.mark}%",
        }
        found = {}
        for name, sql in {
            "deliveries": "SELECT id, state, CASE WHEN state <> 'planned' THEN state_at END FROM deliveries WHERE id = ANY(:d)",
            "orders": "SELECT id, state, CASE WHEN state <> 'planned' THEN state_at END FROM orders WHERE id = ANY(:o)",
            "lines": "SELECT id, delivered_quantity FROM delivery_lines WHERE delivery_id = ANY(:d)",
            "events": "SELECT client_id, delivery_id, kind, device, device_at, received_at, actor_kind, actor_name, "
            "authority, via, address, reason, told - 'digest' FROM delivery_events WHERE delivery_id = ANY(:d)",
            "changes": "SELECT delivery_line_id, revision, delta_quantity, l.reason FROM delivery_event_lines l "
            "JOIN delivery_events e ON e.id = l.event_id WHERE e.delivery_id = ANY(:d)",
            "refused": "SELECT client_id, field, rule, resolved_at FROM delivery_rejections WHERE client_id LIKE :m",
            "findings": "SELECT check_name, title, state, facts FROM findings WHERE facts ->> 'delivery_id' = "
            "ANY(SELECT unnest(:d)::text) OR facts ->> 'device' LIKE :m",
            "devices": "SELECT device, seen FROM device_sequences WHERE device LIKE :m",
            "audit": "SELECT at, actor_kind, actor_name, role, via, address, device, trace_id, action, entity, entity_id, "
            "before, after, reason, row_count FROM audit_entries WHERE entity_id = ANY(:d) OR entity_id = ANY(:o) "
            "OR entity_id IN (SELECT id FROM delivery_events WHERE delivery_id = ANY(:d))",
            "kept": "SELECT key, status, headers ->> 'content-type', convert_from(body, 'UTF8') FROM kept_answers "
            "WHERE key LIKE :m",
            "to charge": "SELECT count(*) FROM uncharged_lines u JOIN delivery_event_lines l ON l.id = u.event_line_id "
            "JOIN delivery_events e ON e.id = l.event_id WHERE e.delivery_id = ANY(:d)",
        }.items():
            rows = [[str(value) for value in row.values()] for row in self.town.rows(sql, **ids)]
            found[name] = sorted(self.plain(json.dumps(row)) for row in rows)
        return found


def wishes(street: Street, chance: random.Random) -> list[dict[str, Any]]:
    """Good, bad, foreign, repeated, revoked, with and without a key: the same for every street."""
    found: list[dict[str, Any]] = []

    def add(who: str, stop: Any, client_id: str, **over: Any) -> None:
        found.append(street.request(len(found), who, stop, client_id, **over))

    for place, (who, stop) in enumerate(street.stops):
        key = f"key {place}@{street.mark}".replace(" ", "-") if chance.random() < 0.4 else None
        kind = chance.choice(["all", "all", "none", "some", "cash", "crates"])
        over: dict[str, Any] = {"outcome": "not_delivered" if kind == "none" else "delivered"}
        if kind == "some":
            over = {"lines": [{"line": 1, "quantity": str(chance.choice(["0", "0.5", "1.5"])), "reason": "leaked"}]}
        elif kind == "cash":
            over |= {"cash": {"amount_minor": 100 * place, "currency": "INR"}, "note": "paid"}
        elif kind == "crates":
            over |= {"empties": [{"container": "crate", "quantity": 2}], "device_id": f"{who}@{street.mark}"}
            over["device_seq"] = place
        before = chance.random()
        if before < 0.2:
            add(who, stop, f"tap {place}", **(over | {"outcome": "delivered", "lines": None}),
                device_at="2026-01-11T06:30:00+05:30", key=key)  # fmt: skip
        elif before < 0.4:
            add(who, stop, f"wrong {place}", lines=[{"line": 1, "quantity": "9"}], key=key and key + "w")
        elif before < 0.5:
            add(who, stop, f"wrong {place}", outcome="delivered", lines=[{"line": 1, "quantity": "1"}], key=key)
        add(who, stop, f"tap {place}", **over, key=key and key + "g")
        if chance.random() < 0.4:
            add(who, stop, f"tap {place}", **over, key=key and key + "g")
        if chance.random() < 0.2:
            add(who, stop, f"tap {place}", outcome="delivered", note="another", key=key and key + "g")
        if chance.random() < 0.2:
            add(who, stop, f"later {place}", outcome="delivered", device_at="2026-01-15T07:00:00+05:30")
        if chance.random() < 0.5:
            add(chance.choice(["Sita", "Meena", "nobody", "Ravi", "Lata"]) if who == "Prakash" else "Meena",
                stop, f"foreign {place}", outcome="delivered", key=key and key + "f")  # fmt: skip
    return found


def app_of(town: Town, gatherer: Any = None) -> FastAPI:
    app = create_app(town.engine, lambda: town.now, keys=town.keys)
    if gatherer is not None:
        app.state.gatherer = gatherer
    return app  # type: ignore[no-any-return]


def at_once(app: FastAPI, requests: Sequence[dict[str, Any]]) -> list[httpx.Response]:
    async def send() -> list[httpx.Response]:
        async with client(app) as api:
            return list(await asyncio.gather(*(api.request(**request) for request in requests)))

    return asyncio.run(send())


def client(app: FastAPI) -> AsyncClient:
    transport = ASGITransport(app=app, raise_app_exceptions=False, client=("10.1.2.3", 4711))
    return AsyncClient(transport=transport, base_url="http://dairy", timeout=60)


def one_by_one(app: FastAPI, requests: Sequence[dict[str, Any]]) -> list[httpx.Response]:
    async def send() -> list[httpx.Response]:
        async with client(app) as api:
            return [await api.request(**request) for request in requests]

    return asyncio.run(send())


def test_together_is_as_one_after_the_other(town: Town) -> None:
    alone, beside = Street(Town(town.engine)), Street(town)
    expected = one_by_one(app_of(alone.town, Alone()), wishes(alone, random.Random(SEED)))
    found = at_once(app_of(town), wishes(beside, random.Random(SEED)))
    kinds: Counter[Any] = Counter()
    for n, (want, have) in enumerate(zip(expected, found, strict=True)):
        replayed = "idempotent-replayed"
        texts = [alone.plain(want.text), beside.plain(have.text)]
        assert texts[0] == texts[1], n
        assert (want.status_code, want.headers.get(replayed)) == (have.status_code, have.headers.get(replayed)), n
        assert ("etag" in want.headers) == ("etag" in have.headers), n
        body = have.json()
        kinds[have.status_code, body.get("answer") or body["type"].rpartition(":")[2], replayed in have.headers] += 1
    left, wanted = beside.left(), alone.left()
    for table, rows in wanted.items():
        assert left[table] == rows, table
        assert rows, table
    assert len(kinds) > 10, kinds
    batches = town.rows(
        "SELECT count(*) AS events, count(DISTINCT xmin::text) AS batches FROM delivery_events "
        "WHERE delivery_id = ANY(:d)", d=[stop.delivery_id for _, stop in beside.stops],
    )[0]  # fmt: skip
    assert batches["batches"] * 5 < batches["events"]
    who = {json.loads(row)[2] for row in left["audit"]}
    assert {"Prakash", "Sita", "Gopal", "Asha", "Lata"} <= who


def test_who_must_wait_for_a_locked_order_waits_alone(town: Town) -> None:
    street = Street(town)
    mine = [stop for who, stop in street.stops if who == "Prakash"]
    requests = [street.request(n, "Prakash", stop, f"t{n}", outcome="delivered") for n, stop in enumerate(mine)]

    async def send() -> list[int]:
        async with client(app_of(town)) as api:
            with town.engine.connect() as other:
                other.exec_driver_sql("SELECT 1 FROM orders WHERE id = %s FOR UPDATE", (mine[3].order_id,))
                waiting = [asyncio.create_task(api.request(**request)) for request in requests]
                await asyncio.gather(*(one for n, one in enumerate(waiting) if n != 3))
                assert not waiting[3].done()
                other.rollback()
            return [(await one).status_code for one in waiting]

    assert asyncio.run(send()) == [200] * len(mine)


@dataclass
class Bell:
    """A door of the test's own: it takes a batch, tells who is in it, and waits to be let go on."""

    town: Town
    is_waiting: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    batches: list[list[str]] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)

    def app(self) -> FastAPI:
        router = APIRouter()

        def together(session: db.Session, asked: Sequence[http.Asked]) -> list[Any]:
            self.batches.append([one.facts["word"] for one in asked])
            self.is_waiting.set()
            assert self.go.wait(60)
            return [tell(session, one.ctx, word=one.facts["word"]) for one in asked]

        def tell(session: db.Session, ctx: Ctx, *, word: str) -> dict[str, str]:
            audit.record(session, ctx, "test.tell", "word", after={"word": word})
            if word == "poison":
                raise RuntimeError(word)
            return {"word": word}

        @router.post("/api/test/{word}")
        @door(allow("deliveries.confirm"), together=together)
        def say(session: db.Session, ctx: Ctx, *, word: str) -> dict[str, Any]:
            """Say a word."""
            self.alone.append(word)
            return tell(session, ctx, word=word)

        app = app_of(self.town)
        app.include_router(router)
        return app

    def run(self, talk: Any) -> Any:
        async def all_of_it() -> Any:
            async with client(self.app()) as api:

                async def first() -> asyncio.Task[httpx.Response]:
                    task = say(api, self.town.token("admin"), "first")
                    assert await asyncio.to_thread(self.is_waiting.wait, 60)
                    return task

                try:
                    return await talk(api, first)
                finally:
                    self.go.set()

        return asyncio.run(all_of_it())

    def told(self) -> list[str]:
        rows = self.town.rows(
            "SELECT after ->> 'word' AS word FROM audit_entries WHERE action = 'test.tell' AND at = :at ORDER BY id",
            at=self.town.now,
        )
        return [row["word"] for row in rows]


@pytest.fixture
def bell(town: Town) -> Bell:
    """A door at an instant no other test has."""
    with db.rehearsal(town.engine) as session:
        town.now = NOW + timedelta(seconds=1 + db.value(session, "SELECT count(*) FROM audit_entries"))
    return Bell(town)


def say(api: AsyncClient, token: str, word: str) -> asyncio.Task[httpx.Response]:
    request: Coroutine[Any, Any, httpx.Response] = api.post(
        f"/api/test/{word}", headers={"Authorization": f"Bearer {token}"}
    )
    return asyncio.create_task(request)


async def settled() -> None:
    """Let every request that was sent reach its queue."""
    for _ in range(50):
        await asyncio.sleep(0)


def test_a_session_that_ends_while_its_request_waits_is_refused(town: Town, bell: Bell) -> None:
    async def talk(api: AsyncClient, first: Any) -> list[int]:
        begun = await first()
        tasks = [say(api, town.token(who), who) for who in ("driver", "substitute")]
        await settled()
        with db.transaction(town.engine) as session:
            sessions.end_all(session, town.ctx(), town.driver_id, reason="left")
        bell.go.set()
        return [(await task).status_code for task in (begun, *tasks)]

    assert bell.run(talk) == [200, 401, 200]
    assert bell.batches == [["first"], ["substitute"]]
    assert bell.told() == ["first", "substitute"]


def test_one_that_breaks_breaks_alone(town: Town, bell: Bell) -> None:
    async def talk(api: AsyncClient, first: Any) -> list[int]:
        begun = await first()
        tasks = [say(api, town.token("admin"), word) for word in ("a", "poison", "b")]
        await settled()
        bell.go.set()
        return [(await task).status_code for task in (begun, *tasks)]

    assert bell.run(talk) == [200, 200, 500, 200]
    assert bell.batches == [["first"], ["a", "poison", "b"]]
    assert sorted(bell.alone) == ["a", "b", "poison"]
    assert sorted(bell.told()) == ["a", "b", "first"]


def test_who_goes_away_before_their_turn_leaves_nothing_and_later_changes_nothing(town: Town, bell: Bell) -> None:
    async def talk(api: AsyncClient, first: Any) -> int:
        begun = await first()
        tasks = [say(api, town.token("admin"), word) for word in ("stays", "goes")]
        await settled()
        for gone in (tasks[1], begun):
            gone.cancel()
        await asyncio.gather(tasks[1], begun, return_exceptions=True)
        bell.go.set()
        return (await tasks[0]).status_code

    assert bell.run(talk) == 200
    assert bell.batches == [["first"], ["stays"]]
    assert bell.told() == ["first", "stays"]


def test_many_of_one_caller_keep_nobody_else_waiting(town: Town, bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST", 5)

    async def talk(api: AsyncClient, first: Any) -> list[int]:
        begun = await first()
        tasks = [say(api, town.token("admin"), f"many{n}") for n in range(12)]
        await settled()
        tasks += [say(api, town.token(who), who) for who in ("driver", "substitute")]
        await settled()
        bell.go.set()
        return [(await task).status_code for task in (begun, *tasks)]

    assert bell.run(talk) == [200] * 15
    assert bell.batches[1] == ["many0", "driver", "substitute", "many1", "many2"]
    assert [len(batch) for batch in bell.batches] == [1, 5, 5, 4]


def test_when_too_many_wait_who_comes_is_told_to_come_again(
    town: Town, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "LONGEST", 3)

    async def talk(api: AsyncClient, first: Any) -> list[tuple[int, str | None]]:
        begun = await first()
        tasks = [say(api, town.token("admin"), f"w{n}") for n in range(5)]
        await settled()
        bell.go.set()
        return [(found.status_code, found.headers.get("retry-after")) for found in await asyncio.gather(begun, *tasks)]

    assert bell.run(talk) == [(200, None)] * 4 + [(503, "1")] * 2
    assert bell.told() == ["first", "w0", "w1", "w2"]


def test_killed_between_commit_and_answer_the_retry_has_one_effect(town: Town, tmp_path: Any) -> None:
    street = Street(town)
    mine = [stop for who, stop in street.stops if who == "Prakash"]
    requests = [
        street.request(n, "Prakash", stop, f"t{n}", outcome="delivered", key=f"k{n}" if n % 2 else None)
        for n, stop in enumerate(mine)
    ]
    told = "SELECT client_id FROM delivery_events WHERE delivery_id = ANY(:d)"
    ids = [stop.delivery_id for stop in mine]
    with served(town, tmp_path) as (server, port):

        async def send() -> None:
            async with AsyncClient(base_url=f"http://127.0.0.1:{port}") as api:
                sent = [asyncio.create_task(api.request(**request)) for request in requests]
                await asyncio.to_thread(until, lambda: town.rows(told, d=ids))
                server.kill()
                server.wait()
                await asyncio.gather(*sent, return_exceptions=True)

        asyncio.run(send())
    url = {"d": ids}
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'earlybird' "
        "AND state = 'active' AND pid <> pg_backend_pid()"
    )
    until(lambda: not town.rows(waiting))
    before = {row["client_id"] for row in town.rows(told, **url)}
    found = at_once(app_of(town), requests)
    for request, answer in zip(requests, found, strict=True):
        was_there = request["json"]["client_id"] in before
        has_key = "Idempotency-Key" in request["headers"]
        expected = "repeated" if was_there and not has_key else "accepted"
        assert (answer.status_code, answer.json()["answer"]) == (200, expected)
        assert ("idempotent-replayed" in answer.headers) == (was_there and has_key)
    assert sorted(row["client_id"] for row in town.rows(told, **url)) == sorted(
        r["json"]["client_id"] for r in requests
    )
    lines = town.rows("SELECT ordered_quantity = delivered_quantity AS is_all FROM delivery_lines "
                      "WHERE delivery_id = ANY(:d)", **url)  # fmt: skip
    assert {row["is_all"] for row in lines} == {True}
