"""`earlybird plan` cuts the day; `earlybird rounds` lists and shows it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

from sqlalchemy import Engine

import make
from earlybird.infra import db


def test_a_planned_day_is_listed_and_shown_in_order(
    fresh: Engine, earlybird: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with db.transaction(fresh) as session:
        firm = make.business(session)
        driver, milk = make.driver(session, firm), make.product(session, firm)
        for name in ("Meena", "Ravi"):
            make.subscription(session, make.customer(session, firm, name, driver_id=driver.id), milk)
    assert earlybird("plan", "--on", "2026-01-16").returncode == 0
    listed = earlybird("rounds", "list", "--on", "2026-01-16", "--json")
    [row] = json.loads(listed.stdout)
    assert (row["name"], row["state"], row["stops"], row["open"]) == ("Prakash", "planned", 2, 2)
    [shown] = json.loads(earlybird("rounds", "show", "--on", "2026-01-16", "--driver", "Prakash", "--json").stdout)
    assert {stop["customer_name"] for stop in shown["in_order"]} == {"Meena", "Ravi"}
    assert [stop["position"] for stop in shown["in_order"]] == [1, 2]
    page = earlybird("rounds", "show", "--on", "2026-01-16").stdout
    assert "Meena" in page
    assert "12 Temple Road" in page
    assert earlybird("rounds", "show", "--on", "2026-01-16", "--driver", "Nobody").returncode == 1
    assert earlybird("rounds", "list", "--on", "tomorrow").returncode == 2
