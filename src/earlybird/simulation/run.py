"""The days, one after another: dawn, noon, dusk, cut-off, the night's plan, and the evening's questions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from pydantic import SecretStr

from earlybird import wiring
from earlybird.infra.db import APPLICATION, can_act_as_application, connect, rehearsal, rows, run
from earlybird.infra.schedule import Periodic
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.jobs import service as jobs
from earlybird.kernel.ctx import SYSTEM, Ctx
from earlybird.main import create_app
from earlybird.simulation import dispatch, doorsteps, invariants, money, opening, wishes
from earlybird.simulation.clockwork import Clock, Worker, at
from earlybird.simulation.crashes import Crashes, killed
from earlybird.simulation.invariants import Violation
from earlybird.simulation.model import Book
from earlybird.simulation.stage import Stage
from earlybird.simulation.wire import Unanswered, Wire

DAY = timedelta(days=1)
MONTH_END = date(2026, 2, 1)
"""The last third of every simulation lies in the month that begins here, so that each bills one."""

Shown = Callable[["Played"], None]
Between = Callable[[Stage, date], None]


@dataclass(frozen=True)
class Played:
    """What happened on a day, counted, and what did not hold that evening."""

    day: date
    counts: dict[str, int]
    violations: list[Violation]


@dataclass
class Outcome:
    """A whole simulation: its days, and the digest by which two runs of a seed are compared."""

    seed: int
    customers: int
    days: list[Played] = field(default_factory=list)
    digest: str = ""

    @property
    def violations(self) -> list[Violation]:
        """Everything that did not hold."""
        return [violation for played in self.days for violation in played.violations]

    @property
    def totals(self) -> dict[str, int]:
        """The counts of all days."""
        found: Counter[str] = Counter()
        for played in self.days:
            found.update(played.counts)
        return dict(found)


def first_day(days: int) -> date:
    """Return the first day of delivery: two thirds of the days lie before the month's end."""
    return MONTH_END - DAY * (days * 2 // 3)


def simulate(
    url: str,
    folder: Path,
    *,
    days: int,
    customers: int,
    seed: int,
    shown: Shown = lambda _played: None,
    between: Between = lambda _stage, _day: None,
) -> Outcome:
    """Play so many days of a dairy in an empty, migrated database, and stop on the first evening that is wrong.

    `folder` takes the checkpoints of the audit and the secret key. `shown` is called with each day when it is over,
    `between` before its questions are asked: tests break promises there.
    """
    outcome = Outcome(seed, customers)
    first = first_day(days)
    with _stage(url, folder, seed, first) as stage:
        opening.open_dairy(stage, customers, first)
        _night(stage, first - DAY, is_open=False)
        for day in (first + DAY * n for n in range(days)):
            played = _played(stage, day, between)
            outcome.days.append(played)
            shown(played)
            if played.violations:
                break
        outcome.digest = stage.digest()
    return outcome


def _played(stage: Stage, day: date, between: Between) -> Played:
    """Play a day and ask its questions; where a door that must answer does not, that is the answer."""
    try:
        _play(stage, day)
        between(stage, day)
        counts = _counts(stage)
        return Played(day, counts, _questions(stage))
    except Unanswered as failure:
        told = [*stage.wire.surprises, str(failure)]
        return Played(day, _counts(stage), [Violation("answers_as_promised", what) for what in told])


@contextmanager
def _stage(url: str, folder: Path, seed: int, first: date) -> Iterator[Stage]:
    clock = Clock(at(first - DAY, 10))
    settings = Settings(
        data_dir=folder,
        requests_per_minute=10**9,
        first_password=SecretStr(opening.FIRST_PASSWORD),
        password_memory_kib=64,
        password_rounds=1,
    )
    owner = connect(url)
    is_application = can_act_as_application(owner)
    engine = connect(url, role=APPLICATION if is_application else None, pool_size=10, max_overflow=30)
    try:
        crashes = Crashes(engine, owner)
        app = create_app(engine, clock, keys=Keys.read(settings), settings=settings)
        site_id, ways = opening.settle_in(owner, clock)
        worker = Worker(engine, clock, wiring.periodic(settings))
        with Wire(app, clock, crashes) as wire:
            admin, office = (opening.come_in(wire, email, way) for email, way in ways.items())
            book = Book(opening.articles())
            stage = Stage(seed, engine, owner, clock, wire, worker, crashes, book, site_id, admin, office)
            worker.hurt = _hurter(stage, url, as_application=is_application)
            yield stage
    finally:
        engine.dispose()
        owner.dispose()


def _hurter(stage: Stage, url: str, *, as_application: bool) -> Callable[[tuple[Periodic, ...]], int]:
    """Return what now and then kills a process under a job before the others run, or a backend while they do."""
    dice = random.Random(f"{stage.seed} jobs")  # noqa: S311  # a game, no secret

    def hurt(listed: tuple[Periodic, ...]) -> int:
        stage.crashes.disarm()
        if dice.random() < 0.15:  # noqa: PLR2004
            stage.crashes.arm(dice.randint(1, 400))
        if dice.random() > 0.15:  # noqa: PLR2004
            return 0
        job, statements = dice.choice(listed), dice.randint(1, 40)
        ctx = Ctx(actor=SYSTEM, now=stage.clock.now, via="job")
        return killed(
            url,
            as_application=as_application,
            statements=statements,
            work=lambda engine: jobs.run_due(engine, [job], ctx),
        )

    return hurt


def _play(stage: Stage, day: date) -> None:
    """Play one day from the night's jobs to the plan of the next."""
    stage.clock.now = at(day, 3)
    doorsteps.try_again(stage, day)
    _at(stage, day, 3, 5)
    for shift, hour in (("morning", 4), ("evening", 16)):
        stage.clock.now = at(day, hour, 30)
        rounds = dispatch.fetch(stage, day, shift)
        dispatch.prepare(stage, day, shift, rounds)
        doorsteps.drive(stage, day, shift, rounds)
        dispatch.close(stage, day, shift, rounds)
        if shift == "morning":
            stage.clock.now = at(day, 9, 40)
            doorsteps.upload(stage, day)
            doorsteps.correct(stage, day)
            money.bill(stage, day)
            stage.clock.now = at(day, 12)
            money.pay(stage, day)
            money.count_bags(stage, day)
            wishes.ask_for_changes(stage, day)
            stage.clock.now = at(day, 15, 45)
            doorsteps.upload(stage, day)
    _night(stage, day)


def _night(stage: Stage, day: date, *, is_open: bool = True) -> None:
    """Let the cut-off pass, plan tomorrow, refuse who comes late but for what the office allows, and settle the day."""
    _at(stage, day, 20, 10)
    stage.book.plan(day + DAY)
    stage.clock.now = at(day, 20, 40)
    if is_open:
        wishes.ask_too_late(stage, day)
        if wishes.allow_late(stage, day):
            stage.book.plan_again(day + DAY)
    stage.clock.now = at(day, 21, 45)
    doorsteps.upload(stage, day)
    _at(stage, day, 23, 30)


def _at(stage: Stage, day: date, hour: int, minute: int) -> None:
    """Let it be that time, and the worker do what came due."""
    stage.clock.now = at(day, hour, minute)
    stage.worker.work()
    stage.crashes.disarm()


def _questions(stage: Stage) -> list[Violation]:
    """Ask everything that must hold: of the database, of the proof, of the product's own questions, of the answers."""
    found = [Violation("answers_as_promised", what) for what in stage.wire.surprises]
    stage.wire.surprises.clear()
    with rehearsal(stage.owner) as session:
        run(session, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found += invariants.check(session, stage.book)
    proof = stage.wire.see(stage.admin, "/api/proof")
    worth = sum(stop.worth(line) for stop in stage.book.stops.values() for line in stop.lines.values())
    billed = sum(home.billed for home in stage.book.homes.values())
    for total in proof["totals"]:
        wanted = {
            "lost_minor": 0,
            "over_minor": 0,
            "delivered_minor": worth,
            "charged_minor": worth,
            "billed_minor": billed,
        }
        found += [
            Violation("proof_is_empty", f"{name} is {total[name]}, {minor} by the reference")
            for name, minor in wanted.items()
            if total[name] != minor
        ]
    answers = stage.wire.ask(stage.admin, "POST", "/api/reconcile/runs")
    for asked in answers.facts["checks"] if answers.is_right else []:
        if asked["count"]:
            path = f"/api/reconcile/findings?check={asked['name']}&state=open&limit={invariants.MOST}"
            titles = [row["title"] for row in stage.wire.see(stage.admin, path)["items"]]
            found += [Violation("every_question_answered_none", f"{asked['name']}: {title}") for title in titles]
    missed = ["job_missed", "job_failed", "plan_run_missed", *([] if stage.outboxes else ["device_gap"])]
    with rehearsal(stage.owner) as session:
        told = rows(
            session,
            "SELECT check_name || ': ' || title AS what FROM findings "
            "WHERE state = 'open' AND (severity = 'error' OR check_name = ANY(:missed)) ORDER BY 1",
            {"missed": missed},
        )
    found += [Violation("nothing_is_missed", row["what"]) for row in told]
    return found + [Violation("answers_as_promised", what) for what in stage.wire.surprises]


def _counts(stage: Stage) -> dict[str, int]:
    """Return what was counted today, and begin anew."""
    counts: dict[str, int] = dict(stage.tally)
    stage.tally.clear()
    counts["crashes"] = stage.crashes.count + stage.worker.again
    counts["requests"] = stage.wire.sent
    counts["jobs"] = stage.worker.runs
    stage.crashes.count = stage.worker.again = stage.wire.sent = stage.worker.runs = 0
    billed = sum(home.billed for home in stage.book.homes.values())
    worth = sum(stop.worth(line) for stop in stage.book.stops.values() for line in stop.lines.values())
    for name, so_far in (("billed_minor", billed), ("delivered_minor", worth)):
        counts[name] = so_far - stage.so_far.get(name, 0)
        stage.so_far[name] = so_far
    return counts
