"""How a household asks for a change: at the doors itself, by the office, or as a request that the office decides."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from earlybird.simulation.model import SHIFTS, Extra, Household, Line, Standing
from earlybird.simulation.stage import Stage

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Ask:
    """Who asks for a change, of which standing order, from when on."""

    stage: Stage
    dice: random.Random
    home: Household
    standing: Standing
    since: date

    def of(self, home: Household) -> Ask:
        """Return the same, asked by another household."""
        return replace(self, home=home)

    def say(self, method: str, path: str, body: Any = None) -> bool:
        """Ask for it at the doors: the household itself where it uses the portal, else the office."""
        return self.stage.write(self.dice, self.stage.speaker(self.home), method, path, body).is_right

    def move(self, verb: str, body: dict[str, str]) -> bool:
        """Let the office pause or activate the household."""
        path = f"/api/customers/{self.home.id}/{verb}"
        return self.stage.write(self.dice, self.stage.office, "POST", path, body).is_right


def request(ask: Ask, late: str | None = None) -> bool:
    """Ask the office for a pause, another quantity or something extra; it says yes, or no, which changes nothing."""
    standing, since, dice = ask.standing, ask.since, ask.dice
    if standing.stops_on is not None or not standing.runs(since) or ask.home.is_away(since):
        return False
    if since in ask.stage.book.closed or any(end is None or end >= since for _, end in standing.pauses):
        return False
    kind = dice.choice(("pause", "quantity", "extra_product"))
    step = standing.want(since).article.step
    article = ask.stage.book.articles[dice.choice(sorted(ask.stage.book.articles))]
    shift, quantity, ends_on = dice.choice(SHIFTS), step * dice.randrange(5), since + DAY * dice.randrange(3)
    facts: dict[str, Any] = {
        "pause": {"subscription_id": str(standing.id), "ends_on": str(ends_on)},
        "quantity": {"subscription_id": str(standing.id), "quantity": str(quantity)},
        "extra_product": {"product_id": str(article.id), "quantity": str(article.step), "shift": shift},
    }[kind]
    body = {"client_id": f"wish-{ask.stage.number('request')}", "kind": kind, "service_on": str(since),
            "customer_id": str(ask.home.id), **facts}  # fmt: skip
    made = ask.stage.write(dice, ask.stage.speaker(ask.home), "POST", "/api/requests", body)
    if not made.is_right:
        return False
    path = f"/api/requests/{made.facts['id']}"
    if late is None and dice.random() < 0.2:  # noqa: PLR2004
        ask.stage.write(dice, ask.stage.office, "POST", f"{path}/reject", {"reason": "no van there"})
        return True
    if late is not None:
        ask.stage.write(dice, ask.stage.office, "POST", f"{path}/approve", {}, wants=(409, 422))
    yes = {"reason": "they called", "late": late} if late else {}
    done = ask.stage.write(dice, ask.stage.office, "POST", f"{path}/approve", yes)
    if not done.is_right:
        return False
    if kind == "pause":
        standing.pauses.append((since, ends_on))
    elif kind == "quantity":
        standing.said[since] = (quantity, standing.said.get(since, (None, None))[1])
    else:
        key = f"{since}/{shift}/{ask.home.key}/extra-{ask.stage.number('extra')}"
        line = Line(article.key, article, article.step, article.price(since))
        ask.stage.book.extras[key] = Extra(key, ask.home, since, shift, {line.key: line}, id=done.facts["order_id"])
    return True
