"""What happens at the doors: rounds fetched, taps with and without signal, wrong taps, second phones, corrections."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from earlybird.simulation.clockwork import at
from earlybird.simulation.model import DRIVER, STAFF, Line, Stop, Tell, paise
from earlybird.simulation.stage import CRASH_SHARE, DEEPEST, Driver, Outbox, Stage, Told
from earlybird.simulation.wire import Asked, Person

DAY = timedelta(days=1)
HOURS = {"morning": (5, 0), "evening": (17, 0)}
BATCHES = 3
OFFLINE = 0.25
"""How many rounds are driven without signal."""

CHANCES = {"delivered": 885, "partial": 40, "absent": 30, "refused": 15, "forgotten": 30}
REASONS = {"absent": "customer_absent", "refused": "refused", "partial": "damaged"}


def fetch(stage: Stage, day: date, shift: str) -> dict[str, list[Stop]]:
    """Let every driver fetch their round; each stop of the plan must stand on exactly one list."""
    planned = {s.key: s for s in stage.book.stops.values() if (s.day, s.shift) == (day, shift) and not s.is_cancelled}
    extras = {str(extra.id): extra.key for extra in stage.book.extras.values()}
    homes = {str(home.id): home.key for home in stage.book.homes.values()}
    rounds: dict[str, list[Stop]] = {}
    seen: set[str] = set()
    for driver in stage.drivers:
        rounds[driver.name] = []
        for row in _list(stage, driver, day, shift):
            key = extras.get(row["order_id"]) or f"{day}/{shift}/{homes.get(row['customer_id'])}"
            key += f"#{row['attempt']}" if row["attempt"] > 1 else ""
            stop = planned.get(key)
            if stop is None or key in seen:
                stage.wire.surprises.append(f"{driver.name} got a stop nobody expects, or twice: {key}")
                continue
            seen.add(key)
            stop.id, stop.order_id, stop.driver = UUID(row["id"]), UUID(row["order_id"]), driver.name
            names = {str(article.id): name for name, article in stage.book.articles.items()}
            stop.line_ids = {names[line["product_id"]]: UUID(line["order_line_id"]) for line in row["lines"]}
            rounds[driver.name].append(stop)
        rounds[driver.name].sort(key=lambda stop: stop.key)
    for key in sorted(planned.keys() - seen):
        stage.wire.surprises.append(f"no driver got the stop {key}")
    stage.tally["stops"] += len(seen)
    stage.tally["orders"] += sum(stop.attempt == 1 for stop in planned.values())
    return rounds


def _list(stage: Stage, driver: Driver, day: date, shift: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        path = f"/api/deliveries?planned_on={day}&shift={shift}&limit=200{cursor}"
        page = stage.wire.ask(driver.person, "GET", path).facts
        found.extend(row for row in page["items"] if row["state"] != "cancelled")
        if not page["next"]:
            return found
        cursor = f"&cursor={page['next']}"


def drive(stage: Stage, day: date, shift: str, rounds: dict[str, list[Stop]]) -> None:
    """Drive all rounds of a shift: batches from the phones with signal, outboxes on those without."""
    sent: list[list[tuple[Person, list[Told]]]] = [[] for _ in range(BATCHES)]
    hour, minute = HOURS[shift]
    for driver in stage.drivers:
        dice = stage.dice(day, f"{shift} {driver.name}")
        taps = _taps(stage, dice, driver, day, shift, rounds[driver.name])
        if not taps:
            continue
        if dice.random() < OFFLINE:
            due = at(day, 15 if shift == "morning" else 21, 30) if dice.random() < 0.7 else at(day + DAY, 9, 30)  # noqa: PLR2004
            stage.outboxes.append(Outbox(due, driver.person, taps))
            stage.decide("offline", driver.name, shift, len(taps))
            continue
        for part in range(BATCHES):
            until = at(day, hour, minute) + timedelta(minutes=50 * (part + 1))
            since = until - timedelta(minutes=50) if part else at(day, 0)
            now = [
                told
                for told in taps
                if since <= _told_at(told) < until or (part == BATCHES - 1 and _told_at(told) >= until)
            ]
            sent[part].append((driver.person, now))
    for part, batches in enumerate(sent):
        stage.clock.now = at(day, hour, minute) + timedelta(minutes=50 * (part + 1) + 5)
        _send(stage, stage.dice(day, f"{shift} sending {part}"), [batch for batch in batches if batch[1]], "online")
    _try_wrongly(stage, day, rounds)


def upload(stage: Stage, day: date) -> None:
    """Send the outboxes whose phones have signal again: shuffled, in several parts, some of it twice."""
    due = [box for box in stage.outboxes if box.due <= stage.clock.now]
    stage.outboxes = [box for box in stage.outboxes if box.due > stage.clock.now]
    for n, box in enumerate(due):
        dice = stage.dice(day, f"upload {stage.clock.now:%H:%M} {n}")
        items = [*box.items, *dice.sample(box.items, len(box.items) // 5)]
        dice.shuffle(items)
        while items:
            size = dice.randint(5, 60)
            _send(stage, dice, [(box.person, items[:size])], "offline")
            items = items[size:]


def _taps(
    stage: Stage, dice: random.Random, driver: Driver, day: date, shift: str, stops: Sequence[Stop]
) -> list[Told]:
    """Decide what happens at each stop of a round, and what the phone keeps of it."""
    taps: list[Told] = []
    hour, minute = HOURS[shift]
    for n, stop in enumerate(stops):
        when = at(day, hour, minute) + timedelta(
            seconds=20 + n * 8400 // max(1, len(stops)), milliseconds=dice.randrange(900)
        )
        what = dice.choices(list(CHANCES), list(CHANCES.values()))[0]
        stage.decide(stop.key, what)
        if what == "forgotten":
            stage.tally["forgotten"] += 1
            continue
        if dice.random() < 0.02:  # noqa: PLR2004  # the wrong button first
            wrong = "absent" if what == "delivered" else "delivered"
            taps.append(_tap(dice, driver, stop, wrong, when - timedelta(seconds=9)))
            stage.tally["wrong taps"] += 1
        taps.append(_tap(dice, driver, stop, what, when))
        if dice.random() < 0.012:  # noqa: PLR2004  # the second phone says something else
            other = dice.choice([one for one in ("delivered", "partial", "absent") if one != what])
            spare = _tap(dice, driver, stop, other, when + timedelta(seconds=dice.randint(-5, 5)), phone="b")
            stage.outboxes.append(Outbox(at(day, 15 if shift == "morning" else 21, 30), driver.spare, [spare]))
            stage.tally["second phones"] += 1
        if what in {"delivered", "partial"} and dice.random() < 0.01:  # noqa: PLR2004  # something comes back
            taps.append(_back(dice, driver, stop, when + timedelta(minutes=4)))
            stage.tally["returns"] += 1
    return taps


def _tap(dice: random.Random, driver: Driver, stop: Stop, what: str, when: datetime, phone: str = "a") -> Told:
    """Return a confirmation, in one of the ways a phone may write it."""
    number = driver.tap(phone)
    quantities = {key: line.ordered if what == "delivered" else Decimal(0) for key, line in stop.lines.items()}
    if what == "partial":
        quantities = {key: line.ordered for key, line in stop.lines.items()}
        key = dice.choice(sorted(quantities))
        quantities[key] = dice.choice((Decimal(0), _part(stop.lines[key])))
    containers = _containers(dice) if what == "delivered" and dice.random() < 0.1 else {}  # noqa: PLR2004
    worth = sum(paise(line.price, line.ordered) for line in stop.lines.values())
    cash = dice.choice((0, worth, 50000)) if dice.random() < 0.06 else None  # noqa: PLR2004
    name = f"{driver.name}{phone}-{number}"
    tell = Tell(name, "confirm", DRIVER, when, quantities, containers, cash, driver.name)
    body = _body(stop, tell, device=f"{driver.name}{phone}", seq=number) | _beside(tell)
    if what == "partial" or dice.random() < 0.1:  # noqa: PLR2004
        body["lines"] = _lines(dice, stop, quantities)
    else:
        body["outcome"] = "delivered" if what == "delivered" else "not_delivered"
    if what in REASONS:
        body["reason"] = REASONS[what]
    return Told(body, stop, tell)


def _containers(dice: random.Random) -> dict[str, int]:
    return {dice.choice(("-bottle", "-crate", "+crate")): dice.randint(1, 6)}


def _beside(tell: Tell) -> dict[str, Any]:
    """Return what a word says of containers and cash, as a phone writes it."""
    facts: dict[str, Any] = {}
    for way, count in tell.containers.items():
        facts["given" if way[0] == "+" else "empties"] = [{"container": way[1:], "quantity": count}]
    if tell.cash is not None:
        facts["cash"] = {"amount_minor": tell.cash, "currency": "INR"}
    return facts


def _back(dice: random.Random, driver: Driver, stop: Stop, when: datetime) -> Told:
    """Return that part of a line came back."""
    number = driver.tap("a")
    key = dice.choice(sorted(stop.lines))
    tell = Tell(f"{driver.name}a-{number}", "return", DRIVER, when, {key: _part(stop.lines[key])})
    return Told(
        _body(stop, tell, device=f"{driver.name}a", seq=number) | {"lines": _lines(dice, stop, tell.quantities)},
        stop,
        tell,
    )


def _body(stop: Stop, tell: Tell, *, device: str | None = None, seq: int | None = None) -> dict[str, Any]:
    facts = {"client_id": tell.client_id, "kind": tell.kind, "order_id": str(stop.order_id),
             "delivery_id": str(stop.id), "device_at": tell.at.isoformat()}  # fmt: skip
    return facts | ({"device_id": device, "device_seq": seq} if seq is not None else {})


def _lines(dice: random.Random, stop: Stop, quantities: dict[str, Decimal]) -> list[dict[str, str]]:
    if dice.random() < 0.5:  # noqa: PLR2004
        return [{"order_line_id": str(stop.line_ids[key]), "quantity": str(q)} for key, q in quantities.items()]
    return [{"product_id": str(stop.lines[key].article.id), "quantity": str(q)} for key, q in quantities.items()]


def _part(line: Line) -> Decimal:
    """Return half of what is on a line, whole thousandths, more than none."""
    return max(Decimal("0.001"), (line.ordered / 2).quantize(Decimal("0.001")))


def _told_at(told: Told) -> datetime:
    return datetime.fromisoformat(told.body["device_at"])


def _send(stage: Stage, dice: random.Random, batches: Sequence[tuple[Person, list[Told]]], path: str) -> None:
    """Send one batch of each phone, all at the same time; note what was taken."""
    if not batches:
        return
    if dice.random() < CRASH_SHARE * 2:
        stage.crashes.arm(dice.randint(1, DEEPEST * len(batches)))
    asked = [
        Asked(person, "POST", "/api/deliveries/confirmations", {"confirmations": [told.body for told in items]})
        for person, items in batches
    ]
    answers = stage.wire.together(asked)
    if dice.random() < 0.1:  # noqa: PLR2004  # an answer is lost on its way, so the phone sends again
        answers[0] = stage.wire.together(asked[:1])[0]
    stage.crashes.disarm()
    for (_, items), answer in zip(batches, answers, strict=True):
        if answer.is_right:
            for told, verdict in zip(items, answer.facts["verdicts"], strict=True):
                _note(stage, told, verdict, path)


def _note(stage: Stage, told: Told, verdict: dict[str, Any], path: str) -> None:
    is_taken = verdict["answer"] != "rejected"
    if is_taken != told.is_right:
        stage.wire.surprises.append(f"{told.body} was {verdict['answer']}: {verdict['rule']}")
    if not is_taken:
        stage.tally["refused"] += 1
    elif told.stop and told.tell:
        stage.tally[path] += told.tell.client_id not in told.stop.tells
        told.stop.tells[told.tell.client_id] = told.tell


def _try_wrongly(stage: Stage, day: date, rounds: dict[str, list[Stop]]) -> None:
    """Let a phone tell what must not be taken: an unknown order, too much, somebody else's stop, the wrong time."""
    dice = stage.dice(day, f"wrong {stage.clock.now:%H}")
    full = [driver for driver in stage.drivers if rounds[driver.name]]
    if not full:
        return
    driver = dice.choice(full)
    stop = dice.choice(rounds[driver.name])
    foreign = [s for name, stops in rounds.items() if name != driver.name for s in stops]
    old = [s for s in stage.book.stops.values() if s.id and s.day < day - DAY * 2]
    key = dice.choice(sorted(stop.lines))
    now = stage.clock.now

    def wrong(which: Stop, **over: Any) -> Told:
        tell = Tell(f"wrong-{stage.number('wrong')}", "confirm", DRIVER, now, {})
        return Told(_body(which, tell) | {"outcome": "delivered"} | over, None, None, is_right=False)

    too_much = [{"product_id": str(stop.lines[key].article.id), "quantity": str(stop.lines[key].ordered + 1)}]
    tries = [
        wrong(stop, order_id=str(UUID(int=dice.getrandbits(128)))),
        wrong(stop, outcome=None, lines=too_much),
        wrong(stop, device_at=(now + timedelta(hours=2)).isoformat()),
        *([wrong(dice.choice(foreign))] if foreign else []),
        *([wrong(dice.choice(old))] if old else []),
    ]
    _send(stage, dice, [(driver.person, tries)], "wrong")


def correct(stage: Stage, day: date) -> None:
    """Let the office put stops right: some of yesterday's, forgotten ones, and a few from long ago."""
    dice = stage.dice(day, "corrections")
    waiting = {told.stop.key for box in stage.outboxes for told in box.items if told.stop}
    again = {stop.first.key for stop in stage.book.stops.values() if stop.first}
    past = [
        s
        for s in stage.book.stops.values()
        if s.day < day and s.id and s.key not in waiting | again and not s.is_cancelled
    ]
    by_age: dict[bool, list[Stop]] = defaultdict(list)
    for stop in sorted(past, key=lambda s: s.key):
        by_age[stop.day == day - DAY].append(stop)
    forgotten = [stop for stop in by_age[True] if not stop.tells and dice.random() < 0.7]  # noqa: PLR2004
    recent = dice.sample(by_age[True], min(len(by_age[True]), 1 + len(by_age[True]) // 100))
    old = dice.sample(by_age[False], min(len(by_age[False]), 1 + len(by_age[True]) // 200))
    for key in dict.fromkeys(stop.key for stop in [*forgotten, *recent, *old]):
        _correct(stage, dice, stage.book.stops[key])


def _correct(stage: Stage, dice: random.Random, stop: Stop) -> None:
    quantities = {
        key: dice.choice((line.ordered, line.ordered, Decimal(0), _part(line))) for key, line in stop.lines.items()
    }
    tell = Tell(f"office-{stage.number('office')}", "correct", STAFF, stage.clock.now, quantities)
    lines = _lines(dice, stop, quantities)
    body = {
        "client_id": tell.client_id,
        "lines": lines,
        "device_at": tell.at.isoformat(),
        "reason": "the customer called",
    }
    if stop.cash()[0] and dice.random() < 0.5:  # noqa: PLR2004  # only the money was wrong
        tell = replace(tell, quantities={}, cash=dice.choice((0, stop.cash()[0] // 2)))
        body = {name: fact for name, fact in body.items() if name != "lines"} | _beside(tell)
    stage.decide("correct", stop.key, *tell.quantities.values(), tell.cash)
    if stage.write(dice, stage.office, "POST", f"/api/deliveries/{stop.id}/correct", body).is_right:
        stop.tells[tell.client_id] = tell
        stage.tally["corrections"] += 1


def try_again(stage: Stage, day: date) -> None:
    """Plan another attempt today for some of what was not delivered yesterday."""
    dice = stage.dice(day, "attempts")
    waiting = {told.stop.key for box in stage.outboxes for told in box.items if told.stop}
    failed = [
        stop
        for stop in sorted(stage.book.stops.values(), key=lambda s: s.key)
        if stop.day == day - DAY and stop.attempt == 1 and stop.key not in waiting and stop.state() == "not_delivered"
    ]
    for stop in failed:
        if dice.random() < 0.5 and day not in stage.book.closed:  # noqa: PLR2004
            driver = next(one for one in stage.drivers if one.area == stop.home.area)
            body = {"planned_on": str(day), "driver_id": str(driver.id)}
            answer = stage.write(dice, stage.office, "POST", f"/api/deliveries/{stop.id}/next-attempt", body)
            if answer.is_right:
                lines = {key: Line(key, one.article, one.ordered, one.price) for key, one in stop.lines.items()}
                key = stop.order or f"{day}/{stop.shift}/{stop.home.key}"
                made = Stop(f"{key}#2", stop.home, day, stop.shift, lines, stop.order, attempt=2, first=stop)
                stage.book.stops[made.key] = made
                stage.decide("again", stop.key)
                stage.tally["second attempts"] += 1
