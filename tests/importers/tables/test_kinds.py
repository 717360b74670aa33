"""Each kind of table: what comes in, what is refused, what a second time changes: nothing."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

import make
from earlybird.importers import tables
from earlybird.importers.tables import customers
from earlybird.importers.tables.home import Home
from earlybird.infra import db
from earlybird.kernel.ctx import Ctx

Bring = Callable[..., Any]
PRODUCTS = "key,name,unit,pack_size,price\r\nP1,Toned Milk,L,0.5,60\r\nP2,Curd,piece,1,\r\n"
CUSTOMERS = "key,name,phone,area,address\r\nK1,Meena,9876543210,North,1 Main Road\r\nK2,Asha,9876543211,South,\r\n"

STATE = """
SELECT 'c' AS t, md5(string_agg(to_jsonb(x)::text, '' ORDER BY x.id)) AS sum FROM customers x
UNION ALL SELECT 'u', md5(string_agg(to_jsonb(x)::text, '' ORDER BY x.id)) FROM users x
UNION ALL SELECT 'p', md5(string_agg(to_jsonb(x)::text, '' ORDER BY x.id)) FROM products x
UNION ALL SELECT 's', md5(string_agg(to_jsonb(x)::text, '' ORDER BY x.id)) FROM subscription_versions x
UNION ALL SELECT 'o', md5(string_agg(to_jsonb(x)::text, '' ORDER BY x.id)) FROM order_lines x
UNION ALL SELECT 'y', md5(string_agg(to_jsonb(x)::text, '' ORDER BY x.id)) FROM payments x
UNION ALL SELECT 'a', count(*)::text FROM audit_entries
UNION ALL SELECT 'r', md5(string_agg(to_jsonb(x)::text, '' ORDER BY x.id)) FROM import_rejections x
UNION ALL SELECT 'i', md5(string_agg(to_jsonb(x)::text, '' ORDER BY x.id)) FROM import_runs x
"""


def state(engine: Engine) -> list[dict[str, Any]]:
    with db.rehearsal(engine) as session:
        return db.rows(session, STATE)


def count(engine: Engine, sql: str) -> Any:
    with db.rehearsal(engine) as session:
        return db.value(session, sql)


def with_bad_rows(rows: int) -> str:
    """A file of customers, one in twenty of them broken."""
    body = ["key,name,phone,area,email"]
    for n in range(rows):
        cells = [f"K{n}", f"Customer {n}", f"98{n:08d}", f"Area {n % 9}", f"c{n}@mail.example"]
        if n % 20 == 7:
            place, bad = ((1, ""), (2, "123"), (2, "none"), (4, "nobody"))[n // 20 % 4]
            cells[place] = bad
        body.append(",".join(cells))
    return "\r\n".join(body) + "\r\n"


@pytest.mark.parametrize("rows", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
def test_good_rows_come_in_and_bad_ones_are_listed_with_line_field_and_rule(
    fresh: Engine,
    firm: make.Firm,
    earlybird: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    rows: int,
) -> None:
    (tmp_path / "c.csv").write_text(with_bad_rows(rows), newline="")
    done = earlybird("import", "csv", "customers", "c.csv", "--errors", "bad.csv", "--json")
    assert (done.returncode, done.stderr.strip()) == (1, "")
    with (tmp_path / "bad.csv").open(newline="", encoding="utf-8") as bad:
        told = list(csv.DictReader(bad))
    given_rows = list(csv.DictReader(io.StringIO(with_bad_rows(rows))))
    assert [int(row["line"]) for row in told] == [n + 2 for n in range(rows) if n % 20 == 7]
    assert [row["field"] for row in told[:4]] == ["name", "phone", "phone", "email"]
    assert all(row["rule"] for row in told)
    assert [{k: row[k] for k in given_rows[0]} for row in told] == [given_rows[int(row["line"]) - 2] for row in told]
    good = rows - len(told)
    assert count(fresh, "SELECT count(*) FROM customers") == good
    assert count(fresh, "SELECT count(*) FROM users u JOIN memberships m ON m.user_id = u.id "
                        "AND m.customer_id = u.customer_id WHERE u.state = 'uninvited'") == good  # fmt: skip
    assert count(fresh, "SELECT count(*) FROM import_rejections WHERE verdict = 'refused'") == len(told)
    before = state(fresh)
    assert earlybird("import", "csv", "customers", "c.csv").returncode == 1
    assert state(fresh) == before


def test_a_mended_row_comes_in_from_the_file_of_refused_rows(fresh: Engine, bring: Bring) -> None:
    errors = io.StringIO()
    bring("customers", with_bad_rows(100), errors=errors)
    mended = bring("customers", errors.getvalue().replace(",none,", ",9811111111,"))
    assert mended.counts["created"] == 1


def test_a_dry_run_does_it_all_and_keeps_nothing(fresh: Engine, bring: Bring) -> None:
    before = state(fresh)
    outcome = bring("customers", with_bad_rows(2_100), dry_run=True)
    assert (outcome.counts["created"], outcome.refused) == (1995, 105)
    assert state(fresh) == before


def test_killed_and_run_again_it_ends_as_if_it_had_never_been(
    fresh: Engine, fresh_url: str, firm: make.Firm, tmp_path: Path
) -> None:
    (tmp_path / "c.csv").write_text(with_bad_rows(2_400), newline="")
    command = [sys.executable, "-m", "earlybird", "import", "csv", "customers", "c.csv"]
    environment = {**os.environ, "EARLYBIRD_DATABASE_URL": fresh_url}
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as it:
        while it.poll() is None and not count(fresh, "SELECT count(*) FROM customers"):
            pass
        it.send_signal(signal.SIGKILL)
    some = count(fresh, "SELECT count(*) FROM customers")
    assert some > 0
    subprocess.run(command, env=environment, cwd=tmp_path, check=False, capture_output=True)
    assert count(fresh, "SELECT count(*) FROM customers") == 2_280
    assert count(fresh, "SELECT count(*) FROM users WHERE customer_id IS NOT NULL") == 2_280
    assert count(fresh, "SELECT count(*) FROM import_rejections") == 120
    assert count(fresh, "SELECT count(*) FROM import_runs WHERE phase = 'done'") == 1


def test_a_row_the_database_refuses_does_not_take_its_chunk_with_it(
    fresh: Engine, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.transaction(fresh) as session:
        db.run(session, "ALTER TABLE customers ADD CONSTRAINT no_77 CHECK (name <> 'Customer 77')")
    outcome = bring("customers", with_bad_rows(200))
    assert outcome.counts["created"] == 189
    assert [r["line"] for r in outcome.rejections if "database" in r["rule"]] == [79]


def test_one_key_with_other_words_is_refused_in_one_file_and_a_change_in_the_next(fresh: Engine, bring: Bring) -> None:
    outcome = bring("customers", CUSTOMERS + "K1,Other,9876543219,North,\r\nK2,Asha,9876543211,South,\r\n")
    assert (outcome.counts["created"], outcome.counts["same"], outcome.refused) == (2, 1, 1)
    assert outcome.rejections == [{"line": 4, "field": "key", "rule": "Line 2 speaks of the same otherwise."}]
    changed = bring("customers", CUSTOMERS.replace("1 Main Road", "2 Main Road").replace("South", "East"))
    assert changed.counts["changed"] == 2
    assert count(fresh, "SELECT string_agg(line1, '') FROM addresses") == "2 Main Road"
    assert bring("customers", "name,phone\r\nmeena,98765 43210\r\n").counts["created"] == 0


def test_everything_of_a_business_comes_in_once(fresh: Engine, bring: Bring, ctx: Ctx) -> None:
    bring("products", PRODUCTS)
    bring("customers", CUSTOMERS)
    standing = "customer,product,quantity,pattern,weekdays,every_n,starts_on,shift\r\n"
    standing += 'K1,P1,1,daily,,,2025-10-01,\r\nK2,toned milk,0.5,weekly,"mon,wed",,2026-02-01,evening\r\n'
    standing += "K2,P2,1,weekly,,,2026-02-01,\r\nK9,P1,1,daily,,,2026-02-01,\r\n"
    orders = "key,customer,service_on,shift,product,quantity,price,status,delivered\r\n"
    orders += "O1,K1,2026-01-20,morning,P1,2,,,\r\nO2,K2,2026-01-10,morning,P1,2,50,delivered,\r\n"
    orders += "O1,K1,2026-01-20,morning,P2,1,30,,\r\nO3,K1,2026-01-10,morning,P1,1,,placed,\r\n"
    orders += "O4,K1,2026-01-11,evening,P1,2,60,partially_delivered,1.5\r\nO5,K1,2026-01-20,morning,P2,1,,,\r\n"
    payments = 'client_id,customer,amount,method,received_on\r\nR1,K1,"₹1,250.50",upi,2026-01-12\r\n'
    payments += "R2,K1,10,cash,2027-01-12\r\nR3,K7,10,cash,2026-01-12\r\n"
    told = {"subscriptions": standing, "orders": orders, "payments": payments}
    found = {kind: bring(kind, body) for kind, body in told.items()}
    assert {k: (o.counts["created"], [(r["line"], r["field"]) for r in o.rejections]) for k, o in found.items()} == {
        "subscriptions": (2, [(4, "weekdays"), (5, "customer")]),
        "orders": (3, [(5, "service_on"), (7, "price")]),
        "payments": (1, [(3, "received_on"), (4, "customer")]),
    }
    assert count(fresh, "SELECT sum(amount_minor) FROM order_lines") == 12000 + 3000 + 10000 + 12000
    assert count(fresh, "SELECT sum(delta_quantity) FROM delivery_event_lines") == 3.5
    assert count(fresh, "SELECT min(valid_from) FROM subscription_versions") > ctx.now.date()
    before = state(fresh)
    for kind, body in told.items():
        assert bring(kind, body).counts["created"] == 0
    assert state(fresh) == before


def test_what_was_paid_upstream_is_never_charged(fresh: Engine, bring: Bring, ctx: Ctx) -> None:
    from earlybird.billing.service import charges

    bring("products", PRODUCTS)
    bring("customers", CUSTOMERS)
    head = "key,customer,service_on,product,quantity,price,status,paid_upstream\r\n"
    bring("orders", head + "A,K1,2026-01-10,P1,1,60,delivered,yes\r\nB,K1,2026-01-10,P1,1,60,delivered,no\r\n")
    with db.transaction(fresh) as session:
        charges.charge_delivered(session, ctx)
        assert db.value(session, "SELECT count(*) FROM charges") == 1


def test_a_new_price_holds_from_its_day(fresh: Engine, bring: Bring) -> None:
    bring("products", PRODUCTS)
    assert bring("products", PRODUCTS.replace(",60", ",66")).counts["changed"] == 1
    assert count(fresh, "SELECT string_agg(unit_price || ' ' || valid_from, ', ' ORDER BY valid_from) FROM prices") == (
        "60.0000 2000-01-01, 66.0000 2026-01-15"
    )
    assert bring("products", PRODUCTS.replace(",0.5,", ",1,")).rejections[0]["field"] == "pack_size"


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_what_goes_out_comes_into_an_empty_business_as_the_same_file(
    fresh: Engine, bring: Bring, send: Callable[..., str], ctx: Ctx, tmp_path: Path, ending: str
) -> None:
    bring("products", PRODUCTS + '"=x",Ghee,kg,1,"1,200.5"\r\n')
    bring("customers", CUSTOMERS)
    bring(
        "subscriptions",
        "key,customer,product,quantity,starts_on,every_n,pattern,price\r\nS1,K1,P1,1.5,2026-02-01,3,every_nth,58.5\r\n",
    )
    bring("orders", "key,customer,service_on,product,quantity,status,note\r\nO1,K1,2026-01-10,P1,2,delivered,@home\r\n")
    bring("payments", "client_id,customer,amount,method,received_on\r\nR1,K1,12.5,upi,2026-01-12\r\n")
    with db.transaction(fresh) as session:
        make.business(session, "Empty")
    for kind in ("products", "customers", "subscriptions", "orders"):
        path = tmp_path / f"{kind}.{ending}"
        with db.rehearsal(fresh) as session:
            home = tables.find_home(session, ctx.now, "Sunrise Dairy")
            if ending == "xlsx":
                tables.as_workbook(session, home, tables.export_of(kind), path)
            else:
                path.write_text(send(kind, "Sunrise Dairy"), newline="")
        outcome = bring(kind, path, business="Empty")
        assert outcome.rejections == []
        assert outcome.counts["created"] > 0
        assert send(kind, "Empty") == send(kind, "Sunrise Dairy")


NASTY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
NAMES = NASTY.filter(lambda text: bool(text.strip()))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=st.lists(st.tuples(NAMES, NASTY | st.none(), NASTY | st.none()), min_size=1, max_size=5))
def test_nasty_texts_come_back_as_they_went(
    worker_engine: Engine, ctx: Ctx, tmp_path: Path, people: list[tuple[str, str | None, str | None]]
) -> None:
    path = tmp_path / "nasty.csv"
    with db.rehearsal(worker_engine) as session:
        homes = {}
        for name in ("From", "To"):
            make.business(session, name)
            homes[name] = tables.find_home(session, ctx.now, name)
        told = [
            {"key": f"K{n}", "name": name, "notes": notes, "address": door}
            for n, (name, notes, door) in enumerate(people)
        ]
        customers.people.create_many(session, ctx, homes["From"], told)
        sent = out(session, homes["From"])
        path.write_text(sent, encoding="utf-8", newline="")
        assert not any(
            cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            for row in csv.reader(io.StringIO(sent, newline=""))
            for cell in row
        )
        outcome = tables.take_within(session, ctx, tables.kind_of("customers"), path, business="To")
        assert outcome.rejections == []
        assert out(session, homes["To"]) == sent


def out(session: db.Session, home: Home) -> str:
    return "".join(tables.as_text(session, home, tables.export_of("customers")))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("import", "csv", "customers", "none.csv"), 2, "no file"),
        (("import", "csv", "people", "c.csv"), 2, "no table of that kind"),
        (("import", "csv", "customers", "c.csv", "--mapping", "olist"), 2, "no such mapping"),
        (("import", "csv", "customers", "c.csv"), 2, "'fone' is not known"),
        (("export", "csv", "people"), 2, "no table of that kind"),
        (("export", "csv", "customers", "--business", "None"), 1, "no such business"),
    ],
)
def test_the_terminal_says_what_is_wrong(
    firm: make.Firm, earlybird: Any, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "c.csv").write_text("name,fone\nA,1\n")
    done = earlybird(*words)
    assert done.returncode == code
    assert said in done.stderr


def test_the_terminal_writes_tables(firm: make.Firm, bring: Bring, earlybird: Any, tmp_path: Path) -> None:
    bring("customers", CUSTOMERS)
    shown = earlybird("export", "csv", "customers").stdout
    assert earlybird("export", "csv", "customers", "--out", "c.xlsx", "--json").returncode == 0
    assert earlybird("import", "csv", "customers", "c.xlsx").returncode == 0
    assert earlybird("export", "csv", "customers").stdout == shown


def test_every_column_stands_in_the_how_to() -> None:
    page = (Path(__file__).parents[3] / "docs" / "howto" / "import-and-export.md").read_text(encoding="utf-8")
    kinds = [*tables.KINDS.values(), tables.MAPPINGS["legacy-excel"]["customers"]]
    assert [
        c.name for kind in kinds for c in kind.columns.all if f"| {c.name} | {', '.join(c.also)} |" not in page
    ] == []


def test_a_configured_first_password_opens_every_new_login_and_must_be_changed(
    firm: make.Firm, fresh: Engine, earlybird: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.csv").write_text(CUSTOMERS)
    monkeypatch.setenv("EARLYBIRD_FIRST_PASSWORD", "earlybird2025")
    monkeypatch.setenv("EARLYBIRD_PASSWORD_MEMORY_KIB", "64")
    assert earlybird("import", "csv", "customers", "c.csv").returncode == 0
    with db.rehearsal(fresh) as session:
        logins = db.rows(session, "SELECT password_hash, must_change_password FROM users WHERE customer_id IS NOT NULL")
    assert [row["must_change_password"] for row in logins] == [True, True]
    assert all(PasswordHasher().verify(row["password_hash"], "earlybird2025") for row in logins)
