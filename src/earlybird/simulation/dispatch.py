"""Before a shift: rounds are shown to who drives them, some get a substitute or a helper with a link, and set out."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from earlybird.simulation.model import DRIVER, LINK, SUBSTITUTE, Stop
from earlybird.simulation.stage import Driver, Stage
from earlybird.simulation.wire import Person

PIN = "4711"


@dataclass(frozen=True)
class Hand:
    """Somebody with a phone at the door: who they are, how much their word counts, in whose bag their cash goes."""

    name: str
    person: Person
    authority: int
    driver: Driver | None = None


@dataclass
class Round:
    """A round of a shift as its driver was shown it; `stops` stand in the order of their keys."""

    id: UUID
    driver: Driver
    stops: list[Stop]
    substitute: Driver | None = None
    helper: Hand | None = None
    link_id: UUID | None = None
    hands: list[Hand] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What it is known by, whatever its id: its first stop."""
        return self.stops[0].key


@dataclass(frozen=True)
class _Names:
    """What the reference calls what the product shows: orders of one time, a household's stop, articles."""

    extras: dict[str, str]
    homes: dict[str, str]
    goods: dict[str, str]

    def key(self, row: dict[str, Any]) -> str:
        """Return the key of the stop that a row shows."""
        key = self.extras.get(row["order_id"]) or self.homes.get(row["customer_id"], "nobody's")
        return key + (f"#{row['attempt']}" if row["attempt"] > 1 else "")


def fetch(stage: Stage, day: date, shift: str) -> list[Round]:
    """Let everybody fetch their rounds; each stop of the plan must stand in exactly one, and on its driver's list."""
    planned = {s.key: s for s in stage.book.stops.values() if (s.day, s.shift) == (day, shift) and not s.is_cancelled}
    path = f"/api/rounds?service_on={day}&shift={shift}&limit=200"
    rows = [row for row in stage.wire.see(stage.admin, path)["items"] if row["state"] != "cancelled"]
    drivers = {str(driver.id): driver for driver in stage.drivers}
    names = _Names(
        {str(extra.id): extra.key for extra in stage.book.extras.values()},
        {str(home.id): f"{day}/{shift}/{home.key}" for home in stage.book.homes.values()},
        {str(article.id): name for name, article in stage.book.articles.items()},
    )
    seen: set[str] = set()
    found = []
    for row in rows:
        driver = drivers.get(row["driver_id"])
        if driver is None:
            stage.wire.surprises.append(f"nobody drives the round {row['name']} of {day}, {shift}")
            continue
        shown = stage.wire.see(driver.person, f"/api/rounds/{row['id']}")
        stops = []
        for one in shown["in_order"]:
            stop = planned.get(key := names.key(one))
            if stop is None or key in seen:
                stage.wire.surprises.append(f"{driver.name} got a stop nobody expects, or twice: {key}")
                continue
            seen.add(key)
            stop.id, stop.order_id, stop.driver = UUID(one["delivery_id"]), UUID(one["order_id"]), driver.name
            stop.line_ids = {names.goods[line["product_id"]]: UUID(line["order_line_id"]) for line in one["lines"]}
            stops.append(stop)
        if stops:
            found.append(Round(UUID(row["id"]), driver, sorted(stops, key=lambda stop: stop.key)))
    for key in sorted(planned.keys() - seen):
        stage.wire.surprises.append(f"no round has the stop {key}")
    stage.tally["stops"] += len(seen)
    stage.tally["orders"] += sum(stop.attempt == 1 for stop in planned.values())
    return sorted(found, key=lambda one: one.key)


def prepare(stage: Stage, day: date, shift: str, rounds: list[Round]) -> None:
    """Give rounds to others where their driver is ill, to a substitute, to a helper beside; let them set out."""
    dice = stage.dice(day, f"{shift} dispatch")
    free = [driver for driver in stage.drivers if driver.area is None]
    for one in rounds:
        chance = dice.random()
        if chance < 0.05 and one.driver not in free:  # noqa: PLR2004
            _reassign(stage, dice, one, dice.choice(free))
        elif chance < 0.2 and one.driver not in free:  # noqa: PLR2004
            _substitute(stage, dice, one, dice.choice(free))
        elif chance < 0.4:  # noqa: PLR2004
            _share(stage, dice, one)
        main = one.substitute or one.driver
        authority = SUBSTITUTE if one.substitute else DRIVER
        one.hands.insert(0, Hand(main.name, main.person, authority, main))
        if dice.random() < 0.7:  # noqa: PLR2004
            stage.write(dice, main.person, "POST", f"/api/rounds/{one.id}/send-out")
            stage.decide("out", one.key)


def _reassign(stage: Stage, dice: random.Random, one: Round, other: Driver) -> None:
    body = {"driver_id": str(other.id)}
    if stage.write(dice, stage.admin, "POST", f"/api/rounds/{one.id}/reassign", body).is_right:
        one.driver = other
        for stop in one.stops:
            stop.driver = other.name
        stage.decide("reassigned", one.key, other.name)
        stage.tally["reassigned"] += 1


def _substitute(stage: Stage, dice: random.Random, one: Round, other: Driver) -> None:
    """Let another drive in the driver's place today; the driver may still tell, and their word counts more."""
    body = {"driver_id": str(other.id)}
    if stage.write(dice, stage.admin, "POST", f"/api/rounds/{one.id}/substitute", body).is_right:
        one.substitute = other
        one.hands.append(Hand(one.driver.name, one.driver.person, DRIVER, one.driver))
        stage.decide("substitute", one.key, other.name)
        stage.tally["substitutes"] += 1


def _share(stage: Stage, dice: random.Random, one: Round) -> None:
    """Send a link to a helper without a login; look at it as a preview would, and guess its PIN."""
    has_pin = dice.random() < 0.5  # noqa: PLR2004
    body = {"round_id": str(one.id), "max_uses": 1} | ({"pin": PIN} if has_pin else {})
    made = stage.wire.ask(stage.office, "POST", "/api/links", body)
    if not made.is_right:
        return
    token = made.facts["token"]
    stage.wire.ask(None, "GET", f"/l/{token}")
    if has_pin:
        stage.wire.ask(None, "POST", "/api/link/open", {"token": token, "pin": "0000"}, wants=(404,))
    n = stage.number("helper")
    person = Person(f"helper-{n}", "", "", device="Moto G5", link=token, pin=PIN if has_pin else None)
    one.helper, one.link_id = Hand(f"L{n}", person, LINK), UUID(made.facts["id"])
    shown = stage.wire.ask(person, "GET", "/api/link/round")
    if shown.is_right and len(shown.facts["stops"]) != len(one.stops):
        stage.wire.surprises.append(f"a link shows {len(shown.facts['stops'])} of {len(one.stops)} stops of {one.key}")
    stage.decide("link", one.key, has_pin)
    stage.tally["links"] += 1


def close(stage: Stage, day: date, shift: str, rounds: list[Round]) -> None:
    """Finish rounds; take links back, after which nothing can be told through them."""
    dice = stage.dice(day, f"{shift} closing")
    for one in rounds:
        if dice.random() < 0.6:  # noqa: PLR2004
            stage.write(dice, one.hands[0].person, "POST", f"/api/rounds/{one.id}/finish")
        if one.helper and dice.random() < 0.5:  # noqa: PLR2004
            path = f"/api/links/{one.link_id}/revoke"
            stage.write(dice, stage.office, "POST", path, {"reason": "the round is over"})
            stop = one.stops[0]
            told = {"client_id": f"late-{one.key}", "outcome": "not_delivered", "order_id": str(stop.order_id),
                    "device_at": stage.clock.now.isoformat()}  # fmt: skip
            where, way_in = f"/api/deliveries/{stop.id}/confirm", one.helper.person.access
            stage.wire.ask(None, "POST", where, told, bearer=way_in, wants=(401,))
            stage.wire.ask(None, "POST", "/api/link/open", {"token": one.helper.person.link}, wants=(404,))
            stage.tally["refused"] += 1
