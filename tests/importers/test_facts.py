"""What documents say: every field the take-over reads, and that nothing a dump may hold makes the reader fall."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earlybird.importers.earlybird import facts, reading
from earlybird.importers.earlybird.facts import sheet
from earlybird.importers.earlybird.lines import copy_line
from earlybird.importers.earlybird.reading import Document
from importers import reference as rf
from make.dump import SAMPLE, SHARED

SHAPES = SHARED / "data" / "legacy-shapes" / "earlyapp_documents.jsonl"
BCRYPT = "$2b$12$oUPQraoeqGqrTGXU.oZgooW/52v2kGGpQQkgO.APjq9KTLNMUOWre"
SECRET_HASH = "6a7d" * 16
KNOWN_HASH = "b041c0aeb35bb0fa4aa668ca5a920b590196fdaf9a00eb852c9b7f4d123cc6d6"


def read(collection: str, **body: Any) -> dict[str, Any]:
    return facts.read(collection, body)[0]


def problems(collection: str, **body: Any) -> list[tuple[str, str]]:
    return [(p["field"], p["rule"]) for p in facts.read(collection, body)[1]]


def test_a_login() -> None:
    found = read("users", email=" Asha@X.Example ", phone="+91 90000 00001", name=" Asha ", role="Delivery_Boy",
                 is_active=False, customer_v2_id=" c1 ", password=BCRYPT, created_at="2025-10-01T05:30:00")  # fmt: skip
    assert found == {
        "email": "asha@x.example", "phone": "9000000001", "name": "Asha", "role": "driver",
        "role_as_given": "Delivery_Boy", "active": False, "customer": "c1",
        "password": {"scheme": "bcrypt", "hash": BCRYPT}, "created_at": "2025-10-01T00:00:00+00:00",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "role"),
    [("marketing_staff", "marketing"), ("Manager", "support"), ("delivery manager", "support"), ("admin", "admin"),
     ("delivery_ops", "support"), ("customer", "customer"), ("supplier", "supplier"), ("king", None)],
)  # fmt: skip
def test_roles(given: str, role: str | None) -> None:
    assert read("users", role=given).get("role") == role


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({}, {"scheme": "none"}),
        ({"password": ""}, {"scheme": "none"}),
        ({"password_hash": BCRYPT}, {"scheme": "bcrypt", "hash": BCRYPT}),
        ({"password": SECRET_HASH.upper()}, {"scheme": "sha256", "hash": SECRET_HASH}),
        ({"password": KNOWN_HASH}, {"scheme": "sha256", "default": True}),
        ({"password": "earlybird2025"}, {"scheme": "plain", "default": True}),
        ({"password": "my own word"}, {"scheme": "plain"}),
        ({"password": "my own word", "password_hash": BCRYPT}, {"scheme": "bcrypt", "hash": BCRYPT}),
    ],
)
def test_passwords(body: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert read("users", **body)["password"] == wanted


def test_a_customer() -> None:
    found = read("customers_v2", user_id="u", name="Meena", phone="90000-00001", status="Active", area="A - B",
                 trial_start_date={"$date": "2025-03-15T20:00:00Z"}, delivery_instructions="ring", map_link="m",
                 location={"lat": 12.97, "lng": 77.59}, delivery_boy_id="b", previous_balance="₹1,289.775",
                 custom_product_prices={"p": 5, "q": 0, "r": "x", "s": "1e2"}, created_at="2025-10-01T20:00:00Z")  # fmt: skip
    assert found == {
        "user": "u", "name": "Meena", "phone": "9000000001", "phone_as_given": "90000-00001", "status": "active",
        "area": "A - B", "trial_from": "2025-03-16", "instructions": "ring", "map_url": "m", "latitude": "12.97",
        "longitude": "77.59", "driver": "b", "balance_minor": 128978, "prices": {"p": "5"},
        "legacy_prices": {"p": "5", "q": "0", "r": "0", "s": "0"}, "created_at": "2025-10-01T20:00:00+00:00",
        "created_on": "2025-10-02", "billable": False,
    }  # fmt: skip
    assert read("customers_v2", status="trial")["billable"] is True
    assert "latitude" not in read("customers_v2", latitude=91, longitude=0)
    assert problems("customers_v2", status="lost", phone="12") == [("phone", "phone"), ("status", "status")]


def test_products_areas_drivers_and_addresses() -> None:
    assert read("products", name="Milk", unit="Ltr", price=60.5, default_price=None) == {
        "name": "Milk", "unit": "Ltr", "litre": True, "price": "60.5", "legacy_price": "0"}  # fmt: skip
    assert read("products", default_price=-3, discontinued=True) == {
        "litre": False, "legacy_price": "-3", "discontinued": True}  # fmt: skip
    assert read("areas_v2", main_area="A", sub_area="B", delivery_boy_ids=["d", "", None]) == {
        "name": "A - B", "drivers": ["d"]}  # fmt: skip
    assert read("delivery_boys_v2", name="P", shift="EVENING", area_assigned="A", assigned_areas=["A", None]) == {
        "name": "P", "shift": "evening", "area": "A", "areas": ["A"]}  # fmt: skip
    assert read("addresses", user_id="u", address_line1="1", landmark="tank", pincode=560037.0, is_default=True) == {
        "user": "u", "line1": "1", "line2": "tank", "postal_code": "560037", "is_default": True}  # fmt: skip


def test_a_standing_order_as_meant_and_as_the_old_bill_reads_it() -> None:
    found = read(
        "subscriptions_v2", customer_id="", customerId="c", product_id="p", productId="q", mode="fixed_daily",
        created_at="2025-03-15", stop_date="N/A", stopped_at="2026-01-05T20:00:00Z", default_qty=0.5, quantity="2",
        weekly_pattern=[6, 0], price_per_unit=0, auto_start=False, status="active", delivery_boy="Prakash",
        pause_intervals=[{"start": "2026-01-09", "end": "2026-01-07"}, {"start_date": "2026-02-01"}],
        irregular_list=[{"date": "2026-01-02", "quantity": -1.5}],
        day_overrides=[{"date": "2026-01-03", "quantity": 2}], dayOverrides=[{"date": "2026-01-04", "quantity": 3}],
    )  # fmt: skip
    assert found == {
        "customer": "c", "product": "p", "mode": "fixed_daily", "start": "2025-03-15", "stops": ["2026-01-06"],
        "packets": "2", "default_qty": "0.5", "weekdays": [0, 6], "auto_start": False, "status": "active",
        "driver": "Prakash", "pauses": [["2026-01-07", "2026-01-09"], ["2026-02-01", None]],
        "irregular": {"2026-01-02": "-1.5"}, "overrides": {"2026-01-03": "2", "2026-01-04": "3"},
        "legacy": {
            "product": "p", "active": True, "mode": "fixed_daily", "default_qty": "0.5", "weekdays": [0, 6],
            "pauses": [["2026-01-09", "2026-01-07"]], "irregular": {"2026-01-02": "-1.5"},
            "overrides": {"2026-01-03": "2"},
        },
    }  # fmt: skip


def test_an_order_and_a_payment() -> None:
    item = {"product_id": "p", "product_name": "Milk", "quantity": 2, "price": 10.125}
    body = {"customer_id": "c", "user_id": "u", "address_id": "a", "delivery_date": "05-01-2026", "items": [item, 7],
            "status": "DELIVERED", "delivery_confirmed": True, "billed": False, "created_at": 46027,
            "address": {"city": "B", "big": 10**30}}  # fmt: skip
    assert read("orders", **body) == {
        "customer": "c", "user": "u", "address": "a", "day": "2026-01-05", "status": "delivered",
        "placed_at": "2026-01-04T18:30:00+00:00", "snapshot": {"city": "B", "big": str(10**30)},
        "lines": [{"product": "p", "name": "Milk", "quantity": "2", "price": "10.125"}], "billed_mark": False,
        "legacy": {"customer": "c", "counts": True, "value_minor": 2025},
    }  # fmt: skip
    assert read("payment_transactions", customer_id="c", month="2026-01", amount="Rs. 5/-", payment_date="soon",
                created_at="2026-01-05T20:00:00Z", payment_method="UPI") == {
        "customer": "c", "month": "2026-01", "amount_minor": 500, "paid_on": "2026-01-06", "method": "UPI"}  # fmt: skip
    assert problems("payment_transactions", amount="five") == [("amount", "money")]


def test_a_delivery_row() -> None:
    product = {"product_name": " MILK ", "quantity_packets": 3.0, "delivered_quantity": "two"}
    body = {"customer_id": "c", "order_id": "", "delivery_date": "2026-01-05", "status": "Partially delivered",
            "delivered_at": "2026-01-04T23:59:59.5", "products": [product, {"quantity_packets": 1}]}  # fmt: skip
    assert read("delivery_status", **body) == {
        "customer": "c", "day": "2026-01-05", "status": "partially_delivered", "early": True,
        "told_at": "2026-01-04T18:29:59.500000+00:00", "products": [{"name": "milk", "ordered": "3.0"}],
    }  # fmt: skip
    assert read("delivery_statuses", delivery_date="2026-01-05", updated_at="2026-01-04T18:30:00Z")["early"] is False


def test_instructions_beside_the_standing_orders() -> None:
    day = {"subscription_id": "s", "date": "2026-01-05"}
    assert read("day_overrides", **day, quantity=1) == {"subscription": "s", "day": "2026-01-05", "quantity": "1"}
    assert read("delivery_pauses", **day) == {"subscription": "s", "day": "2026-01-05"}
    assert read("delivery_stops", subscription_id="s", stopped_at="2026-01-05T20:00:00Z")["day"] == "2026-01-06"
    assert read("shift_overrides", **day, shift="Evening")["shift"] == "evening"
    assert read("delivery_boy_overrides", **day, delivery_boy="P")["driver"] == "P"
    extra = {"customer_id": "c", "product_id": "p", "date": "2026-01-05", "quantity": "0.50"}
    assert read("irregular_deliveries", **extra) == {
        "customer": "c", "product": "p", "day": "2026-01-05", "quantity": "0.50"}  # fmt: skip
    changed = {"subscription_id": "s", "timestamp": "2026-01-05T20:00:00Z", "old_value": 2.0}
    assert read("subscription_audit", action="created", **changed) == {}
    assert read("subscription_audit", action="updated_default_qty", **changed) == {
        "subscription": "s", "at": "2026-01-05T20:00:00+00:00", "day": "2026-01-06", "old": "2.0"}  # fmt: skip
    assert read("system_settings", business_name="Sun", business_phone="9000000000", upi_id="s@x") == {
        "name": "Sun", "phone": "9000000000", "upi": "s@x"}  # fmt: skip
    assert facts.read("leads", {"name": "x", "password": "y"}) == ({}, [])


def test_the_sample_reads_as_the_reference_reads_it() -> None:
    dump = rf.Dump(SAMPLE)
    for row in dump.rows:
        found, _ = facts.read(row.name, row.body)
        assert found.get("day") == (row.day.isoformat() if row.day else None)
        assert found.get("told_at") == (row.updated.isoformat() if row.updated else None)
        assert (found.get("status"), found["early"]) == (row.status, rf.told_too_early(row))
    for sub in dump.subscriptions:
        found = read("subscriptions_v2", **sub.body)
        assert (found.get("customer"), found.get("product")) == (sub.customer, sub.product)
        assert found.get("start") == (sub.start.isoformat() if sub.start else None)
        assert found["overrides"].items() <= {d.isoformat(): str(q) for d, q in sub.overrides.items()}.items() or (
            sub.key in dump.side_overrides
        )
        plan = rf.LegacyPlan(sub.body)
        legacy = found["legacy"]
        assert Decimal(legacy.get("default_qty", "0")) == plan.default
        assert {d: Decimal(q) for d, q in legacy["overrides"].items()} == {
            d.isoformat(): q for d, q in plan.overrides.items()
        }
        assert len(legacy["pauses"]) == len(plan.pauses)
    for order in dump.orders.values():
        legacy = read("orders", **order)["legacy"]
        assert legacy["counts"] == rf.legacy_bills_order(order)
        assert legacy["value_minor"] == rf.legacy_order_value(order)
    paid = [read("payment_transactions", **body) for body in dump.documents("payment_transactions")]
    assert sum(found.get("amount_minor", 0) for found in paid) == dump.payments()
    owed = [read("customers_v2", **body) for body in dump.documents("customers_v2")]
    assert sum(found.get("balance_minor", 0) for found in owed) == dump.opening_balances()


@given(st.from_regex(re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]", re.ASCII), fullmatch=True))
def test_the_short_way_to_a_day_is_the_long_way(text: str) -> None:
    wanted, _ = reading.read_date(text, "")
    assert sheet.day_text(text, "")[0] == (wanted.isoformat() if wanted else None)


@given(st.from_regex(re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,6})?",
                                re.ASCII), fullmatch=True))  # fmt: skip
def test_the_short_way_to_an_instant_is_the_long_way(text: str) -> None:
    found, day, problem = sheet.instant_and_day(text, "")
    wanted, wrong = reading.read_instant(text, "")
    assert found == (wanted.isoformat() if wanted else None)
    assert day == (wanted.astimezone(reading.INDIA).date().isoformat() if wanted else None)
    assert (problem is None) == (wrong is None)


@given(st.one_of(st.floats(), st.integers()))
def test_the_short_way_to_a_number_is_the_long_way(value: float) -> None:
    found, problem = sheet.number_text(value, "")
    wanted, wrong = reading.read_number(value, "")
    assert (problem is None) == (wrong is None)
    assert (found is None) == (wanted is None)
    if found is not None and wanted is not None:
        assert "e" not in found.lower()
        assert abs(Decimal(found) - wanted) <= Decimal("1e-12")


FIELDS = sorted(
    [
        "id",
        "_id",
        "link_id",
        "email",
        "phone",
        "name",
        "role",
        "is_active",
        "customer_v2_id",
        "password",
        "password_hash",
        "created_at",
        "createdAt",
        "user_id",
        "address",
        "area",
        "status",
        "trial_start_date",
        "notes",
        "delivery_instructions",
        "map_link",
        "location",
        "latitude",
        "longitude",
        "delivery_boy_id",
        "previous_balance",
        "custom_product_prices",
        "pincode",
        "city",
        "unit",
        "price",
        "default_price",
        "discontinued",
        "full_name",
        "main_area",
        "sub_area",
        "delivery_boy_ids",
        "shift",
        "area_assigned",
        "assigned_areas",
        "label",
        "address_line1",
        "landmark",
        "is_default",
        "customer_id",
        "customerId",
        "product_id",
        "productId",
        "mode",
        "stop_date",
        "stopped_at",
        "quantity",
        "default_qty",
        "weekly_pattern",
        "start_date",
        "startDate",
        "end_date",
        "pause_intervals",
        "pause_dates",
        "pause_start",
        "pause_end",
        "irregular_list",
        "day_overrides",
        "dayOverrides",
        "auto_start",
        "price_per_unit",
        "delivery_boy",
        "address_id",
        "delivery_date",
        "items",
        "billed",
        "delivery_confirmed",
        "order_id",
        "updated_at",
        "delivered_at",
        "products",
        "confirmation_method",
        "confirmed_by_user_id",
        "confirmed_by_name",
        "month",
        "amount",
        "payment_date",
        "payment_method",
        "subscription_id",
        "date",
        "action",
        "timestamp",
        "old_value",
        "business_name",
    ]
)
ODD = st.sampled_from(
    ["", " ", "2026-01-05", "2026-02-30", "20:00", "active", "DELIVERED", "both", "₹5", "1e5", "9" * 40, "0." + "1" * 90,
     "9000000001", "updated_default_qty", "a\0b", "fixed_daily", -(10**40), 10**400, 1e308, -0.0, 46027, 99999999999,
     {"$numberDecimal": "1E+999999"}, {"$numberDecimal": "1E-6000"}, {"$numberLong": "9" * 30}, {"$oid": "x"},
     {"$date": {"$numberLong": "-99999999999999999999"}}, {"$date": 1e300}, {"$numberDouble": "NaN"}]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | ODD
INNER = st.sampled_from(["start", "end", "start_date", "date", "quantity", "product_id", "price", "lat", "lng",
                         "product_name", "quantity_packets", "delivered_quantity", "$date", "$oid"])  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(INNER | st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(facts.READERS)), st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=12))
def test_no_document_makes_the_reader_fall(collection: str, body: dict[str, Any]) -> None:
    found, wrong = facts.read(collection, body)
    orjson.dumps([found, wrong])
    line = copy_line(collection, Document(1, 1, b"{}", body))
    assert b"\n" not in line
    assert line.count(b"\t") == 11


def test_the_shapes_of_the_seeds() -> None:
    if not SHAPES.exists():
        pytest.skip(f"the legacy seeds are not at {SHAPES}")
    for text in SHAPES.read_text(encoding="utf-8").splitlines():
        body = json.loads(text)["doc"]
        for collection in facts.READERS:
            facts.read(collection, body if isinstance(body, dict) else {"doc": body})


def test_instants_are_in_utc() -> None:
    text = read("users", created_at="2025-10-01T05:17:07.574914")["created_at"]
    assert datetime.fromisoformat(text) == datetime(2025, 9, 30, 23, 47, 7, 574914, tzinfo=UTC)
