"""Every due instant is run once, whoever looks; what was missed is told, made up for within a bound, and closed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from conftest import NOW, scratch
from earlybird import wiring
from earlybird.cli import app
from earlybird.infra.db import connect, rows, run, transaction, value
from earlybird.infra.embedded import Embedded
from earlybird.infra.schedule import Periodic
from earlybird.infra.settings import Settings
from earlybird.jobs import queries, service
from earlybird.jobs.errors import NoSuchJob, RunsAlready
from earlybird.jobs.states import Outcome, Standing
from earlybird.kernel.ctx import SYSTEM, Ctx
from make.month import month

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(scope="module")
def database(server: Embedded) -> Iterator[Engine]:
    """A database that the tests of this module share."""
    with scratch(server) as url:
        engine = connect(url)
        yield engine
        engine.dispose()


@pytest.fixture
def idle(database: Engine) -> Engine:
    """It, with no job ever run."""
    with transaction(database) as session:
        run(session, "DELETE FROM findings")
        run(session, "DELETE FROM job_runs")
        run(session, "DELETE FROM job_clocks WHERE job <> 'installation'")
    return database


@dataclass
class Work:
    """A job that notes when it was called, and fails as often as it is told."""

    cron: str = "* * * * *"
    name: str = "test.work"
    failures: list[Exception] = field(default_factory=list)
    calls: list[datetime] = field(default_factory=list)

    def __call__(self, _engine: Engine, ctx: Ctx) -> int:
        self.calls.append(ctx.now)
        if self.failures:
            raise self.failures.pop()
        return 7

    @property
    def job(self) -> Periodic:
        return Periodic(self.name, self.cron, self)


def at(now: datetime) -> Ctx:
    return Ctx(actor=SYSTEM, now=now, via="job")


def findings(engine: Engine) -> dict[str, str]:
    with transaction(engine) as session:
        found = rows(session, "SELECT check_name || ' ' || subject AS what, state FROM findings ORDER BY first_seen_at")
    return {row["what"]: row["state"] for row in found}


def runs(engine: Engine, job: str = "test.work") -> list[dict[str, Any]]:
    with transaction(engine) as session:
        return rows(session, "SELECT * FROM job_runs WHERE job = :job ORDER BY due_at", {"job": job})


def test_each_due_instant_is_run_once_however_often_somebody_looks(idle: Engine) -> None:
    work = Work()
    assert service.run_due(idle, [work.job], at(NOW)) == []  # nothing is expected from before the first look
    for seconds in (59, 60, 61, 119, 120, 121, 30):
        service.run_due(idle, [work.job], at(NOW + timedelta(seconds=seconds)))
    assert work.calls == [NOW + MINUTE, NOW + 2 * MINUTE]
    assert [(row["due_at"], row["outcome"], row["row_count"]) for row in runs(idle)] == [
        (NOW + MINUTE, "done", 7),
        (NOW + 2 * MINUTE, "done", 7),
    ]
    assert findings(idle) == {}


def test_two_workers_at_once_run_a_due_instant_once_and_neither_waits(idle: Engine) -> None:
    begun, may_end = threading.Event(), threading.Event()
    calls: list[datetime] = []

    def slow(_engine: Engine, ctx: Ctx) -> None:
        calls.append(ctx.now)
        begun.set()
        assert may_end.wait(30)

    job = Periodic("test.slow", "* * * * *", slow)
    service.run_due(idle, [job], at(NOW))
    worker = threading.Thread(target=service.run_due, args=(idle, [job], at(NOW + MINUTE)))
    worker.start()
    try:
        assert begun.wait(30)
        later = NOW + HOUR
        assert service.run_due(idle, [job], at(later)) == []
        with pytest.raises(RunsAlready):
            service.run_now(idle, job, at(later))
        with transaction(idle) as session:  # it runs for long, and is not missed for that
            found = queries.standings(session, [job], later)[0]
        assert (found["state"], found["missed_since_at"]) == (Standing.running, None)
    finally:
        may_end.set()
        worker.join(30)
    assert calls == [NOW + MINUTE]
    with transaction(idle) as session:
        run(session, "UPDATE job_runs SET finished_at = :at", {"at": NOW + HOUR})
        assert queries.missed(session, [job], NOW + HOUR + MINUTE) == []
        assert len(queries.missed(session, [job], NOW + HOUR + 6 * MINUTE)) == 1
        run(session, "UPDATE job_runs SET finished_at = :at", {"at": NOW + MINUTE})
        assert queries.standings(session, [job], NOW + 2 * MINUTE)[0]["state"] == Standing.waiting


def test_after_three_days_of_silence_one_run_makes_up_for_all_and_closes_what_was_told(idle: Engine) -> None:
    work, told = Work(), []

    def look(engine: Engine, _ctx: Ctx) -> None:
        told.append(findings(engine))

    other = Periodic("test.look", "0 * * * *", look)
    service.run_due(idle, [work.job, other], at(NOW))
    service.run_due(idle, [work.job, other], at(NOW + MINUTE))
    late = NOW + 3 * DAY
    with transaction(idle) as session:
        missed = queries.missed(session, [work.job, other], late)
    assert [(row["name"], row["missed_since_at"]) for row in missed] == [
        ("test.work", NOW + 2 * MINUTE),
        ("test.look", NOW + HOUR),
    ]
    assert [made.job for made in service.run_due(idle, [work.job, other], at(late))] == ["test.work", "test.look"]
    assert work.calls == [NOW + MINUTE, late]
    assert told == [{"job_missed test.work 2026-01-15T12:02:00Z": "resolved",
                     "job_missed test.look 2026-01-15T13:00:00Z": "open"}]  # fmt: skip
    assert set(findings(idle).values()) == {"resolved"}
    with transaction(idle) as session:
        assert queries.missed(session, [work.job, other], late) == []


def test_where_each_instant_counts_each_is_run_within_a_bound_and_the_rest_is_left_to_a_person(idle: Engine) -> None:
    made: list[tuple[datetime, datetime]] = []
    job = Periodic(
        "test.each", "15 21 2 * *", lambda _e, _c: 1 // 0, lambda _e, ctx, due: made.append((due, ctx.now)), 2
    )
    service.run_due(idle, [job], at(NOW))
    late = datetime(2026, 5, 7, tzinfo=UTC)
    assert [one.outcome for one in service.run_due(idle, [job], at(late))] == [Outcome.done, Outcome.done]
    assert made == [(datetime(2026, 4, 2, 21, 15, tzinfo=UTC), late), (datetime(2026, 5, 2, 21, 15, tzinfo=UTC), late)]
    assert findings(idle) == {
        "job_missed test.each 2026-02-02T21:15:00Z": "resolved",
        "job_missed test.each 2026-02-02T21:15:00Z lost": "open",
    }
    assert service.run_due(idle, [job], at(late + DAY)) == []
    assert findings(idle)["job_missed test.each 2026-02-02T21:15:00Z lost"] == "open"


def test_a_failure_is_told_without_its_words_tried_again_later_and_closed_by_the_next_success(idle: Engine) -> None:
    work = Work(cron="0 13 * * *", failures=[ValueError("token-abc"), ValueError("token-abc")])
    due = NOW + HOUR
    service.run_due(idle, [work.job], at(NOW))
    first = service.run_due(idle, [work.job], at(due))
    assert (first[0].outcome, findings(idle)) == (Outcome.failed, {"job_failed test.work": "open"})
    assert "token-abc" not in str(runs(idle))
    assert runs(idle)[0]["error"].startswith("ValueError (trace ")
    assert service.run_due(idle, [work.job], at(due + timedelta(seconds=30))) == []
    again = service.run_due(idle, [work.job], at(due + 2 * MINUTE))
    assert (again[0].outcome, runs(idle)[0]["tries"]) == (Outcome.failed, 2)
    with transaction(idle) as session:
        assert queries.standings(session, [work.job], due + 3 * MINUTE)[0]["state"] == Standing.failed
    assert service.catch_up(idle, [work.job], at(due + 5 * MINUTE))[0].outcome == Outcome.done
    assert [(row["due_at"], row["outcome"], row["tries"], row["error"]) for row in runs(idle)] == [
        (due, "done", 3, None)
    ]
    assert set(findings(idle).values()) == {"resolved"}
    assert service.run_due(idle, [work.job], at(due + HOUR)) == []


def test_one_that_fails_does_not_hold_up_the_others(idle: Engine) -> None:
    bad, good = Work(name="test.bad", failures=[RuntimeError()]), Work(name="test.good")
    jobs = [bad.job, good.job]
    service.run_due(idle, jobs, at(NOW))
    assert [one.outcome for one in service.run_due(idle, jobs, at(NOW + MINUTE))] == ["failed", "done"]


def test_the_watch_makes_up_for_what_is_late_and_leaves_the_rest_to_its_moment(idle: Engine) -> None:
    often, daily = Work(), Work(name="test.daily", cron="0 11 * * *")
    jobs = (often.job, daily.job)
    service.run_due(idle, jobs, at(NOW))
    service.run_due(idle, [often.job], at(NOW + DAY - MINUTE))
    assert service.watch(jobs).run(idle, at(NOW + DAY)) == 1
    assert (len(often.calls), daily.calls) == (1, [NOW + DAY])


def test_by_hand_a_job_runs_at_any_time_and_makes_up_for_what_it_missed(idle: Engine) -> None:
    daily = Work(cron="0 11 * * *")
    service.run_due(idle, [daily.job], at(NOW))
    for _ in range(2):
        assert service.run_now(idle, daily.job, at(NOW + DAY))[0].outcome == Outcome.done
    assert service.run_due(idle, [daily.job], at(NOW + DAY)) == []
    with pytest.raises(NoSuchJob):
        queries.named([daily.job], "test.none")


def test_old_runs_are_dropped_those_of_frequent_jobs_sooner_but_never_the_newest(idle: Engine) -> None:
    often, daily, dead = Work(), Work(name="test.daily", cron="0 11 * * *"), Work(name="test.dead", cron="0 1 * * *")
    jobs = [often.job, daily.job, dead.job]
    service.run_due(idle, jobs, at(NOW))
    service.run_due(idle, jobs, at(NOW + DAY))
    for days in range(27, 33):
        service.run_due(idle, jobs[:2], at(NOW + days * DAY))
    assert service.forget(jobs).run(idle, at(NOW + 32 * DAY)) == 5
    assert [len(runs(idle, job.name)) for job in jobs] == [3, 6, 1]


KILLED = """
import sys, time
from datetime import datetime
from earlybird import wiring
from earlybird.cli import app
from earlybird.billing import jobs as billing
from earlybird.infra.db import connect
from earlybird.infra.embedded import Embedded
from earlybird.infra.schedule import Periodic
from earlybird.jobs import service
from earlybird.kernel.ctx import SYSTEM, Ctx

def charge_then_stop(engine, ctx):
    billing.charge_delivered(engine, ctx)
    print("charged", flush=True)
    time.sleep(60)

job = Periodic("billing.charge", "* * * * *", charge_then_stop)
ctx = Ctx(actor=SYSTEM, now=datetime.fromisoformat(sys.argv[2]), via="job")
service.run_due(connect(sys.argv[1]), [job], ctx)
"""


def test_a_worker_killed_in_the_middle_of_a_job_is_found_and_made_up_for_without_doubling(
    fresh: Engine, fresh_url: str, tmp_path: Path
) -> None:
    charge = next(job for job in wiring.periodic(Settings(data_dir=tmp_path)) if job.name == "billing.charge")
    with transaction(fresh) as session:
        month(session)
        charged = value(session, "SELECT count(*) FROM charges")
        run(session, "SET LOCAL session_replication_role = replica")
        run(session, "DELETE FROM charges WHERE service_on = '2026-01-14'")
        run(session, "INSERT INTO job_clocks VALUES ('billing.charge', :now)", {"now": NOW})
    now = NOW + MINUTE
    words = [sys.executable, "-c", KILLED, fresh_url, now.isoformat()]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "charged\n"
        child.kill()
    later = now + timedelta(seconds=20)
    while not (made := service.run_due(fresh, [charge], at(later))):  # until the server noticed that it is gone
        threading.Event().wait(0.01)
    assert [(one.due_at, one.outcome, one.row_count) for one in made] == [(now, Outcome.done, 0)]
    assert [(row["outcome"], row["tries"]) for row in runs(fresh, "billing.charge")] == [("done", 2)]
    assert findings(fresh) == {"job_failed billing.charge": "resolved"}
    with transaction(fresh) as session:
        assert value(session, "SELECT count(*) FROM charges") == charged


def test_a_business_stopped_for_three_days_plans_first_and_every_job_runs_once(fresh: Engine, tmp_path: Path) -> None:
    jobs = wiring.periodic(Settings(data_dir=tmp_path))
    assert len({job.name for job in jobs}) == len(jobs)
    with transaction(fresh) as session:
        month(session)
    assert service.run_due(fresh, jobs, at(NOW)) == []
    service.run_due(fresh, jobs, at(NOW + 5 * MINUTE))
    late = NOW + 3 * DAY
    made = [one for one in service.run_due(fresh, jobs, at(late)) if one.job != "billing.bill_month"]
    assert [one.error for one in made] == [None] * len(made)
    assert [one.job for one in made] == [job.name for job in jobs if job.name != "billing.bill_month"]
    with transaction(fresh) as session:
        order = rows(session, "SELECT service_on FROM plan_runs WHERE planned_at >= :late ORDER BY id", {"late": late})
        told = rows(session, "SELECT state, count(*) AS n FROM findings WHERE check_name = 'job_missed' GROUP BY state")
    assert datetime(2026, 1, 18, tzinfo=UTC).date() in [row["service_on"] for row in order]
    assert [(row["state"], row["n"] >= len(made) - 1) for row in told] == [("resolved", True)]
    assert service.run_due(fresh, jobs, at(late)) == []


def test_the_commands_list_run_and_tell_what_was_missed(
    idle: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with transaction(idle) as session:
        month(session)
        run(session, "UPDATE job_clocks SET covered_until_at = :at", {"at": NOW - DAY})
    monkeypatch.setenv("EARLYBIRD_DATABASE_URL", idle.url.render_as_string(hide_password=False))
    monkeypatch.setenv("EARLYBIRD_NOW", NOW.isoformat())
    monkeypatch.setenv("EARLYBIRD_DATA_DIR", str(tmp_path))
    missed = CliRunner().invoke(app, ["jobs", "missed", "--json"])
    found = {row["name"]: row for row in json.loads(missed.stdout)}
    assert (missed.exit_code, found["deliveries.plan"]["lag_seconds"]) == (1, 86400 - 300)
    ran = CliRunner().invoke(app, ["jobs", "run", "deliveries.plan"])
    assert (ran.exit_code, ran.stdout) == (0, "deliveries.plan for 2026-01-15 12:00:00 UTC: done 0 done\n")
    listed = CliRunner().invoke(app, ["jobs", "list", "--json"])
    plan = next(row for row in json.loads(listed.stdout) if row["name"] == "deliveries.plan")
    assert (listed.exit_code, plan["last_outcome"], plan["missed_since_at"]) == (0, "done", None)
    assert plan["next_due_at"].startswith("2026-01-15T12:05:00")
    with transaction(idle) as session:
        run(session, "UPDATE job_clocks SET covered_until_at = now() WHERE job = 'installation'")
