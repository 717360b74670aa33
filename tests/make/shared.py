"""A round of a town, a link that opens it, and whoever holds that link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from earlybird.infra import db
from earlybird.kernel import ids
from make.town import TOMORROW, Town

ROUND = """
INSERT INTO rounds (id, site_id, service_on, shift, name, driver_id, is_cut)
VALUES (:id, :site, :day, 'morning', :name, :driver, false)"""
STOPS = """
INSERT INTO round_stops (delivery_id, round_id, position)
SELECT CAST(d AS uuid), :id, n FROM unnest(CAST(:stops AS text[])) WITH ORDINALITY AS s (d, n)"""


def round_of(town: Town, stops: Sequence[str], *, day: date = TOMORROW, name: str = "North") -> UUID:
    """A morning round over these stops."""
    key = ids.new_id()
    facts = {"id": key, "site": town.firm.site_id, "day": day, "name": name, "driver": town.driver_id}
    with db.transaction(town.engine) as session:
        db.run(session, ROUND, facts | {"stops": list(stops)})
        db.run(session, STOPS, {"id": key, "stops": list(stops)})
    return key


@dataclass
class Helper:
    """Somebody without a login who holds a link: `token` is in its address, `access` what opening it gave."""

    town: Town
    link_id: str
    token: str
    access: str = ""
    device_key: str = ""

    def open(self, **over: Any) -> Any:
        """Open the link, and go on with what that gave."""
        answer = self.town.api.post("/api/link/open", json={"token": self.token, **over})
        if answer.status_code == 200:
            self.access, self.device_key = answer.json()["access_token"], answer.json()["device_key"]
        return answer

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return self.town.api.request(method, path, json=body, headers={"Authorization": f"Bearer {self.access}"})


def shared(town: Town, *, is_open: bool = True, **facts: Any) -> Helper:
    """A link that an admin makes."""
    named = {name: str(fact) if isinstance(fact, UUID | date) else fact for name, fact in facts.items()}
    made = town.ask("admin", "POST", "/api/links", named)
    assert made.status_code == 201, made.text
    helper = Helper(town, made.json()["id"], made.json()["token"])
    if is_open:
        assert helper.open().status_code == 200
    return helper
