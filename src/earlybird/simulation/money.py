"""Money in both directions: the month's bills, payments by file, some twice, some that bounce."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

from earlybird.simulation.model import Household
from earlybird.simulation.stage import Stage

DAY = timedelta(days=1)


def bill(stage: Stage, day: date) -> None:
    """Bill the month that ended yesterday, twice: the second run must find nothing."""
    if day.day != 1:
        return
    dice = stage.dice(day, "bill")
    month = f"{day - DAY:%Y-%m}"
    stage.write(dice, stage.admin, "POST", "/api/invoices/runs", {"month": month})
    stage.book.bill(day - DAY)
    again = stage.wire.ask(stage.admin, "POST", "/api/invoices/runs", {"month": month})
    if not again.is_right or again.facts["count"]:
        stage.wire.surprises.append(f"the second run of {month} issued {again.facts}")
    stage.decide("billed", month)


def pay(stage: Stage, day: date) -> None:
    """Let some who owe pay, and a few pay ahead; bring the rows in as one batch, and a row of it again."""
    dice = stage.dice(day, "payments")
    cash, _ = stage.book.cash()
    payments = []
    for home in stage.book.homes.values():
        owed = home.billed - home.paid - cash.get(home.key, 0)
        if owed > 0 and dice.random() < 0.15:  # noqa: PLR2004
            payments.append((home, dice.choice((owed, owed, owed, owed // 2 or 1, owed + 10000))))
        elif dice.random() < 0.01:  # noqa: PLR2004
            payments.append((home, 50000))
    if not payments:
        return
    told = [_row(stage, dice, day, home, minor) for home, minor in payments]
    twice = dice.choice(told)
    stranger = told[0] | {"client_id": f"nobody-{day}", "customer": "C-NOBODY"}
    answer = stage.write(dice, stage.office, "POST", "/api/payments/batches", {"payments": [*told, twice, stranger]})
    if not answer.is_right:
        return
    verdicts = [row["verdict"] for row in answer.facts["rows"]]
    if verdicts != ["recorded"] * len(told) + ["repeated", "rejected"]:
        stage.wire.surprises.append(f"payments were answered with {verdicts}")
    for (home, minor), row in zip(payments, answer.facts["rows"], strict=False):
        home.paid += minor
        stage.decide("pay", home.key, minor)
        stage.tally["payments"] += 1
        stage.tally["paid_minor"] += minor
        if dice.random() < 0.03:  # noqa: PLR2004
            _bounce(stage, dice, home, minor, row["payment_id"])


def count_bags(stage: Stage, day: date) -> None:
    """Count the drivers' cash at the depot; now and then a note is missing, and stays owed."""
    dice = stage.dice(day, "bags")
    _, held = stage.book.cash()
    for driver in stage.drivers:
        owed = held.get(driver.name, 0) - stage.book.counted.get(driver.name, 0)
        if owed > 0 and dice.random() < 0.7:  # noqa: PLR2004
            counted = owed - 1000 if owed > 1000 and dice.random() < 0.1 else owed  # noqa: PLR2004
            body = {"counted_minor": counted, "currency": "INR"}
            path = f"/api/drivers/{driver.id}/settlements"
            if stage.write(dice, stage.admin, "POST", path, body).is_right:
                stage.book.counted[driver.name] = stage.book.counted.get(driver.name, 0) + counted
                stage.decide("counted", driver.name, counted)
                stage.tally["settlements"] += 1


def _bounce(stage: Stage, dice: random.Random, home: Household, minor: int, payment_id: str) -> None:
    body = {"reason": "the bank sent it back"}
    if stage.write(dice, stage.admin, "POST", f"/api/payments/{payment_id}/reverse", body).is_right:
        home.paid -= minor
        stage.decide("bounce", home.key, minor)
        stage.tally["reversals"] += 1


def _row(stage: Stage, dice: random.Random, day: date, home: Household, minor: int) -> dict[str, Any]:
    return {
        "client_id": f"pay-{stage.seed}-{stage.number('payment')}",
        "customer": dice.choice((home.code, str(home.id))),
        "amount_minor": minor,
        "currency": "INR",
        "method": dice.choice(("upi", "cash", "neft")),
        "received_on": str(day),
    }
