"""`earlybird confirm`: files as they come, twice, at once, and cut off in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import make
from conftest import NOW
from earlybird.infra.db import run, value
from make.planned import Planned

Cli = Callable[..., subprocess.CompletedProcess[str]]
AT = "2026-01-15T06:30:00+05:30"

STATE = {
    "delivery_events": "client_id, delivery_id, kind, device_at, authority, told, actor_name, via",
    "delivery_event_lines": "delivery_line_id, revision, delta_quantity, reason, service_on",
    "delivery_lines": "id, delivered_quantity",
    "deliveries": "id, state",
    "orders": "id, state",
    "container_movements": "customer_id, container, quantity, moved_on",
    "delivery_rejections": "client_id, body, field, rule, digest, resolved_at IS NULL",
    "findings": "check_name, subject, facts, state",
}


def state(engine: Engine) -> dict[str, Any]:
    """All that confirmations write, apart from ids and times of receipt."""
    with Session(engine) as session:
        return {
            table: value(session, f"SELECT md5(string_agg(t::text, ';' ORDER BY t::text)) FROM (SELECT {what} FROM {table}) t")
            for table, what in STATE.items()
        }  # fmt: skip


def count(engine: Engine, table: str) -> int:
    with Session(engine) as session:
        return int(value(session, f"SELECT count(*) FROM {table}"))


def a_round(engine: Engine, stops: int) -> list[Planned]:
    with Session(engine) as session, session.begin():
        firm = make.business(session)
        products = [make.product(session, firm).id, make.product(session, firm, "Curd").id]
        customer_id: UUID = make.customer(session, firm).id
        return [make.planned(session, firm, customer_id, products) for _ in range(stops)]


def line(order: Planned, n: int, **over: Any) -> str:
    facts = {"client_id": f"p-{n}", "kind": "confirm", "order_id": str(order.order_id), "device_at": AT}
    if "lines" not in over:
        facts["outcome"] = "delivered"
    return json.dumps(facts | over)


def mixed(orders: list[Planned]) -> list[str]:
    """Full, partial, refused, corrected by another, returned, wrong: in one file."""
    lines = []
    for n, order in enumerate(orders):
        lines.append(line(order, n, empties=[{"container": "bottle", "quantity": 1}]))
        if n % 3 == 0:
            lines.append(
                line(order, n, client_id=f"l-{n}", authority="staff", kind="correct", reason="counted again",
                     actor={"kind": "user", "name": "Asha"}, lines=[{"line": 1, "quantity": "0.5"}])
            )  # fmt: skip
        if n % 4 == 0:
            lines.append(
                line(order, n, client_id=f"r-{n}", kind="return", lines=[{"line": 2, "quantity": 1}],
                     device_at="2026-01-15T07:30:00+05:30")
            )  # fmt: skip
        if n % 10 == 0:
            lines += [line(order, n, client_id=f"w-{n}", lines=[{"line": 1, "quantity": 99}]), '{"cut off']
    return lines


def write(folder: Path, lines: list[str]) -> Path:
    file = folder / "round.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@contextmanager
def started(url: str, file: Path) -> Iterator[subprocess.Popen[str]]:
    """The real command in a process of its own."""
    environment = {**os.environ, "EARLYBIRD_DATABASE_URL": url, "EARLYBIRD_NOW": NOW.isoformat()}
    process = subprocess.Popen(
        [sys.executable, "-m", "earlybird", "confirm", "--file", str(file), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=file.parent,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_file_is_taken_counted_and_repeated_without_effect(fresh: Engine, earlybird: Cli, tmp_path: Path) -> None:
    orders = a_round(fresh, 30)
    file = write(tmp_path, [*mixed(orders), "", mixed(orders)[0]])
    dry = earlybird("confirm", "--file", str(file), "--json", "--dry-run")
    assert [count(fresh, table) for table in ("delivery_events", "delivery_rejections", "audit_entries")] == [0, 0, 0]
    first = earlybird("confirm", "--file", str(file), "--json")
    said = json.loads(first.stdout)
    assert first.returncode == 1
    assert json.loads(dry.stdout) == said | {"dry_run": True}
    rejections = said.pop("rejections")
    assert said == {
        "read": 55, "accepted": 48, "superseded": 0, "repeated": 1, "rejected": 6, "dry_run": False,
        "outcomes": {"delivered": 30, "partially_delivered": 18},
    }  # fmt: skip
    assert rejections[0] == {
        "line": 4, "client_id": "w-0", "field": "lines.0.quantity",
        "rule": "The quantity is more than was ordered. (ordered=2, told=99)",
    }  # fmt: skip
    assert (rejections[1]["line"], rejections[1]["client_id"], rejections[1]["field"]) == (5, None, None)
    stands = state(fresh), count(fresh, "audit_entries")
    again = earlybird("confirm", "--file", str(file))
    assert "55 read: 0 accepted, 0 superseded, 49 repeated, 6 rejected." in again.stdout
    assert "line 4  w-0  lines.0.quantity: The quantity is more" in again.stdout
    assert (state(fresh), count(fresh, "audit_entries")) == stands


def test_all_taken_exits_with_zero(fresh: Engine, earlybird: Cli, tmp_path: Path) -> None:
    file = write(tmp_path, ["\ufeff" + line(order, n) for n, order in enumerate(a_round(fresh, 1))])
    done = earlybird("confirm", "--file", str(file))
    assert (done.returncode, done.stdout) == (
        0, "1 read: 1 accepted, 0 superseded, 0 repeated, 0 rejected. Now 1 delivered.\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"", "is empty"),
        (b"\n\n  \n", "holds no confirmations"),
        ('{"client_id":"a"}'.encode("utf-16"), "is UTF-16"),
        (b"\x1f\x8b\x08\x00", "is gzip"),
    ],
)
def test_an_unreadable_file_says_so_and_exits_with_two(
    fresh: Engine, earlybird: Cli, tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "[round].jsonl"
    if content is not None:
        file.write_bytes(content)
    done = earlybird("confirm", "--file", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "[round].jsonl" in done.stderr
    assert count(fresh, "delivery_rejections") == 0


def test_a_folder_is_no_file(earlybird: Cli, tmp_path: Path) -> None:
    assert earlybird("confirm", "--file", str(tmp_path)).returncode == 2


def test_bad_bytes_and_endless_lines_are_rejected_alone(fresh: Engine, earlybird: Cli, tmp_path: Path) -> None:
    order = a_round(fresh, 1)[0]
    file = tmp_path / "round.jsonl"
    file.write_bytes(b'{"client_id":"\xff"}\n' + b"x" * (3 << 20) + b"\n" + line(order, 1).encode() + b"\r\n")
    done = earlybird("confirm", "--file", str(file), "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["accepted"]) == (1, 1)
    assert [(r["line"], r["rule"]) for r in said["rejections"]] == [
        (1, "Not UTF-8 at byte 15."),
        (2, "A line is longer than 1 MiB."),
    ]


def test_two_processes_on_one_file_end_as_one_would(
    fresh: Engine, fresh_url: str, earlybird: Cli, tmp_path: Path
) -> None:
    orders = a_round(fresh, 400)
    lines = mixed(orders)
    file, backwards = write(tmp_path, lines), tmp_path / "backwards.jsonl"
    backwards.write_text("\n".join(reversed(lines)), encoding="utf-8")
    with started(fresh_url, file) as one, started(fresh_url, file) as two:
        answers = [json.loads(process.communicate()[0]) for process in (one, two)]
    assert sum(answer["accepted"] + answer["superseded"] for answer in answers) == len(orders) + 134 + 100
    assert sum(answer["repeated"] for answer in answers) == len(orders) + 134 + 100
    assert count(fresh, "delivery_events") == len(orders) + 134 + 100
    stands = state(fresh)
    assert json.loads(earlybird("confirm", "--file", str(backwards), "--json").stdout)["accepted"] == 0
    assert state(fresh) == stands


def test_killed_in_the_middle_and_run_again_ends_undisturbed(
    fresh: Engine, fresh_url: str, earlybird: Cli, tmp_path: Path
) -> None:
    lines = mixed(a_round(fresh, 1000))
    file = write(tmp_path, lines)
    plain = fresh_url.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as watch, psycopg.connect(plain) as brake:
        brake.execute(
            "SELECT FROM orders WHERE id = (SELECT order_id FROM deliveries ORDER BY id DESC LIMIT 1) FOR UPDATE"
        )
        with started(fresh_url, file) as process:
            waits = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            while not watch.execute(waits).fetchone()[0]:  # type: ignore[index]
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
        brake.rollback()
    taken = count(fresh, "delivery_events")
    assert 0 < taken < len(lines)
    assert json.loads(earlybird("confirm", "--file", str(file), "--json").stdout)["repeated"] == taken
    disturbed = state(fresh)
    with Session(fresh) as session, session.begin():
        run(session, "SET LOCAL earlybird.step = 'test'")
        run(session, "DELETE FROM container_movements")
        for table in ("delivery_event_lines", "delivery_events", "delivery_rejections", "findings"):
            run(session, f"DELETE FROM {table}")
        run(session, "UPDATE delivery_lines SET delivered_quantity = 0")
        for table in ("orders", "deliveries"):
            run(session, f"UPDATE {table} SET state = 'planned'")
    assert state(fresh) != disturbed
    earlybird("confirm", "--file", str(file), now=datetime(2026, 1, 15, 12, 0, tzinfo=UTC))
    assert state(fresh) == disturbed
