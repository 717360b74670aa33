"""What households want otherwise: pauses, quantities, extras, changes and ends, in time and too late."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from earlybird.simulation.model import SHIFTS, Extra, Household, Line, Standing, Want
from earlybird.simulation.opening import FIRST_PASSWORD, PASSWORD, facts_of, wishes
from earlybird.simulation.stage import Stage
from earlybird.simulation.wire import Person

A_DAY = 0.09
"""How many households say something on a day."""

DAY = timedelta(days=1)

Wish = Callable[[Stage, random.Random, Household, Standing, date], bool]


def ask_for_changes(stage: Stage, day: date) -> None:
    """Let households change what is to come, before the cut-off of tomorrow."""
    dice = stage.dice(day, "wishes")
    for _ in range(max(2, round(len(stage.book.homes) * A_DAY))):
        home = stage.book.homes[dice.choice(list(stage.book.homes))]
        wish: Wish = dice.choices([one for one, _ in WISHES], [share for _, share in WISHES])[0]
        standing = dice.choice(home.standing)
        since = day + DAY * dice.choices((1, 2, 3, 4), (55, 20, 15, 10))[0]
        if wish(stage, dice, home, standing, since):
            stage.decide(wish.__name__, standing.key, since)
            stage.tally[wish.__name__] += 1
    _change_the_house(stage, dice, day)


def ask_too_late(stage: Stage, day: date) -> None:
    """Let a few ask for tomorrow after its cut-off: the doors must refuse, and nothing may change."""
    dice = stage.dice(day, "too late")
    tomorrow = day + DAY
    for _ in range(3):
        home = stage.book.homes[dice.choice(list(stage.book.homes))]
        standing = dice.choice(home.standing)
        if standing.stops_on is not None or not standing.runs(tomorrow):
            continue
        by, path = stage.speaker(home), f"/api/subscriptions/{standing.id}"
        article = stage.book.articles["paneer"]
        lines = [{"product_id": str(article.id), "quantity": str(article.step)}]
        extra = {"customer_id": str(home.id), "service_on": str(tomorrow), "shift": "morning", "lines": lines}
        method, where, body = dice.choice([
            ("PUT", f"{path}/overrides/{tomorrow}", {"quantity": "0"}),
            ("POST", f"{path}/pause", {"starts_on": str(tomorrow)}),
            ("POST", f"{path}/stop", {"stops_on": str(tomorrow), "reason": "too late"}),
            ("POST", "/api/orders", extra),
        ])  # fmt: skip
        stage.write(dice, by, method, where, body, wants=(409,))
        stage.decide("too late", standing.key, where.rpartition("/")[2])
        stage.tally["refused"] += 1


def pause(stage: Stage, dice: random.Random, home: Household, standing: Standing, since: date) -> bool:
    """Deliver nothing for some days, or until told otherwise."""
    last = None if dice.random() < 0.2 else since + DAY * dice.randrange(7)  # noqa: PLR2004
    is_free = all(end is not None and end < since for _, end in standing.pauses)
    if standing.stops_on is not None or not standing.runs(max(since, standing.starts_on)) or not is_free:
        return False
    body = {"starts_on": str(since), "reason": "away"} | ({"ends_on": str(last)} if last else {})
    return _say(stage, dice, home, "POST", f"/api/subscriptions/{standing.id}/pause", body) and (
        standing.pauses.append((since, last)) is None
    )


def resume(stage: Stage, dice: random.Random, home: Household, standing: Standing, since: date) -> bool:
    """Deliver again: a pause that runs ends the day before, later ones fall away."""
    if all(end is not None and end < since for _, end in standing.pauses):
        return False
    if not _say(stage, dice, home, "POST", f"/api/subscriptions/{standing.id}/resume", {"on": str(since)}):
        return False
    standing.pauses = [
        (first, end if end is not None and end < since else since - DAY)
        for first, end in standing.pauses
        if first < since
    ]
    return True


def override(stage: Stage, dice: random.Random, home: Household, standing: Standing, since: date) -> bool:
    """Say for one date how much, none, or when."""
    if not standing.runs(since) or standing.stops_on is not None:
        return False
    step = standing.want(since).article.step
    quantity = dice.choice((None, Decimal(0), step, step * 3, step * 5))
    shift = dice.choice(SHIFTS) if quantity is None or dice.random() < 0.1 else None  # noqa: PLR2004
    body = {"quantity": str(quantity)} if quantity is not None else {}
    body |= {"shift": shift} if shift else {}
    path = f"/api/subscriptions/{standing.id}/overrides/{since}"
    if not _say(stage, dice, home, "PUT", path, body):
        return False
    standing.said[since] = (quantity, shift)
    return True


def withdraw(stage: Stage, dice: random.Random, home: Household, standing: Standing, since: date) -> bool:
    """Take back what was said for a date."""
    said = sorted(day for day in standing.said if day >= since)
    if not said or not standing.runs(said[0]):
        return False
    path = f"/api/subscriptions/{standing.id}/overrides/{said[0]}"
    if not _say(stage, dice, home, "DELETE", path):
        return False
    del standing.said[said[0]]
    return True


def change(stage: Stage, dice: random.Random, home: Household, standing: Standing, since: date) -> bool:
    """Want something else from a day on."""
    if standing.stops_on is not None or not standing.runs(since):
        return False
    old = standing.want(since)
    new = Want(
        since=since,
        article=old.article,
        quantity=old.article.step * dice.randint(1, 4),
        pattern=dice.choice(("daily", "weekly", "every_nth")),
        shift=dice.choices(("morning", "evening", "both"), (60, 25, 15))[0],
        weekdays=tuple(sorted(dice.sample(range(7), dice.randint(1, 5)))),
        every_n=dice.randint(2, 4),
        agreed=old.agreed,
    )
    body = {"valid_from": str(since), "quantity": str(new.quantity), **facts_of(new)}
    if not _say(stage, dice, home, "PATCH", f"/api/subscriptions/{standing.id}", body):
        return False
    standing.wants = [want for want in standing.wants if want.since != since] + [new]
    return True


def stop(stage: Stage, dice: random.Random, home: Household, standing: Standing, since: date) -> bool:
    """End a standing order."""
    if standing.stops_on is not None or since < standing.starts_on:
        return False
    body = {"stops_on": str(since), "reason": "moving away"}
    if not _say(stage, dice, home, "POST", f"/api/subscriptions/{standing.id}/stop", body):
        return False
    standing.stops_on = since
    return True


def reactivate(stage: Stage, dice: random.Random, home: Household, standing: Standing, since: date) -> bool:
    """Deliver again what was stopped; the days between stay without."""
    gap = standing.stops_on
    if gap is None:
        return False
    if not _say(stage, dice, home, "POST", f"/api/subscriptions/{standing.id}/reactivate", {"on": str(since)}):
        return False
    standing.stops_on = None
    if gap < since:
        standing.pauses.append((gap, since - DAY))
    return True


def extra(stage: Stage, dice: random.Random, home: Household, standing: Standing, since: date) -> bool:
    """Order something once."""
    if since in stage.book.closed or home.is_away(since):
        return False
    shift = dice.choice(SHIFTS)
    lines = _lines(stage, dice, since)
    body = {"customer_id": str(home.id), "service_on": str(since), "shift": shift, "lines": _wanted(lines)}
    answer = stage.write(dice, stage.speaker(home), "POST", "/api/orders", body)
    if not answer.is_right:
        return False
    key = f"{since}/{shift}/{home.key}/extra-{stage.number('extra')}"
    stage.book.extras[key] = Extra(key, home, since, shift, lines, id=answer.facts["id"])
    return True


def change_extra(stage: Stage, dice: random.Random, home: Household, standing: Standing, since: date) -> bool:
    """Let a one-time order hold something else; what stays keeps its price."""
    open_ones = [one for one in stage.book.extras.values() if one.day >= since and not one.is_cancelled]
    if not open_ones:
        return False
    one = dice.choice(open_ones)
    kept = dice.choice(list(one.lines))
    lines = _lines(stage, dice, one.day) | {kept: one.lines[kept]}
    lines = {key: Line(key, n.article, n.article.step * dice.randint(1, 3), n.price) for key, n in lines.items()}
    for key in lines.keys() & one.lines.keys():
        lines[key].price = one.lines[key].price
    if not _say(stage, dice, one.home, "PUT", f"/api/orders/{one.id}", {"lines": _wanted(lines)}):
        return False
    one.lines = lines
    return True


def cancel_extra(stage: Stage, dice: random.Random, home: Household, standing: Standing, since: date) -> bool:
    """Cancel a one-time order."""
    open_ones = [one for one in stage.book.extras.values() if one.day >= since and not one.is_cancelled]
    if not open_ones:
        return False
    one = dice.choice(open_ones)
    if not _say(stage, dice, one.home, "POST", f"/api/orders/{one.id}/cancel", {"reason": "no guests after all"}):
        return False
    one.is_cancelled = True
    return True


def leave_for_a_while(stage: Stage, dice: random.Random, home: Household, standing: Standing, since: date) -> bool:
    """Let the office note that a household takes nothing from a day on, until it is back."""
    if home.away and home.away[-1][1] is None:
        if not _move(stage, dice, home, "activate", {"reason": "back"}):
            return False
        first, _ = home.away.pop()
        today = _today(stage)
        if first <= today:
            home.away.append((first, today))
        return True
    if any(one.home is home and one.day >= since and not one.is_cancelled for one in stage.book.extras.values()):
        return False
    if not _move(stage, dice, home, "pause", {"state_from": str(since), "reason": "long journey"}):
        return False
    home.away.append((since, None))
    return True


def join(stage: Stage, dice: random.Random, home: Household, standing: Standing, since: date) -> bool:
    """Take a new household on, with what it wants."""
    n = stage.number("newcomer")
    new = Household(f"N{n:05}", f"n{n:05}@dairy.example", area=home.area)
    area_id = _area_of(stage, home)
    body = {"name": f"Newcomer {n}", "email": new.email, "phone": f"+9197{n:08}", "area_id": area_id,
            "address": {"line1": f"{n} New Street", "city": "Bengaluru"}}  # fmt: skip
    made = stage.write(dice, stage.office, "POST", "/api/customers", body)
    if not made.is_right:
        return False
    new.id, new.code = made.facts["id"], made.facts["code"]
    if not _move(stage, dice, new, "activate", {"reason": "first order"}):
        return False
    stage.book.homes[new.key] = new
    if dice.random() < 0.5:  # noqa: PLR2004
        stage.logins[new.key] = Person(new.key, new.email, PASSWORD, first_password=FIRST_PASSWORD)
    for wanted in wishes(dice, new, stage.book, since):
        wanted.starts_on = since
        want = wanted.wants[0]
        want.agreed = None
        asked = {"customer_id": str(new.id), "product_id": str(want.article.id), "quantity": str(want.quantity),
                 "starts_on": str(since), **facts_of(want)}  # fmt: skip
        answer = stage.write(dice, stage.speaker(new), "POST", "/api/subscriptions", asked)
        wanted.id = answer.facts["id"] if answer.is_right else None
    return True


WISHES: tuple[tuple[Wish, int], ...] = (
    (pause, 18),
    (resume, 14),
    (override, 26),
    (withdraw, 6),
    (change, 10),
    (stop, 2),
    (reactivate, 3),
    (extra, 16),
    (change_extra, 3),
    (cancel_extra, 3),
    (leave_for_a_while, 4),
    (join, 2),
)
"""What is wished for, and how often among a hundred wishes or so."""


def _change_the_house(stage: Stage, dice: random.Random, day: date) -> None:
    """Now and then let a price change, and the depot close for a day to come."""
    if dice.random() < 0.06:  # noqa: PLR2004
        article = stage.book.articles[dice.choice(sorted(stage.book.articles))]
        since = day + DAY * dice.randint(2, 4)
        price = article.price(since) + Decimal(dice.randint(-6, 10)) / 4
        body = {"unit_price": str(price), "valid_from": str(since)}
        if stage.write(dice, stage.admin, "POST", f"/api/products/{article.id}/prices", body).is_right:
            article.prices = [one for one in article.prices if one[0] != since] + [(since, price)]
            stage.decide("price", article.key, since, price)
    closed = day + DAY * 3
    if dice.random() < 0.04 and not any(one.day == closed for one in stage.book.extras.values()):  # noqa: PLR2004
        path = f"/api/sites/{stage.site_id}/closures/{closed}"
        if stage.write(dice, stage.admin, "PUT", path, {"reason": "festival"}).is_right:
            stage.book.closed.add(closed)
            stage.decide("closed", closed)


def _say(stage: Stage, dice: random.Random, home: Household, method: str, path: str, body: Any = None) -> bool:
    return stage.write(dice, stage.speaker(home), method, path, body).is_right


def _move(stage: Stage, dice: random.Random, home: Household, verb: str, body: dict[str, str]) -> bool:
    return stage.write(dice, stage.office, "POST", f"/api/customers/{home.id}/{verb}", body).is_right


def _lines(stage: Stage, dice: random.Random, day: date) -> dict[str, Line]:
    found = {}
    for key in dice.sample(sorted(stage.book.articles), dice.randint(1, 3)):
        article = stage.book.articles[key]
        found[key] = Line(key, article, article.step * dice.randint(1, 4), article.price(day))
    return found


def _wanted(lines: dict[str, Line]) -> list[dict[str, str]]:
    return [{"product_id": str(line.article.id), "quantity": str(line.ordered)} for line in lines.values()]


def _area_of(stage: Stage, home: Household) -> str | None:
    found = stage.wire.ask(stage.office, "GET", f"/api/customers/{home.id}").facts
    area_id: str | None = found["area_id"]
    return area_id


def _today(stage: Stage) -> date:
    from earlybird.simulation.clockwork import ZONE

    return stage.clock.now.astimezone(ZONE).date()
