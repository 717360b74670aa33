"""A message is written with what it tells of, sent after the commit, and forgets what it said."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from earlybird.infra.db import rehearsal, rows, transaction, value
from earlybird.infra.ports.messages import KeptMessages, NoMessages, NotSent
from earlybird.infra.security import Keys
from earlybird.infra.settings import Settings
from earlybird.kernel.ctx import Ctx
from earlybird.notifications import jobs, service
from earlybird.notifications.states import Channel, MessageKind

KEYS = Keys.random()
CODE = "739105"


@dataclass(frozen=True, slots=True)
class Refusing:
    """A gateway that takes nothing."""

    channels: frozenset[str] = frozenset({"email", "sms"})

    def send(self, channel: str, address: str, subject: str, body: str) -> None:
        raise NotSent


@dataclass(frozen=True, slots=True)
class Watching:
    """A gateway that looks at the database while it is handed a message."""

    engine: Engine
    seen: list[int] = field(default_factory=list)
    channels: frozenset[str] = frozenset({"email"})

    def send(self, channel: str, address: str, subject: str, body: str) -> None:
        with Session(self.engine) as session:
            idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
            self.seen.append(value(session, idle))


def tell(session: Session, ctx: Ctx, address: str = "ravi@milk.in", **over: Any) -> Any:
    facts = {"kind": MessageKind.one_time_code, "channel": Channel.email, "facts": {"code": CODE, "minutes": 5}}
    return service.tell(session, ctx, KEYS, address=address, **facts | over)


def kept(engine: Engine) -> list[dict[str, Any]]:
    with Session(engine) as session:
        return rows(session, "SELECT * FROM messages ORDER BY id")


def waiting(engine: Engine) -> int:
    with Session(engine) as session:
        return value(session, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'notifications.send'")


def test_the_commit_that_tells_queues_one_job_and_a_rollback_none(fresh: Engine, ctx: Ctx) -> None:
    with rehearsal(fresh) as session:
        tell(session, ctx)
    assert (kept(fresh), waiting(fresh)) == ([], 0)
    with transaction(fresh) as session:
        for _ in range(3):
            tell(session, ctx)
    assert (len(kept(fresh)), waiting(fresh)) == (3, 1)
    with transaction(fresh) as session:
        tell(session, ctx)
    assert waiting(fresh) == 2


def test_two_commits_at_once_do_not_wait_for_each_other(fresh: Engine, ctx: Ctx) -> None:
    with transaction(fresh) as one:
        tell(one, ctx)
        with transaction(fresh) as two:
            two.connection().exec_driver_sql("SET LOCAL lock_timeout = '1s'")
            tell(two, ctx)
        assert waiting(fresh) == 1
    assert waiting(fresh) == 2


def test_the_body_is_sealed_while_it_waits_and_wiped_once_sent(fresh: Engine, ctx: Ctx) -> None:
    with transaction(fresh) as session:
        tell(session, ctx)
    assert CODE.encode() not in kept(fresh)[0]["body"]
    gateway = KeptMessages()
    assert jobs.send(fresh, ctx, KEYS, gateway) == 1
    assert [(m[1], CODE in m[3]) for m in gateway.sent] == [("ravi@milk.in", True)]
    row = kept(fresh)[0]
    assert (row["state"], row["body"], row["tries"], row["last_error"]) == ("sent", None, 1, None)
    assert jobs.send(fresh, ctx, KEYS, gateway) == 0
    with Session(fresh) as session:
        trail = rows(session, "SELECT action, before, after, reason FROM audit_entries")
    assert [entry["action"] for entry in trail] == ["notifications.tell", "message.send"]
    assert CODE not in str(trail)


@pytest.mark.parametrize("address", ["customer-7@earlybird.local", "a@shop.example"])
def test_an_address_nobody_reads_is_never_mailed(fresh: Engine, ctx: Ctx, address: str) -> None:
    with transaction(fresh) as session:
        tell(session, ctx, address)
    gateway = KeptMessages()
    jobs.send(fresh, ctx.at(ctx.now + timedelta(days=1)), KEYS, gateway)
    row = kept(fresh)[0]
    assert (gateway.sent, row["state"], row["body"], waiting(fresh)) == ([], "suppressed", None, 0)


def test_nothing_is_sent_inside_a_transaction(fresh: Engine, ctx: Ctx) -> None:
    with transaction(fresh) as session:
        tell(session, ctx)
    gateway = Watching(fresh)
    jobs.send(fresh, ctx, KEYS, gateway)
    assert gateway.seen == [0]


def test_a_refused_message_is_tried_again_and_in_the_end_fails_without_its_body(fresh: Engine, ctx: Ctx) -> None:
    with transaction(fresh) as session:
        tell(session, ctx)
    now = ctx.now
    tries = 0
    while kept(fresh)[0]["state"] == "queued":
        assert jobs.send(fresh, ctx.at(now), KEYS, Refusing()) == 1
        tries += 1
        assert kept(fresh)[0]["body"] is None or kept(fresh)[0]["next_try_at"] > now
        now = max(now, kept(fresh)[0]["next_try_at"])
    row = kept(fresh)[0]
    assert (tries, row["state"], row["body"]) == (9, "failed", None)
    assert row["last_error"] == NotSent.__doc__


def test_a_sender_that_died_leaves_its_batch_to_the_next_one_after_a_minute(fresh: Engine, ctx: Ctx) -> None:
    with transaction(fresh) as session:
        tell(session, ctx)
    with transaction(fresh) as session:
        assert len(service.take(session, ctx, KEYS, {"email"})) == 1
    gateway = KeptMessages()
    assert jobs.send(fresh, ctx.at(ctx.now + timedelta(seconds=59)), KEYS, gateway) == 0
    assert jobs.send(fresh, ctx.at(ctx.now + timedelta(seconds=60)), KEYS, gateway) == 1
    assert len(gateway.sent) == 1


def test_a_code_past_its_life_is_not_sent(fresh: Engine, ctx: Ctx) -> None:
    with transaction(fresh) as session:
        tell(session, ctx, expires_at=ctx.now + timedelta(minutes=5))
    gateway = KeptMessages()
    assert jobs.send(fresh, ctx.at(ctx.now + timedelta(minutes=5)), KEYS, gateway) == 0
    assert (gateway.sent, kept(fresh)[0]["state"], kept(fresh)[0]["body"]) == ([], "failed", None)


def test_without_a_gateway_messages_wait_and_cost_no_try(fresh: Engine, ctx: Ctx) -> None:
    with transaction(fresh) as session:
        tell(session, ctx)
    assert jobs.send(fresh, ctx, KEYS, NoMessages()) == 0
    assert (kept(fresh)[0]["state"], kept(fresh)[0]["tries"]) == ("queued", 0)


def test_a_message_of_another_secret_key_fails_and_does_not_hold_up_the_rest(fresh: Engine, ctx: Ctx) -> None:
    with transaction(fresh) as session:
        facts = {"code": CODE, "minutes": 5}
        service.tell(session, ctx, Keys.random(), kind=MessageKind.one_time_code, channel=Channel.email,
                     address="a@b.in", facts=facts)  # fmt: skip
        tell(session, ctx)
    gateway = KeptMessages()
    jobs.send(fresh, ctx, KEYS, gateway)
    assert len(gateway.sent) == 1
    assert [row["state"] for row in kept(fresh)] == ["failed", "sent"]


def test_two_senders_at_once_send_each_message_once(fresh: Engine, ctx: Ctx) -> None:
    with transaction(fresh) as session:
        for _ in range(8):
            tell(session, ctx)
    with transaction(fresh) as one, transaction(fresh) as two:
        first, second = (service.take(s, ctx, KEYS, {"email"}) for s in (one, two))
    assert (len(first), len(second)) == (5, 3)
    assert not {m.id for m in first} & {m.id for m in second}


def test_the_worker_sends_what_commits_asked_for_batch_after_batch(fresh: Engine, ctx: Ctx, tmp_path: Path) -> None:
    import procrastinate

    from earlybird import worker

    gateway = KeptMessages()
    with transaction(fresh) as session:
        service.tell_many(
            session, ctx, KEYS,
            [service.Letter(MessageKind.one_time_code, Channel.sms, f"+9190000000{n:02}", {"code": n, "minutes": 5})
             for n in range(12)],
        )  # fmt: skip
    address = fresh.url.set(drivername="postgresql").render_as_string(hide_password=False)
    queue = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=address))
    worker.answer(queue, fresh, jobs.on_demand(KEYS, gateway))
    queue.run_worker(wait=False, install_signal_handlers=False, delete_jobs="successful")
    assert sorted(m[1] for m in gateway.sent) == [f"+9190000000{n:02}" for n in range(12)]
    assert waiting(fresh) == 0
    registered = worker.create_queue(fresh, Settings(data_dir=tmp_path))
    assert {"notifications.send", "notifications.sweep", "webhooks.send", "webhooks.sweep"} <= set(registered.tasks)


def test_the_command_lists_what_waits_but_never_what_it_says(
    fresh: Engine, ctx: Ctx, earlybird: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with transaction(fresh) as session:
        tell(session, ctx)
    for words in (["messages"], ["messages", "--json"]):
        shown = earlybird(*words)
        assert (shown.returncode, "ravi@milk.in" in shown.stdout, CODE in shown.stdout) == (0, True, False)
    sent = earlybird("messages", "send")
    assert (sent.returncode, sent.stdout) == (0, "0 messages tried.\n")
    assert kept(fresh)[0]["state"] == "queued"
