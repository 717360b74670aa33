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
from earlybird.simulation.dispatch import Hand, Round
from earlybird.simulation.model import DRIVER, LINK, STAFF, Line, Stop, Tell, paise
from earlybird.simulation.stage import CRASH_SHARE, DEEPEST, Outbox, Stage, Told
from earlybird.simulation.wire import Asked, Person

DAY = timedelta(days=1)
HOURS = {"morning": (5, 0), "evening": (17, 0)}
BATCHES = 3
OFFLINE = 0.25
"""How many rounds are driven without signal."""

CHANCES = {"delivered": 885, "partial": 40, "absent": 30, "refused": 15, "forgotten": 30}
REASONS = {"absent": "customer_absent", "refused": "refused", "partial": "damaged"}


def drive(stage: Stage, day: date, shift: str, rounds: Sequence[Round]) -> None:
    """Drive all rounds of a shift: batches from the phones with signal, outboxes on those without."""
    sent: list[list[tuple[Person, list[Told]]]] = [[] for _ in range(BATCHES)]
    hour, minute = HOURS[shift]
    for one in rounds:
        dice = stage.dice(day, f"{shift} {one.key}")
        by_hand = _taps(stage, dice, one, day, shift)
        for hand, taps in zip([*one.hands, *([one.helper] if one.helper else [])], by_hand, strict=True):
            if taps and hand.authority != LINK and dice.random() < OFFLINE:
                is_today = dice.random() < 0.7  # noqa: PLR2004
                due = _back_in_town(day, shift) if is_today else at(day + DAY, 9, 30)
                stage.outboxes.append(Outbox(due, hand.person, taps, f"{hand.name}a"))
                stage.decide("offline", hand.name, shift, len(taps))
                continue
            for part in range(BATCHES):
                until = at(day, hour, minute) + timedelta(minutes=50 * (part + 1))
                since = until - timedelta(minutes=50) if part else at(day, 0)
                is_last = part == BATCHES - 1
                now = [told for told in taps if since <= _told_at(told) and (is_last or _told_at(told) < until)]
                sent[part].append((hand.person, now))
    for part, batches in enumerate(sent):
        stage.clock.now = at(day, hour, minute) + timedelta(minutes=50 * (part + 1) + 5)
        _send(stage, stage.dice(day, f"{shift} sending {part}"), [batch for batch in batches if batch[1]], "online")
    _try_wrongly(stage, day, rounds)


def _back_in_town(day: date, shift: str) -> datetime:
    return at(day, 15 if shift == "morning" else 21, 30)


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
            _sync(stage, dice, box, items[:size])
            items = items[size:]


def _taps(stage: Stage, dice: random.Random, one: Round, day: date, shift: str) -> list[list[Told]]:
    """Decide what happens at each stop of a round, and what each hand's phone keeps of it."""
    hour, minute = HOURS[shift]
    taps: list[list[Told]] = [[] for _ in [*one.hands, *([one.helper] if one.helper else [])]]
    for n, stop in enumerate(one.stops):
        seconds = 20 + n * 8400 // len(one.stops)
        when = at(day, hour, minute) + timedelta(seconds=seconds, milliseconds=dice.randrange(900))
        what = dice.choices(list(CHANCES), list(CHANCES.values()))[0]
        stage.decide(stop.key, what)
        if what == "forgotten":
            stage.tally["forgotten"] += 1
            continue
        if one.helper and dice.random() < 0.5:  # noqa: PLR2004  # a helper is faster
            said = what if dice.random() < 0.7 else dice.choice(_others(what))  # noqa: PLR2004
            taps[-1].append(_tap(dice, one.helper, stop, said, when + timedelta(seconds=dice.randint(-90, 90))))
            stage.tally["by link"] += 1
            if dice.random() < 0.5:  # noqa: PLR2004
                continue
        taps[0] += _main_taps(stage, dice, one.hands[0], stop, what, when)
        if one.substitute and dice.random() < 0.25:  # noqa: PLR2004  # the driver was there, too
            then = when + timedelta(seconds=dice.randint(-90, 90))
            taps[1].append(_tap(dice, one.hands[1], stop, dice.choice(_others("")), then))
            stage.tally["two drivers"] += 1
    return taps


def _main_taps(stage: Stage, dice: random.Random, hand: Hand, stop: Stop, what: str, when: datetime) -> list[Told]:
    """Return what the driver's phone keeps of a stop: also a wrong tap first, or something that comes back."""
    taps = []
    if dice.random() < 0.02:  # noqa: PLR2004
        wrong = "absent" if what == "delivered" else "delivered"
        taps.append(_tap(dice, hand, stop, wrong, when - timedelta(seconds=9)))
        stage.tally["wrong taps"] += 1
    taps.append(_tap(dice, hand, stop, what, when))
    if hand.driver and dice.random() < 0.012:  # noqa: PLR2004  # the second phone says something else
        spare = _tap(dice, hand, stop, dice.choice(_others(what)), when + timedelta(seconds=dice.randint(-5, 5)), "b")
        due = _back_in_town(stop.day, stop.shift)
        stage.outboxes.append(Outbox(due, hand.driver.spare, [spare], f"{hand.name}b"))
        stage.tally["second phones"] += 1
    if what in {"delivered", "partial"} and dice.random() < 0.01:  # noqa: PLR2004
        taps.append(_back(dice, hand, stop, when + timedelta(minutes=4)))
        stage.tally["returns"] += 1
    return taps


def _others(what: str) -> list[str]:
    return [one for one in ("delivered", "partial", "absent") if one != what]


def _tap(dice: random.Random, hand: Hand, stop: Stop, what: str, when: datetime, phone: str = "a") -> Told:
    """Return a confirmation, in one of the ways a phone may write it."""
    number = hand.person.tap(phone)
    quantities = {key: line.ordered if what == "delivered" else Decimal(0) for key, line in stop.lines.items()}
    if what == "partial":
        quantities = {key: line.ordered for key, line in stop.lines.items()}
        key = dice.choice(sorted(quantities))
        quantities[key] = dice.choice((Decimal(0), _part(stop.lines[key])))
    containers = _containers(dice) if what == "delivered" and dice.random() < 0.1 else {}  # noqa: PLR2004
    worth = sum(paise(line.price, line.ordered) for line in stop.lines.values())
    cash = dice.choice((0, worth, 50000)) if dice.random() < 0.06 else None  # noqa: PLR2004
    bag = hand.driver.name if hand.driver else None
    tell = Tell(f"{hand.name}{phone}-{number}", "confirm", hand.authority, when, quantities, containers, cash, bag)
    body = _body(stop, tell, device=f"{hand.name}{phone}", seq=number) | _beside(tell)
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


def _back(dice: random.Random, hand: Hand, stop: Stop, when: datetime) -> Told:
    """Return that part of a line came back."""
    number = hand.person.tap("a")
    key = dice.choice(sorted(stop.lines))
    tell = Tell(f"{hand.name}a-{number}", "return", hand.authority, when, {key: _part(stop.lines[key])})
    return Told(
        _body(stop, tell, device=f"{hand.name}a", seq=number) | {"lines": _lines(dice, stop, tell.quantities)},
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
    """Send what each phone has, all at the same time; note what was taken. A link tells stop by stop."""
    asked: list[tuple[Asked, list[Told]]] = []
    for person, items in batches:
        if person.link:
            asked += [(_alone(person, told), [told]) for told in items]
        else:
            body = {"confirmations": [told.body for told in items]}
            asked.append((Asked(person, "POST", "/api/deliveries/confirmations", body), items))
    if not asked:
        return
    if dice.random() < CRASH_SHARE * 2:
        stage.crashes.arm(dice.randint(1, DEEPEST * len(asked)))
    answers = stage.wire.together([one for one, _ in asked])
    if dice.random() < 0.1:  # noqa: PLR2004  # an answer is lost on its way, so the phone sends again
        answers[0] = stage.wire.together([asked[0][0]])[0]
    stage.crashes.disarm()
    for (_, items), answer in zip(asked, answers, strict=True):
        if answer.is_right:
            verdicts = answer.facts.get("verdicts", [answer.facts])
            for told, verdict in zip(items, verdicts, strict=True):
                _note(stage, told, verdict, path)


def _alone(person: Person, told: Told) -> Asked:
    """Return the request that tells one stop."""
    body = {name: fact for name, fact in told.body.items() if name != "delivery_id"}
    return Asked(person, "POST", f"/api/deliveries/{told.body['delivery_id']}/confirm", body)


def _sync(stage: Stage, dice: random.Random, box: Outbox, items: list[Told]) -> None:
    """Send a part of an outbox, and keep the cursor of what the phone has learnt."""
    cursor = stage.cursors.get(box.device)
    body = {"device_id": box.device, "cursor": cursor, "confirmations": [told.body for told in items]}
    answer = stage.write(dice, box.person, "POST", "/api/sync", body)
    if answer.is_right:
        stage.cursors[box.device] = answer.facts["cursor"]
        for told, verdict in zip(items, answer.facts["verdicts"], strict=True):
            _note(stage, told, verdict, "offline")


def _note(stage: Stage, told: Told, verdict: dict[str, Any], path: str) -> None:
    is_taken = verdict["answer"] != "rejected"
    if is_taken != told.is_right:
        stage.wire.surprises.append(f"{told.body} was {verdict['answer']}: {verdict['rule']}")
    if not is_taken:
        stage.tally["refused"] += 1
    elif told.stop and told.tell:
        stage.tally[path] += told.tell.client_id not in told.stop.tells
        told.stop.tells[told.tell.client_id] = told.tell


def _try_wrongly(stage: Stage, day: date, rounds: Sequence[Round]) -> None:
    """Let a phone tell what must not be taken: an unknown order, too much, somebody else's stop, the wrong time."""
    dice = stage.dice(day, f"wrong {stage.clock.now:%H}")
    if not rounds:
        return
    mine = dice.choice(rounds)
    hand = mine.hands[0]
    stop = dice.choice(mine.stops)
    foreign = [s for one in rounds if hand.driver not in (one.driver, one.substitute) for s in one.stops]
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
    _send(stage, dice, [(hand.person, tries)], "wrong")


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
