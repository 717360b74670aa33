"""What households want otherwise: pauses, quantities, extras, changes and ends, in time and too late."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

from earlybird.simulation.asking import Ask, request
from earlybird.simulation.model import SHIFTS, Extra, Household, Line, Want
from earlybird.simulation.opening import FIRST_PASSWORD, PASSWORD, facts_of, wishes
from earlybird.simulation.stage import Stage
from earlybird.simulation.wire import Person

A_DAY = 0.05
"""How many households say something on a day."""

FEWEST = 6
"""How many wishes a day has at least."""

TRIES = 12
"""How many standing orders are looked at for one that a wish fits."""

DAY = timedelta(days=1)


Wish = Callable[[Ask], bool]


def ask_for_changes(stage: Stage, day: date) -> None:
    """Let households change what is to come, before the cut-off of tomorrow."""
    dice = stage.dice(day, "wishes")
    for _ in range(max(FEWEST, round(len(stage.book.homes) * A_DAY))):
        wish: Wish = dice.choices([one for one, _ in WISHES], [share for _, share in WISHES])[0]
        for _ in range(TRIES):
            home = stage.book.homes[dice.choice(list(stage.book.homes))]
            standing = dice.choice(home.standing)
            since = day + DAY * dice.choices((1, 2, 3, 4), (55, 20, 15, 10))[0]
            if wish(Ask(stage, dice, home, standing, since)):
                stage.decide(wish.__name__, standing.key, since)
                stage.tally[wish.__name__] += 1
                break
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


def allow_late(stage: Stage, day: date) -> bool:
    """Let the office allow something for tomorrow after its cut-off; say whether it changed what is due."""
    dice = stage.dice(day, "allowed late")
    if dice.random() < 0.5:  # noqa: PLR2004
        return False
    for _ in range(TRIES):
        home = stage.book.homes[dice.choice(list(stage.book.homes))]
        if request(Ask(stage, dice, home, dice.choice(home.standing), day + DAY), late="that_day"):
            stage.decide("allowed late", home.key)
            stage.tally["late requests"] += 1
            return True
    return False


def pause(ask: Ask) -> bool:
    """Deliver nothing for some days, or until told otherwise."""
    last = None if ask.dice.random() < 0.2 else ask.since + DAY * ask.dice.randrange(7)  # noqa: PLR2004
    is_free = all(end is not None and end < ask.since for _, end in ask.standing.pauses)
    if (
        ask.standing.stops_on is not None
        or not ask.standing.runs(max(ask.since, ask.standing.starts_on))
        or not is_free
    ):
        return False
    body = {"starts_on": str(ask.since), "reason": "away"} | ({"ends_on": str(last)} if last else {})
    if not ask.say("POST", f"/api/subscriptions/{ask.standing.id}/pause", body):
        return False
    ask.standing.pauses.append((ask.since, last))
    return True


def resume(ask: Ask) -> bool:
    """Deliver again: a pause that runs ends the day before, later ones fall away."""
    if all(end is not None and end < ask.since for _, end in ask.standing.pauses):
        return False
    if not ask.say("POST", f"/api/subscriptions/{ask.standing.id}/resume", {"on": str(ask.since)}):
        return False
    ask.standing.pauses = [
        (first, end if end is not None and end < ask.since else ask.since - DAY)
        for first, end in ask.standing.pauses
        if first < ask.since
    ]
    return True


def override(ask: Ask) -> bool:
    """Say for one date how much, none, or when."""
    if not ask.standing.runs(ask.since) or ask.standing.stops_on is not None:
        return False
    step = ask.standing.want(ask.since).article.step
    quantity = ask.dice.choice((None, Decimal(0), Decimal(0), step, step * 5))
    shift = ask.dice.choice(SHIFTS) if quantity is None or ask.dice.random() < 0.1 else None  # noqa: PLR2004
    body = {"quantity": str(quantity)} if quantity is not None else {}
    body |= {"shift": shift} if shift else {}
    path = f"/api/subscriptions/{ask.standing.id}/overrides/{ask.since}"
    if not ask.say("PUT", path, body):
        return False
    ask.standing.said[ask.since] = (quantity, shift)
    return True


def withdraw(ask: Ask) -> bool:
    """Take back what was said for a date."""
    said = sorted(day for day in ask.standing.said if day >= ask.since)
    if not said or not ask.standing.runs(said[0]):
        return False
    path = f"/api/subscriptions/{ask.standing.id}/overrides/{said[0]}"
    if not ask.say("DELETE", path):
        return False
    del ask.standing.said[said[0]]
    return True


def change(ask: Ask) -> bool:
    """Want something else from a day on."""
    if ask.standing.stops_on is not None or not ask.standing.runs(ask.since):
        return False
    old = ask.standing.want(ask.since)
    new = Want(
        since=ask.since,
        article=old.article,
        quantity=old.article.step * ask.dice.randint(1, 4),
        pattern=ask.dice.choice(("daily", "weekly", "every_nth")),
        shift=ask.dice.choices(("morning", "evening", "both"), (60, 25, 15))[0],
        weekdays=tuple(sorted(ask.dice.sample(range(7), ask.dice.randint(1, 5)))),
        every_n=ask.dice.randint(2, 4),
        agreed=old.agreed,
    )
    body = {"valid_from": str(ask.since), "quantity": str(new.quantity), **facts_of(new)}
    if not ask.say("PATCH", f"/api/subscriptions/{ask.standing.id}", body):
        return False
    ask.standing.wants = [want for want in ask.standing.wants if want.since != ask.since] + [new]
    return True


def stop(ask: Ask) -> bool:
    """End a standing order."""
    if ask.standing.stops_on is not None or ask.since < ask.standing.starts_on:
        return False
    body = {"stops_on": str(ask.since), "reason": "moving away"}
    if not ask.say("POST", f"/api/subscriptions/{ask.standing.id}/stop", body):
        return False
    ask.standing.stops_on = ask.since
    return True


def reactivate(ask: Ask) -> bool:
    """Deliver again what was stopped; the days between stay without."""
    gap = ask.standing.stops_on
    if gap is None:
        return False
    if not ask.say("POST", f"/api/subscriptions/{ask.standing.id}/reactivate", {"on": str(ask.since)}):
        return False
    ask.standing.stops_on = None
    if gap < ask.since:
        ask.standing.pauses.append((gap, ask.since - DAY))
    return True


def extra(ask: Ask) -> bool:
    """Order something once."""
    if ask.since in ask.stage.book.closed or ask.home.is_away(ask.since):
        return False
    shift = ask.dice.choice(SHIFTS)
    lines = _lines(ask, ask.since)
    body = {"customer_id": str(ask.home.id), "service_on": str(ask.since), "shift": shift, "lines": _wanted(lines)}
    answer = ask.stage.write(ask.dice, ask.stage.speaker(ask.home), "POST", "/api/orders", body)
    if not answer.is_right:
        return False
    key = f"{ask.since}/{shift}/{ask.home.key}/extra-{ask.stage.number('extra')}"
    ask.stage.book.extras[key] = Extra(key, ask.home, ask.since, shift, lines, id=answer.facts["id"])
    return True


def change_extra(ask: Ask) -> bool:
    """Let a one-time order hold something else; what stays keeps its price."""
    open_ones = [one for one in ask.stage.book.extras.values() if one.day >= ask.since and not one.is_cancelled]
    if not open_ones:
        return False
    one = ask.dice.choice(open_ones)
    kept = ask.dice.choice(list(one.lines))
    lines = _lines(ask, one.day) | {kept: one.lines[kept]}
    lines = {key: Line(key, n.article, n.article.step * ask.dice.randint(1, 3), n.price) for key, n in lines.items()}
    for key in lines.keys() & one.lines.keys():
        lines[key].price = one.lines[key].price
    if not ask.of(one.home).say("PUT", f"/api/orders/{one.id}", {"lines": _wanted(lines)}):
        return False
    one.lines = lines
    return True


def cancel_extra(ask: Ask) -> bool:
    """Cancel a one-time order."""
    open_ones = [one for one in ask.stage.book.extras.values() if one.day >= ask.since and not one.is_cancelled]
    if not open_ones:
        return False
    one = ask.dice.choice(open_ones)
    if not ask.of(one.home).say("POST", f"/api/orders/{one.id}/cancel", {"reason": "no guests after all"}):
        return False
    one.is_cancelled = True
    return True


def leave_for_a_while(ask: Ask) -> bool:
    """Let the office note that a household takes nothing from a day on, until it is back."""
    away = [home for home in ask.stage.book.homes.values() if home.away and home.away[-1][1] is None]
    if away and ask.dice.random() < 0.5:  # noqa: PLR2004
        ask = ask.of(ask.dice.choice(away))
    if ask.home.away and ask.home.away[-1][1] is None:
        if not ask.move("activate", {"reason": "back"}):
            return False
        first, _ = ask.home.away.pop()
        today = ask.stage.clock.today()
        if first <= today:
            ask.home.away.append((first, today))
        return True
    if any(
        one.home is ask.home and one.day >= ask.since and not one.is_cancelled for one in ask.stage.book.extras.values()
    ):
        return False
    if not ask.move("pause", {"state_from": str(ask.since), "reason": "long journey"}):
        return False
    ask.home.away.append((ask.since, None))
    return True


def join(ask: Ask) -> bool:
    """Take a new household on, with what it wants."""
    n = ask.stage.number("newcomer")
    new = Household(f"N{n:05}", f"n{n:05}@dairy.example", area=ask.home.area)
    area_id = _area_of(ask)
    body = {"name": f"Newcomer {n}", "email": new.email, "phone": f"+9197{n:08}", "area_id": area_id,
            "address": {"line1": f"{n} New Street", "city": "Bengaluru"}}  # fmt: skip
    made = ask.stage.write(ask.dice, ask.stage.office, "POST", "/api/customers", body)
    if not made.is_right:
        return False
    new.id, new.code = made.facts["id"], made.facts["code"]
    if not ask.of(new).move("activate", {"reason": "first order"}):
        return False
    ask.stage.book.homes[new.key] = new
    if ask.dice.random() < 0.5:  # noqa: PLR2004
        ask.stage.logins[new.key] = Person(new.key, new.email, PASSWORD, first_password=FIRST_PASSWORD)
    for wanted in wishes(ask.dice, new, ask.stage.book, ask.since):
        wanted.starts_on = ask.since
        want = wanted.wants[0]
        want.agreed = None
        asked = {"customer_id": str(new.id), "product_id": str(want.article.id), "quantity": str(want.quantity),
                 "starts_on": str(ask.since), **facts_of(want)}  # fmt: skip
        answer = ask.stage.write(ask.dice, ask.stage.speaker(new), "POST", "/api/subscriptions", asked)
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
    (request, 8),
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


def _lines(ask: Ask, day: date) -> dict[str, Line]:
    found = {}
    for key in ask.dice.sample(sorted(ask.stage.book.articles), ask.dice.randint(1, 3)):
        article = ask.stage.book.articles[key]
        found[key] = Line(key, article, article.step * ask.dice.randint(1, 4), article.price(day))
    return found


def _wanted(lines: dict[str, Line]) -> list[dict[str, str]]:
    return [{"product_id": str(line.article.id), "quantity": str(line.ordered)} for line in lines.values()]


def _area_of(ask: Ask) -> str | None:
    found = ask.stage.wire.see(ask.stage.office, f"/api/customers/{ask.home.id}")
    area_id: str | None = found["area_id"]
    return area_id
