"""A committed business with people of every role and the API before it, for tests of doors."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from fastapi.testclient import TestClient
from sqlalchemy import Engine

import make
from earlybird.deliveries.service import planning
from earlybird.identity.service import grants
from earlybird.infra import db
from earlybird.infra.security import Keys
from earlybird.kernel.ctx import Ctx
from earlybird.main import create_app
from earlybird.reconcile import service as reconcile
from make import entrance
from make.month import NOW

TOMORROW = date(2026, 1, 16)


@dataclass
class Town:
    """A dairy with two customers, two products and its API; `now` may be moved, as the API's clock follows it."""

    engine: Engine
    now: datetime = NOW
    keys: Keys = field(default_factory=Keys.random)
    tokens: dict[Any, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with db.transaction(self.engine) as session:
            grants.seed(session, entrance.CTX)
            name = f"Dairy {self.now.timestamp()} {db.value(session, 'SELECT new_id()')}"
            self.firm = make.business(session, name)
            self.milk = make.product(session, self.firm, "Milk", "60").id
            self.curd = make.product(session, self.firm, "Curd", "40.50").id
            self.meena = make.customer(session, self.firm, "Meena").id
            self.ravi = make.customer(session, self.firm, "Ravi").id
            self.logins = {who: entrance.person(session, "customer", customer_id=c) for who, c in self.people.items()}
            for who, customer_id in self.people.items():
                facts = {"c": customer_id, "u": self.logins[who]}
                db.run(session, "UPDATE users SET customer_id = :c WHERE id = :u", facts)
            self.driver_id = entrance.person(session, "driver", site_id=self.firm.site_id, name="Prakash")
            db.run(session, "UPDATE customers SET driver_id = :d WHERE id = :c", {"d": self.driver_id, "c": self.meena})
        self.app = create_app(self.engine, lambda: self.now, keys=self.keys)
        self.api = TestClient(self.app)

    @property
    def people(self) -> dict[str, UUID]:
        """The customers by name."""
        return {"meena": self.meena, "ravi": self.ravi}

    def ctx(self) -> Ctx:
        return entrance.CTX.at(self.now)

    def token(self, role: str) -> str:
        """A token of `admin`, `meena`, `ravi`, `driver` (who drives Meena's round), `substitute`, or any role."""
        if (role, self.now) not in self.tokens:
            with db.transaction(self.engine) as session:
                self.tokens[role, self.now] = self._token(session, role)
        return self.tokens[role, self.now]

    def _token(self, session: Any, role: str) -> str:
        who = (session, self.keys, self.now)
        if role in self.logins:
            return entrance.token_of(*who, self.logins[role])
        if role == "driver":
            return entrance.token_of(*who, self.driver_id, role="driver")
        if role == "substitute":
            return entrance.token(*who, "driver", site_id=self.firm.site_id)
        return entrance.token(*who, role, site_id=self.firm.site_id if role in ("merchant", "warehouse") else None)

    def ask(self, role: str | None, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if role:
            named["Authorization"] = f"Bearer {self.token(role)}"
        return self.api.request(method, path, json=body, headers=named)

    def wish(self, *quantities: str, **over: Any) -> dict[str, Any]:
        products = (self.milk, self.curd)
        lines = [
            {"product_id": str(p), "quantity": q} for p, q in zip(products, quantities or ("2", "1"), strict=False)
        ]
        return {"service_on": str(TOMORROW), "shift": "morning", "lines": lines} | over

    def place(self, role: str = "meena", *quantities: str, **over: Any) -> dict[str, Any]:
        answer = self.ask(role, "POST", "/api/orders", self.wish(*quantities, **over))
        assert answer.status_code == 201, answer.text
        return answer.json()

    def plan(self, day: date = TOMORROW) -> None:
        with db.transaction(self.engine) as session:
            planning.plan_day(session, self.ctx(), self.firm.site_id, day)

    def planned(self, role: str = "meena", *quantities: str) -> tuple[dict[str, Any], str]:
        """An order that the plan has given a stop; return it and the delivery's id."""
        order = self.place(role, *quantities)
        self.plan()
        shown = self.ask("admin", "GET", f"/api/orders/{order['id']}").json()
        return shown, shown["deliveries"][0]["id"]

    def rows(self, sql: str, **facts: Any) -> list[dict[str, Any]]:
        with db.rehearsal(self.engine) as session:
            return db.rows(session, sql, facts)

    def findings(self) -> list[tuple[str, Any]]:
        """What the proof's questions find about this town's customers."""
        with db.rehearsal(self.engine) as session:
            answers = reconcile.ask(session, self.ctx())
        mine: set[UUID] = {self.meena, self.ravi}
        return [(a.check.name, row["title"]) for a in answers for row in a.found if row["customer_id"] in mine]
