"""Who wins at the door and what follows from it, as pure functions of sets of events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earlybird.deliveries import errors, rules
from earlybird.deliveries.rules import Claim, Line, Policy, Told
from earlybird.deliveries.states import MACHINE, Authority, DeliveryState, EventKind
from earlybird.kernel.errors import Failure
from earlybird.orders.states import MACHINE as ORDER_MACHINE
from earlybird.orders.states import OrderState

DAWN = datetime(2026, 1, 15, 1, 0, tzinfo=UTC)
DAY = date(2026, 1, 15)
MILK, CURD = UUID(int=1), UUID(int=2)
LINES = [
    Line(MILK, UUID(int=11), UUID(int=21), Decimal(3), DAY),
    Line(CURD, UUID(int=12), UUID(int=22), Decimal(2), DAY),
]


def told(client_id: str, quantity: str, **over: object) -> Told:
    facts = {"kind": "confirm", "authority": Authority.driver, "minute": 0, "actor": "user:1", "containers": {}} | over
    minute = timedelta(minutes=facts.pop("minute"))  # type: ignore[arg-type]
    return Told(client_id=client_id, device_at=DAWN + minute, quantities={MILK: Decimal(quantity)}, **facts)  # type: ignore[arg-type]


def milk(*events: Told) -> Decimal:
    return rules.settle(events, MILK, Decimal(3))


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        (told("a", "1", authority=Authority.staff), told("z", "3", minute=9)),
        (told("a", "1"), told("z", "3", authority=Authority.substitute, minute=9)),
        (told("a", "1", authority=Authority.substitute), told("z", "3", authority=Authority.link, minute=9)),
        (told("a", "1", minute=2), told("z", "3", minute=1)),
        (told("b", "1"), told("a", "3")),
    ],
    ids=["staff-over-driver", "driver-over-substitute", "substitute-over-link", "later-device-time", "client-id"],
)
def test_who_wins(winner: Told, loser: Told) -> None:
    assert milk(winner, loser) == milk(loser, winner) == Decimal(1)


def test_a_return_counts_when_it_comes_after_the_word_that_counts() -> None:
    word = told("m", "3", minute=5)
    assert milk(word, told("r", "1", kind="return", minute=6)) == Decimal(2)
    assert milk(word, told("r", "1", kind="return", minute=4)) == Decimal(3)
    assert milk(told("r", "1", kind="return")) == Decimal(0)
    assert milk(word, told("r", "2", kind="return", minute=6), told("s", "2", kind="return", minute=7)) == Decimal(0)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(list(EventKind)),
        st.sampled_from(list(Authority)),
        st.integers(0, 3),
        st.sampled_from(["phone", "tablet", "desk"]),
        st.integers(0, 4),
        st.sets(st.sampled_from([MILK, CURD]), min_size=1),
        st.integers(0, 3),
    ),
    max_size=8,
)


@given(raw=EVENTS, data=st.data())
@settings(deadline=None)
def test_any_permutation_and_repetition_of_three_devices_converges(raw: list[tuple], data: st.DataObject) -> None:
    events = [
        Told(str(n), kind, authority, DAWN + timedelta(minutes=minute), device,
             {line: Decimal(quantity) for line in lines}, {"-crate": crates, "+crate": 1} if crates else {},
             (crates * 100, "INR") if crates and kind != "return" else None, device.removeprefix("user:"))
        for n, (kind, authority, minute, device, quantity, lines, crates) in enumerate(raw)
    ]  # fmt: skip
    arrived = data.draw(
        st.permutations(events + data.draw(st.lists(st.sampled_from(events), max_size=4))) if events else st.just([])
    )
    assert run(arrived) == run(events)


def run(arriving: Sequence[Told]) -> tuple[object, ...]:
    """Take events as the door does: once per client id, each adding what leads to the settled quantity."""
    kept: dict[str, Told] = {}
    total = {MILK: Decimal(0), CURD: Decimal(0)}
    crates = 0
    for event in arriving:
        if event.client_id in kept:
            continue
        before = rules.containers(list(kept.values()), "-crate")
        kept[event.client_id] = event
        for line in LINES:
            if line.id in event.quantities:
                total[line.id] += rules.settle(list(kept.values()), line.id, line.ordered) - total[line.id]
        crates += rules.containers(list(kept.values()), "-crate") - before
    for line in LINES:
        assert 0 <= total[line.id] <= line.ordered
    cash = rules.cash(list(kept.values()), "driver")
    return total, crates, cash, rules.outcome((line.ordered, total[line.id]) for line in LINES)


@given(
    minutes=st.integers(-4 * 1440, 4 * 1440),
    kind=st.sampled_from(list(EventKind)),
    authority=st.sampled_from(list(Authority)),
    reason=st.sampled_from([None, "", "late"]),
    dates=st.booleans(),
    window=st.integers(0, 2),
)
def test_when(
    minutes: int,
    kind: EventKind,
    authority: Authority,
    reason: str | None,
    dates: bool,  # noqa: FBT001
    window: int,
) -> None:
    at = DAWN + timedelta(minutes=minutes)
    apart = abs((at.date() - DAY).days)
    by_staff = kind == EventKind.correct and authority == Authority.staff and reason == "late"
    ought = None
    if dates and minutes > 5:
        ought = errors.InTheFuture
    elif dates and apart > window and not by_staff:
        ought = errors.OutsideWindow
    got = None
    try:
        rules.check_when(
            Policy(dates=dates, window_days=window), kind=kind, authority=authority, reason=reason, device_at=at,
            device_on=at.date(), planned_on=DAY, now=DAWN,
        )  # fmt: skip
    except Failure as failure:
        got = (type(failure), failure.field)
    assert got == (ought and (ought, "device_at"))


@given(quantity=st.decimals(0, 9, places=3), enforced=st.booleans())
def test_no_more_than_ordered(quantity: Decimal, enforced: bool) -> None:  # noqa: FBT001
    claim = Claim(None, None, 1, quantity)
    if enforced and quantity > 3:
        with pytest.raises(errors.MoreThanOrdered, match=r"^lines\.0\.quantity"):
            rules.quantities(Policy(), LINES, [claim])
    else:
        assert rules.quantities(Policy(quantities=enforced), LINES, [claim]) == {MILK: quantity}


def test_every_outcome_is_reachable_from_every_open_state() -> None:
    open_ones = [state for state in DeliveryState if state != DeliveryState.cancelled]
    for state in open_ones:
        for target, verb in rules.VERBS.items():
            if state != target:
                assert MACHINE.target(state, verb) == target


@given(
    state=st.sampled_from([s for s in OrderState if s != OrderState.cancelled]),
    target=st.sampled_from([OrderState.planned, OrderState.out, *map(OrderState, rules.VERBS)]),
)
def test_the_path_of_an_order_is_made_of_open_moves(state: OrderState, target: OrderState) -> None:
    waiting = {OrderState.placed, OrderState.planned, OrderState.out}
    end = state
    for verb in rules.order_path(state, target):
        end = ORDER_MACHINE.target(end, verb)
    assert end == (state if state in waiting and target in waiting else target)


@pytest.mark.parametrize(
    ("pairs", "attempts", "state"),
    [
        ([(2, 0)], ["planned"], None),
        ([(2, 0)], ["cancelled"], None),
        ([(2, 2)], ["delivered"], "delivered"),
        ([(2, 2), (1, 0)], ["partially_delivered"], "partially_delivered"),
        ([(2, 0)], ["not_delivered"], "not_delivered"),
        ([(2, 0)], ["not_delivered", "planned"], "planned"),
        ([(2, 0)], ["not_delivered", "out"], "out"),
        ([(2, 2)], ["not_delivered", "delivered"], "delivered"),
        ([(2, 2)], ["partially_delivered", "partially_delivered"], "delivered"),
        ([(2, 1)], ["partially_delivered", "planned"], "partially_delivered"),
    ],
)
def test_an_order_is_the_sum_of_its_attempts(
    pairs: list[tuple[int, int]], attempts: list[str], state: str | None
) -> None:
    found = rules.order_state(
        [(Decimal(a), Decimal(b)) for a, b in pairs], [DeliveryState(attempt) for attempt in attempts]
    )
    assert found == state
