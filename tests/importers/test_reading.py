"""Every form and trap of the legacy dump, and the reference rules on a small dump of our own."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from earlybird.importers.earlybird import reading as rd
from earlybird.importers.earlybird.reading import files
from earlybird.importers.errors import DumpUnreadable
from importers import reference as rf
from make.dump import SHARED

SHAPES = SHARED / "data" / "legacy-shapes" / "earlyapp_documents.jsonl"
OID = "68dd5dbb19980e9b24f4791e"


def records(tmp_path: Path, data: bytes, name: str = "x.json") -> list[rd.Document | rd.Malformed]:
    path = tmp_path / name
    path.write_bytes(data)
    return list(rd.read_dump(path))


def bodies(found: list[rd.Document | rd.Malformed]) -> list[dict[str, Any]]:
    return [r.body for r in found if isinstance(r, rd.Document)]


def broken(found: list[rd.Document | rd.Malformed]) -> list[rd.Malformed]:
    return [r for r in found if isinstance(r, rd.Malformed)]


DOCS: list[dict[str, Any]] = [
    {"_id": {"$oid": OID}, "id": "a", "text": 'quote " brace } ] { \\ end\\'},
    {"id": "b", "nested": {"list": [{"x": [1, 2, {}]}, []]}, "telugu": "గేటు"},
    {"id": "c"},
]
LAYOUTS = {
    "lines": "\n".join(json.dumps(d) for d in DOCS),
    "lines with end and blanks": "\n\n".join(json.dumps(d) for d in DOCS) + "\n\n",
    "crlf": "\r\n".join(json.dumps(d) for d in DOCS) + "\r\n",
    "array, one per line": "[" + ",\n".join(json.dumps(d) for d in DOCS) + "]\n",
    "array, comma first": "[\n" + "\n,".join(json.dumps(d) for d in DOCS) + "\n]",
    "array on one line": json.dumps(DOCS),
    "array pretty": json.dumps(DOCS, indent=2, ensure_ascii=False),
    "array pretty tabs": json.dumps(DOCS, indent="\t"),
    "array pretty, no indent": json.dumps(DOCS, indent=0),
    "documents pretty": "\n".join(json.dumps(d, indent=1) for d in DOCS),
}


@pytest.mark.parametrize("bom", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_documents(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    layout: str,
    chunk: int,
    *,
    packed: bool,
    bom: bool,
) -> None:
    monkeypatch.setattr(files, "CHUNK", chunk)
    data = (b"\xef\xbb\xbf" if bom else b"") + LAYOUTS[layout].encode()
    found = records(tmp_path, gzip.compress(data) if packed else data)
    assert bodies(found) == DOCS
    assert not broken(found)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"[]", b"[\n]\n", b"\xef\xbb\xbf", b"  [ ]"])
def test_an_empty_file_has_no_records(tmp_path: Path, data: bytes) -> None:
    assert records(tmp_path, data) == []


def test_malformed_lines_keep_bytes_line_and_reason(tmp_path: Path) -> None:
    lines = [b'{"id":"a"}', b'{"id":', b'{"id":"\xff\xfe"}', b"7", b"[1]", b'{"id":"\\ud800"}', b""]
    found = records(tmp_path, b"\n".join([*lines, b'{"id":"z"}']))
    assert [b["id"] for b in bodies(found)] == ["a", "z"]
    assert [(m.line, m.raw) for m in broken(found)] == list(enumerate(lines[1:6], 2))
    reasons = [m.reason for m in broken(found)]
    assert reasons[0].startswith("invalid JSON")
    assert reasons[1] == "invalid UTF-8 at byte 7"
    assert reasons[2] == "not a document but a number"
    assert reasons[3] == "not a document but an array"
    assert "surrogate" in reasons[4]


def test_the_first_line_may_be_malformed(tmp_path: Path) -> None:
    found = records(tmp_path, b'{"id":"a" oops\n{"id":"b"}\n')
    assert [b["id"] for b in bodies(found)] == ["b"]
    assert broken(found)[0].raw == b'{"id":"a" oops'


@pytest.mark.parametrize(
    "bad",
    [
        '{"id": "x", "a": "line end\n in text"}',
        '{"id": "x", "a": {"b": 1}',
        '{"id" "x"}',
        "garbage",
    ],
)
@pytest.mark.parametrize("pretty", [False, True])
def test_a_malformed_element_does_not_swallow_an_array(tmp_path: Path, bad: str, *, pretty: bool) -> None:
    good = json.dumps({"id": "ok", "n": {"m": [1]}}, indent=1 if pretty else None)
    found = records(tmp_path, ("[" + good + ",\n" + bad + ",\n" + good + "\n]").encode())
    assert [b["id"] for b in bodies(found)] == ["ok", "ok"]
    assert [m.raw for m in broken(found)] == [bad.encode()]


def test_bare_nan_and_infinity_are_tolerated(tmp_path: Path) -> None:
    body = bodies(records(tmp_path, b'{"a": NaN, "b": -Infinity}\n'))[0]
    assert rd.is_missing(body["a"])
    assert rd.read_money(body["a"], "a") == (None, None)
    assert rd.read_money(body["b"], "b")[1] is not None


def test_truncated_gzip_gives_what_can_be_read_and_then_fails(tmp_path: Path) -> None:
    lines = [json.dumps({"id": str(n), "x": hex(n**9)}).encode() for n in range(5000)]
    whole = gzip.compress(b"\n".join(lines))
    path = tmp_path / "x.json.gz"
    path.write_bytes(whole[: len(whole) // 2])
    found: list[rd.Document | rd.Malformed] = []
    with pytest.raises(DumpUnreadable, match="truncated gzip file") as failure:
        found.extend(rd.read_dump(path))
    assert len(found) == failure.value.facts["records"] > 1000
    assert [b["id"] for b in bodies(found)] == [str(n) for n in range(len(bodies(found)))]


@pytest.mark.parametrize("cut", [1, 8])
def test_gzip_without_its_end_mark_fails(tmp_path: Path, cut: int) -> None:
    with pytest.raises(DumpUnreadable):
        records(tmp_path, gzip.compress(b'{"id":"a"}\n')[:-cut])


def test_gzip_of_several_members_and_damaged_gzip(tmp_path: Path) -> None:
    two = gzip.compress(b'{"id":"a"}\n') + gzip.compress(b'{"id":"b"}\n')
    assert len(records(tmp_path, two)) == 2
    with pytest.raises(DumpUnreadable):
        records(tmp_path, two[:-20] + b"\0\1\2" + two[-17:])
    with pytest.raises(DumpUnreadable):
        list(rd.read_dump(tmp_path / "missing.json"))


def test_keys_of_documents() -> None:
    assert rd.document_key({"_id": {"$oid": OID}, "id": "a"}) == "a"
    assert rd.document_key({"_id": {"$oid": OID}, "id": ""}) == OID
    assert rd.document_key({"_id": {"$oid": OID}, "id": None, "link_id": "l"}) == "l"
    assert rd.document_key({"_id": {"$oid": OID}, "id": 7}) == OID
    assert rd.document_key({"_id": "plain"}) == "plain"
    assert rd.document_key({}) is None


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("2026-01-05", date(2026, 1, 5)),
        (" 2026-01-05 ", date(2026, 1, 5)),
        ("2026-01-05T23:59:59.999999", date(2026, 1, 5)),
        ("2026-01-05 00:00:00", date(2026, 1, 5)),
        ("2026-01-05T18:30:00Z", date(2026, 1, 6)),
        ("2026-01-05T18:29:59Z", date(2026, 1, 5)),
        ("2026-01-06T03:00:00+05:30", date(2026, 1, 6)),
        ("2026-01-05T20:00:00-0500", date(2026, 1, 6)),
        ("2026-01-05T20:00:00+00", date(2026, 1, 6)),
        ({"$date": "2026-01-05T18:30:00Z"}, date(2026, 1, 6)),
        ({"$date": "2026-01-05T18:30:00.123Z"}, date(2026, 1, 6)),
        ({"$date": "2026-01-05T18:30:00"}, date(2026, 1, 6)),
        ({"$date": 1767637800000}, date(2026, 1, 6)),
        ({"$date": {"$numberLong": "1767637800000"}}, date(2026, 1, 6)),
        ({"$date": {"$numberLong": "-1"}}, date(1970, 1, 1)),
        ("05-01-2026", date(2026, 1, 5)),
        (46027, date(2026, 1, 5)),
        (46027.0, date(2026, 1, 5)),
        ({"$numberInt": "46027"}, date(2026, 1, 5)),
        ({"$numberDouble": "46027.0"}, date(2026, 1, 5)),
    ],
)
def test_dates(value: object, wanted: date) -> None:
    assert rd.read_date(value, "d") == (wanted, None)


@pytest.mark.parametrize("value", [None, float("nan"), {"$numberDouble": "NaN"}])
def test_missing_dates_are_no_problem(value: object) -> None:
    assert rd.read_date(value, "d") == (None, None)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "N/A",
        "tomorrow",
        "yesterday",
        "2026-13-45",
        "31-02-2026",
        "2026/01/05",
        "20260105",
        "2026-01-05T25:00:00",
        "2026-1-5",
        0,
        -3,
        46027.5,
        1e30,
        True,
        [],
        {},
        {"$date": []},
        {"$date": {"$numberLong": "9" * 30}},
        {"$date": "9999-12-31T23:00:00Z"},
        20260105,
        "46027",
    ],
)
def test_unparseable_dates_are_reported(value: object) -> None:
    found, problem = rd.read_date(value, "d")
    assert found is None
    assert problem is not None
    assert problem.field == "d"


def test_instants() -> None:
    wanted = datetime(2026, 1, 5, 18, 30, tzinfo=UTC)
    for value in ("2026-01-06", "2026-01-06T00:00:00", "2026-01-05T18:30:00Z", 46028):
        assert rd.read_instant(value, "t") == (wanted, None)
    assert rd.read_instant({"$date": 1767637800000}, "t") == (wanted, None)
    assert rd.read_instant("0001-01-01T00:00:00", "t")[1] is not None


@pytest.mark.parametrize(
    ("value", "paise"),
    [
        (12, 1200),
        (12.345, 1235),
        (-12.345, -1235),
        (0.1, 10),
        (1.005, 101),
        (1303.39, 130339),
        ("₹1,289.77", 128977),
        ("Rs. 6407.00", 640700),
        ("Rs 5", 500),
        (" 2097.00 ", 209700),
        ("2412.00/-", 241200),
        ("1,23,456.5", 12345650),
        ("-353.00", -35300),
        ("₹ -353", -35300),
        ({"$numberInt": "7"}, 700),
        ({"$numberLong": "7"}, 700),
        ({"$numberDouble": "7.5"}, 750),
        ({"$numberDecimal": "7.125"}, 713),
    ],
)
def test_money(value: object, paise: int) -> None:
    assert rd.read_money(value, "m") == (paise, None)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "five hundred",
        "NaN",
        "1,5",
        "12,34",
        "₹",
        "--5",
        "1e5",
        True,
        [],
        {},
        "1" * 30,
        1e300,
        {"$numberDouble": "Infinity"},
        {"$numberDecimal": "1E+6144"},
        {"$numberInt": "x"},
    ],
)
def test_unreadable_money_is_reported(value: object) -> None:
    found, problem = rd.read_money(value, "m")
    assert found is None
    assert problem == rd.Problem("m", "money", problem.value if problem else 0)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("9000005905", "9000005905"),
        ("90000-50954", "9000050954"),
        ("+91 90000 12522", "9000012522"),
        ("919000038468", "9000038468"),
        ("09000038468", "9000038468"),
        ("9000019709.0", "9000019709"),
        (9000097370.0, "9000097370"),
        ({"$numberLong": "9000097370"}, "9000097370"),
        ({"$numberDouble": "9000097370.0"}, "9000097370"),
    ],
)
def test_phones(value: object, wanted: str) -> None:
    assert rd.read_phone(value, "p") == (wanted, None)


def test_phones_that_are_none() -> None:
    assert rd.read_phone("", "p") == rd.read_phone(None, "p") == (None, None)
    for value in list[object](("12345", "call me", [], True)):
        found, problem = rd.read_phone(value, "p")
        assert found is None
        assert problem is not None


def test_texts() -> None:
    for value in ("", "  ", None, float("nan"), "nan", "NaN", {"$numberDouble": "NaN"}):
        assert rd.read_text(value, "t") == (None, None)
    assert rd.read_text(" a ", "t") == ("a", None)
    assert rd.read_text(560037.0, "t") == ("560037", None)
    assert rd.read_text("a\0b", "t") == ("ab", rd.Problem("t", "text.nul", "a\0b"))
    assert rd.read_text([], "t")[1] is not None
    assert rd.read_reference("") is None
    assert rd.read_reference({}) is None
    assert rd.fold_email(" Usha.7@Example.com ") == "usha.7@example.com"
    assert rd.fold_email("nobody") is None


def test_camel_and_snake() -> None:
    assert rd.pick({"a_b": 1, "aB": 1}, "a_b", "aB") == (1, None)
    assert rd.pick({"a_b": "", "aB": 2}, "a_b", "aB") == (2, None)
    assert rd.pick({"a_b": None}, "a_b", "aB") == (None, None)
    assert rd.pick({"aB": 2}, "a_b", "aB") == (2, None)
    found, problem = rd.pick({"a_b": 1, "aB": 2}, "a_b", "aB")
    assert found == 1
    assert problem is not None
    assert problem.rule == "camel_snake_differ"


def test_folded_words() -> None:
    assert rd.fold_order_status(" PARTIALLY_DELIVERED ")[0] == "partially_delivered"
    assert rd.fold_order_status("Out for delivery")[0] == "out_for_delivery"
    assert rd.fold_order_status("lost")[1] is not None
    assert rd.fold_order_status("") == (None, None)
    assert rd.fold_shift("BOTH")[0] == "both"
    assert rd.fold_shift("noon")[1] is not None
    assert rd.fold_role("Delivery_Boy")[0] == "delivery_boy"
    assert rd.fold_role("x")[1] is not None


def test_units() -> None:
    for unit in ("L", "l", "Liter", "litre", "Litre", "Ltr", " ltr. ", "LITRES"):
        assert rd.packets_to_units(Decimal(3), unit) == Decimal("1.5")
    for other in ("packet", "500ml", "Kg", None, "", 7):
        assert rd.packets_to_units(Decimal(3), other) == Decimal(3)


def test_pauses_of_every_shape() -> None:
    day = date(2026, 1, 5)
    body = {
        "pause_intervals": [
            {"start": "2026-01-01", "end": "2026-01-03"},
            {"start": "2026-01-05"},
            {"start": "2026-01-05", "end": ""},
            {"start": "2026-01-05", "end": None},
            {"start_date": "2026-01-07", "end_date": "2026-01-08", "reason": "x"},
            {"start": "2026-01-09", "end": "2026-01-06"},
            {"end": "2026-01-06"},
            {"start": "2026-01-01", "end": "soon"},
            "nonsense",
        ],
        "pause_dates": ["2026-01-20"],
        "pause_start": "2026-02-01",
        "pause_end": "",
    }
    pauses, problems = rd.read_pauses(body)
    spans = [(p.start, p.end, p.wrong_shape) for p in pauses]
    assert spans[:2] == [(date(2026, 1, 1), date(2026, 1, 3), False), (day, None, False)]
    assert spans[4] == (date(2026, 1, 7), date(2026, 1, 8), True)
    assert spans[6:] == [
        (date(2026, 1, 20), date(2026, 1, 20), True),
        (date(2026, 2, 1), None, True),
    ]
    reversed_pause = pauses[5]
    assert not reversed_pause.covers(date(2026, 1, 7))
    assert reversed_pause.turned().covers(date(2026, 1, 6))
    assert len(problems) == 4
    assert rd.read_pauses({"pause_intervals": "x"})[1]
    assert rd.read_pauses({"pause_intervals": None}) == ([], [])


def test_overrides_and_irregular_lists() -> None:
    body = {
        "day_overrides": [
            {"date": "2026-01-05", "quantity": 0},
            {"date": "2026-01-05", "quantity": 9},
            {"date": "x", "quantity": 1},
            {"date": "2026-01-06", "quantity": "two"},
            {"date": "2026-01-07", "quantity": -1},
            3,
        ],
        "dayOverrides": [
            {"date": "2026-01-05", "quantity": 4},
            {"date": "2026-01-08", "quantity": {"$numberDouble": "1.5"}},
        ],
    }
    found, problems = rd.read_overrides(body)
    assert found == {
        date(2026, 1, 5): Decimal(0),
        date(2026, 1, 7): Decimal(-1),
        date(2026, 1, 8): Decimal("1.5"),
    }
    assert len(problems) == 4
    assert rd.read_weekdays([0, 6, 7, "x", {"$numberInt": "2"}], "w")[0] == {0, 2, 6}
    assert rd.read_custom_prices({"a": 5, "b": 0, "c": "x", "d": None}) == {"a": Decimal(5)}
    assert rd.read_custom_prices(None) == {}


def oid(number: int) -> dict[str, str]:
    return {"$oid": f"{number:024x}"}


def small_dump(tmp_path: Path, **collections: list[dict[str, Any]]) -> rf.Dump:
    for name, documents in collections.items():
        numbered = ({"_id": oid(1000 + n), **d} for n, d in enumerate(documents))
        text = "\n".join(json.dumps(d) for d in numbered)
        (tmp_path / f"{name}.json").write_text(text)
    return rf.Dump(tmp_path)


def row(day: str, boy: str = "m", status: str = "delivered", **more: Any) -> dict[str, Any]:
    stamp = f"{day}T06:00:00"
    body = {"customer_id": "c", "delivery_date": day, "delivery_boy_id": boy, "status": status}
    return {**body, "updated_at": stamp, **more}


CUSTOMER = {"id": "c", "status": "active", "delivery_boy_id": "m"}
MILK = {"id": "p", "name": "Milk", "unit": "Ltr", "default_price": 40, "price": 30}
DAILY = {"id": "s", "customer_id": "c", "product_id": "p", "mode": "fixed_daily", "default_qty": 1}


def value(tmp_path: Path, rows: list[dict[str, Any]], *subs: dict[str, Any], **more: Any) -> int:
    parts = {"customers_v2": [CUSTOMER], "products": [MILK], **more}
    dump = small_dump(tmp_path, delivery_statuses=rows, subscriptions_v2=list(subs) or [DAILY], **parts)
    return sum(dump.delivered.values())


def test_duplicates(tmp_path: Path) -> None:
    dump = small_dump(
        tmp_path,
        disputes=[
            {"id": "x", "a": 1},
            {"id": "x", "a": 2},
            {"id": "x", "a": 1},
            {"_id": oid(1000), "id": "other"},
            {"a": 1},
            {"a": 1},
        ],
    )
    assert dump.report()["collections"]["disputes"] == {
        "in": 6,
        "imported": 4,
        "quarantined": 0,
        "duplicates": 2,
    }


def test_account_links(tmp_path: Path) -> None:
    def account(key: str, **more: Any) -> dict[str, Any]:
        return {"id": key, "role": "customer", **more}

    dump = small_dump(
        tmp_path,
        customers_v2=[
            {"id": "c1", "user_id": "u1", "phone": "9000000001"},
            {"id": "c2", "user_id": f"{1001:024x}", "phone": "9000000002"},
            {"id": "c3", "phone": "+91 90000 00003"},
            {"id": "c4", "phone": "9000000004"},
            {"id": "c5", "phone": "9000000004", "email": "Five@x.example"},
            {"id": "u6"},
            {"id": "c7", "user_id": "gone"},
        ],
        users=[
            account("u1", customer_v2_id="c1"),
            account("u2", customer_v2_id="nowhere"),
            account("u3", phone=9000000003.0),
            account("u4", phone="9000000004"),
            account("u5", email="five@X.example"),
            account("u6", phone="9000000002"),
            account("u7", email="customer-c7@earlybird.local", customer_v2_id=""),
            account("u8", customer_v2_id="c1", email="customer-c4@earlybird.local"),
        ],
    )
    assert {k: v[0] for k, v in dump.account_links.items()} == {
        "u1": "c1",
        "u2": "c2",
        "u3": "c3",
        "u4": None,
        "u5": "c5",
        "u6": None,
        "u7": "c7",
        "u8": None,
    }


def test_order_and_delivery_links(tmp_path: Path) -> None:
    def order(key: str, **more: Any) -> dict[str, Any]:
        return {"id": key, "delivery_date": "2026-01-05", "status": "DELIVERED", **more}

    other_day = "2026-01-06"
    dump = small_dump(
        tmp_path,
        customers_v2=[{"id": "c", "user_id": "u"}, {"id": "d"}],
        users=[{"id": "u", "role": "customer"}, {"id": "v", "role": "customer"}],
        addresses=[{"id": "a", "user_id": "u"}],
        orders=[
            order("o1", user_id="u", customer_id="u", delivery_boy_id="m"),
            order("o2", user_id="", address_id="a", delivery_boy_id="e"),
            order("o3", customer_id="d", delivery_date=other_day),
            order("o4", user_id="v", delivery_date=other_day),
        ],
        delivery_statuses=[
            {"id": "r1", **row("2026-01-05", order_id=None)},
            {"id": "r2", **row("2026-01-05", boy="", order_id="")},
            {"id": "r3", **row("2026-01-05", order_id="o3")},
            {"id": "r4", **row("2026-01-05", order_id="o4")},
            {"id": "r5", **row(other_day, order_id="gone", customer_id="v")},
            {"id": "r6", **row("2026-01-05", status="pending")},
            {"id": "r7", **row("2026-01-05", order_id="o3", customer_id="v")},
        ],
    )
    links = dump.report()["links"]
    assert links["orders_to_customers"] == {"o1": "c", "o2": "c", "o3": "d", "o4": "user:v"}
    assert links["deliveries_to_orders"] == {
        "delivery_statuses:r1": "o1",
        "delivery_statuses:r4": "o4",
        "delivery_statuses:r5": "o4",
        "delivery_statuses:r7": "o3",
    }


@pytest.mark.parametrize(
    ("sub", "paise"),
    [
        ({}, 4000),
        ({"price_per_unit": 45}, 4500),
        ({"mode": None, "default_qty": None, "quantity": 3}, 6000),
        ({"mode": None, "default_qty": 2}, 8000),
        ({"status": "draft"}, 4000),
        ({"auto_start": False}, 0),
        ({"created_at": "2026-01-06"}, 0),
        ({"created_at": "N/A"}, 4000),
        ({"stop_date": "2026-01-05"}, 0),
        ({"stopped_at": "2026-01-05T09:00:00"}, 0),
        ({"stop_date": "2026-01-06"}, 4000),
        ({"pause_intervals": [{"start_date": "2026-01-01", "end_date": "2026-01-09"}]}, 0),
        ({"pause_intervals": [{"start": "2026-01-09", "end": "2026-01-01"}]}, 0),
        ({"pause_intervals": [{"start": "2026-01-05"}], "day_overrides": []}, 0),
        ({"dayOverrides": [{"date": "2026-01-05", "quantity": 2}]}, 8000),
        ({"day_overrides": [{"date": "2026-01-05", "quantity": -2}]}, 0),
        ({"mode": "irregular", "irregular_list": [{"date": "2026-01-05", "quantity": 2}]}, 8000),
        ({"mode": "day_by_day"}, 0),
        ({"mode": "weekly_pattern", "weekly_pattern": [0]}, 4000),
        ({"mode": "weekly_pattern", "weekly_pattern": [1]}, 0),
        ({"mode": "one_time", "quantity": 2, "startDate": "2026-01-05"}, 0),
        ({"shift": "EVENING"}, 0),
        ({"shift": "both"}, 4000),
        ({"customer_id": None, "customerId": "c"}, 4000),
        ({"product_id": "gone"}, 0),
    ],
)
def test_due_of_a_subscription(tmp_path: Path, sub: dict[str, Any], paise: int) -> None:
    assert value(tmp_path, [row("2026-01-05")], {**DAILY, **sub}) == paise


def test_side_collections(tmp_path: Path) -> None:
    rows = [row(f"2026-01-0{n}") for n in range(1, 8)]
    paise = value(
        tmp_path,
        rows,
        day_overrides=[{"subscription_id": "s", "date": "2026-01-02", "quantity": 3}],
        delivery_pauses=[{"subscription_id": "s", "date": "2026-01-03"}],
        delivery_stops=[{"subscription_id": "s", "stopped_at": "2026-01-06T07:00:00"}],
        irregular_deliveries=[{"customer_id": "c", "product_id": "p", "date": "2026-01-07", "quantity": 1}],
        subscription_audit=[
            {
                "subscription_id": "s",
                "action": "updated_default_qty",
                "old_value": 2.0,
                "timestamp": "2026-01-02T10:00:00",
            }
        ],
    )
    assert paise == 8000 + 12000 + 0 + 4000 + 4000 + 0 + 4000


def test_visits_and_the_later_row(tmp_path: Path) -> None:
    day = "2026-01-05"
    evening = {**DAILY, "id": "e", "shift": "evening"}
    second = [{"customer_id": "c", "delivery_date": day, "status": "delivered"}]
    later = [{**second[0], "updated_at": f"{day}T20:00:00"}]
    assert value(tmp_path, [row(day)], DAILY, evening) == 4000
    assert value(tmp_path, [row(day, boy="")], DAILY, evening) == 8000
    assert value(tmp_path, [row(day), row(day, boy="e")], DAILY, evening) == 8000
    assert value(tmp_path, [row(day, status="pending")], delivery_status=later) == 4000
    assert value(tmp_path, [row(day)], DAILY, evening, delivery_status=later) == 4000
    assert value(tmp_path, [], DAILY, evening, delivery_status=later) == 8000
    refused = [{**later[0], "status": "not_delivered"}]
    assert value(tmp_path, [row(day)], delivery_status=refused) == 0
    assert value(tmp_path, [row("2026-01-09", updated_at="2026-01-05T06:00:00")]) == 0


def test_partial_rows_use_the_share_of_their_product(tmp_path: Path) -> None:
    products = [
        {"product_name": "milk", "quantity_packets": 3, "delivered_quantity": 1},
        {"product_name": "Curd", "quantity_packets": 1, "delivered_quantity": 0},
    ]
    seen = [{"customer_id": "c", "delivery_date": "2026-01-05", "products": products}]
    partial = row("2026-01-05", status="partially_delivered")
    assert value(tmp_path, [partial], delivery_status=seen) == 1333
    assert value(tmp_path, [partial], delivery_status=[]) == 4000


def test_legacy_bill(tmp_path: Path) -> None:
    line = {"product_id": "p", "quantity": 2, "price": 10.5}
    order = {"id": "o", "customer_id": "c", "delivery_date": "2026-01-05", "items": [line]}
    billed = {**order, "status": "DELIVERED", "delivery_confirmed": True}
    dump = small_dump(
        tmp_path,
        customers_v2=[{**CUSTOMER, "custom_product_prices": {"q": 9}}],
        products=[MILK, {"id": "only", "price": 5}, {"id": "q"}],
        subscriptions_v2=[
            {**DAILY, "status": "active"},
            {**DAILY, "id": "s2", "product_id": "only", "status": "active"},
            {**DAILY, "id": "s3", "product_id": "q", "status": "active", "default_qty": -1},
            {**DAILY, "id": "s4"},
            {**DAILY, "id": "s5", "status": "active", "product_id": None, "productId": "p"},
        ],
        delivery_statuses=[row("2026-01-05")],
        orders=[billed, {**billed, "id": "o2", "billed": True}, {**order, "id": "o3"}],
    )
    assert dump.billed == {("c", "2026-01"): 31 * 4000 - 31 * 900 + 2100}


def test_shapes_of_the_seeds_do_not_crash(tmp_path: Path) -> None:
    if not SHAPES.exists():
        pytest.skip(f"the legacy seeds are not at {SHAPES}")
    documents = [json.loads(line)["doc"] for line in SHAPES.read_text().splitlines()]
    documents = [d for d in documents if isinstance(d, dict)]
    names = (
        "users customers_v2 products orders addresses subscriptions_v2 delivery_statuses areas_v2"
        " delivery_status payment_transactions subscription_audit day_overrides delivery_pauses"
        " delivery_stops irregular_deliveries delivery_boys_v2"
    )
    dump = small_dump(tmp_path, **dict.fromkeys(names.split(), documents))
    assert dump.report()["collections"]["users"]["in"] == len(documents)
    for body in documents:
        for field, content in body.items():
            for reader in (rd.read_date, rd.read_instant, rd.read_money, rd.read_quantity):
                reader(content, field)
            for other in (rd.read_phone, rd.read_text, rd.read_weekdays, rd.read_dated_quantities):
                other(content, field)
