"""Dumps in worse repair than any real one: some households of the sample, with random decay; one seed, one dump."""

from __future__ import annotations

import copy
import functools
import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

from make import dump

Doc = dict[str, Any]
Docs = dict[str, list[Doc]]
ABSENT = object()

BUSINESS = ("products", "areas_v2", "delivery_boys_v2", "system_settings")
HOUSEHOLD = (
    "users", "customers_v2", "addresses", "subscriptions_v2", "orders", "delivery_statuses", "delivery_status",
    "payment_transactions", "irregular_deliveries", "day_overrides", "delivery_pauses", "delivery_stops",
    "subscription_audit",
)  # fmt: skip
OWNERS = ("customer_id", "customerId", "user_id", "customer_v2_id")


@functools.cache
def sample() -> Docs:
    """The documents of the sample's collections that the take-over reads."""
    found = {}
    for name in (*BUSINESS, *HOUSEHOLD):
        with gzip.open(dump.SAMPLE / f"{name}.json.gz") as file:
            found[name] = [json.loads(line) for line in file]
    return found


@functools.cache
def by_owner() -> dict[str, list[tuple[str, int]]]:
    """Collection and place of every document that speaks of an id."""
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    holder = {
        sub.get("id", ""): sub.get("customer_id") or sub.get("customerId") for sub in sample()["subscriptions_v2"]
    }
    for name in HOUSEHOLD:
        for place, body in enumerate(sample()[name]):
            spoken = {body.get(field) for field in OWNERS} | {holder.get(body.get("subscription_id", ""))}
            if name in ("users", "customers_v2"):
                spoken |= {body["id"], body["_id"]["$oid"]}
            for owner in spoken:
                if isinstance(owner, str) and owner:
                    found[owner].append((name, place))
    return found


def households(random: Random, count: int, days: int) -> Docs:
    """All documents of `count` households and some accounts without one; delivery rows of some weeks only."""
    everything = sample()
    chosen = {c["id"] for c in random.sample(everything["customers_v2"], count)}
    chosen |= {u["id"] for u in random.sample(everything["users"], count)}
    ordering = sorted({o["user_id"] for o in everything["orders"]})
    chosen |= set(random.sample(ordering, count // 2))
    known = {c["id"] for c in everything["customers_v2"]}
    lost = sorted({str(r["customer_id"]) for r in everything["delivery_statuses"]} - known)
    chosen |= set(random.sample(lost, min(3, len(lost))))
    for _ in range(2):  # whoever is named by, or names, a chosen one
        for name, place in [at for owner in sorted(chosen) for at in by_owner().get(owner, ())]:
            body = everything[name][place]
            if name in ("users", "customers_v2"):
                chosen |= {body["id"], *(body.get(f) for f in ("user_id", "customer_v2_id") if body.get(f))}
    places = {at for owner in chosen for at in by_owner().get(owner, ())}
    found: Docs = {name: copy.deepcopy(everything[name]) for name in BUSINESS}
    first = date(2025, 10, 1) + timedelta(random.randrange(0, 100))
    span = (first.isoformat(), (first + timedelta(days)).isoformat())
    for name in HOUSEHOLD:
        bodies = [everything[name][place] for its, place in sorted(places) if its == name]
        if name.startswith("delivery_status"):
            bodies = [b for b in bodies if span[0] <= str(b["delivery_date"]) <= span[1] or random.random() < 0.02]
        found[name] = copy.deepcopy(bodies)
    return found


def other_form(random: Random, value: Any) -> Any:
    """A date of the sample in another form, another date near it, or no date at all."""
    text = value if isinstance(value, str) else "2025-12-15"
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        day = date(2025, 12, 15)
    day += timedelta(random.choice((0, 0, 0, -1, 1, -20, 30)))
    hour, minute = random.choice((0, 5, 11, 18, 19, 23)), random.choice((0, 29, 30, 59))
    at = datetime.combine(day, time(hour, minute))
    milliseconds = int(at.replace(tzinfo=UTC).timestamp() * 1000)
    return random.choice(
        (
            day.isoformat(), day.isoformat(), at.isoformat(), at.isoformat(" "), at.isoformat() + "Z",
            at.isoformat() + ".123456", at.isoformat() + "+05:30", {"$date": at.isoformat() + "Z"},
            {"$date": milliseconds}, {"$date": {"$numberLong": str(milliseconds)}}, day.strftime("%d-%m-%Y"),
            (day - date(1899, 12, 30)).days, float((day - date(1899, 12, 30)).days), "tomorrow", "", None,
            "2026-13-45", "31-02-2026", 0, float("nan"), ABSENT, str((day - date(1899, 12, 30)).days), True,
            day.isoformat() + " ", [day.isoformat()],
        )
    )  # fmt: skip


def amount(random: Random, value: Any) -> Any:
    """A number of money or goods, in every spelling, or none."""
    number = value if isinstance(value, int | float) else random.choice((1, 2, 0.5, 30, 45.5))
    return random.choice(
        (
            number, number, -number, 0, 0.0, float("nan"), None, "", ABSENT, str(number), f"₹{number}", f"Rs. {number}/-",
            "1,200", "1,5", "free", number + 0.333, number + 0.0005, 1.0005, 0.125, {"$numberDouble": "NaN"},
            {"$numberInt": "3"}, {"$numberDouble": "2.5"}, True, number / 3, 2.675, 1e-7, [number],
        )
    )  # fmt: skip


def quantity(random: Random, value: Any) -> Any:
    """A quantity, mostly one."""
    return random.choice((1, 2, 3, 0.5, 1.5, 0, -1, 2.25, 0.3333, amount(random, value), value))


class Decay:
    """One dump being spoilt."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.docs = households(self.random, self.random.choice((6, 12, 25)), self.random.choice((5, 15, 40)))
        self.rate = self.random.choice((0.0, 0.02, 0.1, 0.3, 0.6))
        self.customers = [c["id"] for c in self.docs["customers_v2"]]
        self.users = [u["id"] for u in self.docs["users"]]
        self.hexes = [u["_id"]["$oid"] for u in self.docs["users"]]
        self.orders = [o["id"] for o in self.docs["orders"]]
        self.products = [p["id"] for p in self.docs["products"]]
        self.boys = [b["id"] for b in self.docs["delivery_boys_v2"]]
        self.subs = [s.get("id") or s["_id"]["$oid"] for s in self.docs["subscriptions_v2"]]
        self.addresses = [a["id"] for a in self.docs["addresses"]]
        self.number = 0

    def one(self, found: list[str]) -> Any:
        """One of the ids, or a reference that leads nowhere."""
        pool = found[: max(3, len(found) // 3)] if self.random.random() < 0.3 else found
        dangling = f"gone-{self.random.randrange(4)}"
        return self.random.choice((*(self.random.choice(pool or ["gone"]) for _ in range(6)), None, "", dangling, ABSENT,
                                   " ", float("nan"), 17, {"$oid": self.random.choice(self.hexes or ["0" * 24])}))  # fmt: skip

    def somebody(self) -> Any:
        return self.one(self.random.choice((self.customers, self.customers, self.users, self.hexes)))

    def fresh_oid(self) -> dict[str, str]:
        self.number += 1
        return {"$oid": f"f{self.number:023x}"}

    def phone(self) -> Any:
        number = f"9000{self.random.randrange(12):06d}"
        return self.random.choice((number, f"+91 {number}", f"0{number}", float(number), f"{number}.0", int(number),
                                   number[:5], "", None, ABSENT, float("nan")))  # fmt: skip

    def email(self) -> Any:
        name = self.random.choice(("a", "b", "ß", "İx", "straße"))
        customer = self.random.choice(self.customers or ["gone"])
        made_up = f"customer-{customer}@earlybird.local"
        return self.random.choice((f"{name}@example.com", f"{name.upper()}@Example.com", made_up, made_up.upper(),
                                   f"customer-{customer}@customer.earlybird.example", "nobody", "", None, ABSENT,
                                   f" {name}@example.com "))  # fmt: skip

    def status(self) -> Any:
        return self.random.choice(("delivered", "DELIVERED", "Delivered", "partially_delivered", "Partially Delivered",
                                   "partial", "not-delivered", "NOT_DELIVERED", "cancelled", "Canceled", "pending",
                                   "confirmed", "out for delivery", "skipped", "", None, ABSENT, 1))  # fmt: skip

    def shift(self) -> Any:
        return self.random.choice(("morning", "Evening", "evening", "BOTH", "both", "night", "", None, ABSENT))

    def dated(self, value: Any) -> Any:
        """A list of dated quantities."""
        days = [other_form(self.random, "2025-11-20") for _ in range(self.random.randrange(4))]
        made = [{"date": None if d is ABSENT else d, "quantity": _json(quantity(self.random, 1))} for d in days]
        return self.random.choice((made, made + made[:1], made, None, {}, "none", [*made, None], value))

    def pauses(self) -> Any:
        names = self.random.choice((("start", "end"), ("start_date", "end_date"), ("startDate", "endDate")))
        first = date(2025, 10, 20) + timedelta(self.random.randrange(90))
        made = []
        for _ in range(self.random.randrange(1, 4)):
            last = first + timedelta(self.random.randrange(-5, 20))
            entry: Doc = {names[0]: first.isoformat(), names[1]: last.isoformat()}
            if self.random.random() < 0.3:
                entry[names[1]] = self.random.choice((None, "", "soon", _json(other_form(self.random, "2025-12-01"))))
            if self.random.random() < 0.1:
                entry[names[0]] = _json(other_form(self.random, "2025-12-01"))
            made.append(entry)
            first += timedelta(self.random.randrange(10))
        return self.random.choice((made, made, made[0], None, [], "x", [*made, 3]))

    def prices(self) -> Any:
        made = {
            self.random.choice(self.products): _json(amount(self.random, 40.0)) for _ in range(self.random.randrange(4))
        }
        return self.random.choice((made, made, made | {"gone-1": 12.5}, None, {}, [], float("nan")))

    def lines(self, value: Any) -> Any:
        """Products told on a row."""
        names = [p["name"] or "Milk" for p in self.docs["products"][:12]]
        made = [
            {
                "product_name": self.random.choice((*names, f" {names[0].upper()} ", None, "Unknown", 7)),
                "quantity_packets": _json(quantity(self.random, 2)),
                "delivered_quantity": _json(quantity(self.random, 1)),
            }
            for _ in range(self.random.randrange(4))
        ]
        told = value if isinstance(value, list) else []
        return self.random.choice((made, [*told, *made], told * 2, None, ABSENT, {}, [None, *made]))

    def items(self, value: Any) -> Any:
        """Lines of an order."""
        told = copy.deepcopy(value) if isinstance(value, list) else []
        for item in told:
            for field, make in (
                ("quantity", lambda v: quantity(self.random, v)),
                ("price", lambda v: amount(self.random, v)),
                ("delivered_quantity", lambda v: quantity(self.random, v)),
                ("product_id", lambda _: self.one(self.products)),
            ):
                if self.random.random() < 0.3:
                    put(item, field, make(item.get(field)))
        return self.random.choice((told, told, told, told * 2, [], None, ABSENT, "milk", [None, *told], {}))

    def spoil(self, body: Doc, ways: dict[str, Callable[[Any], Any]]) -> None:
        """Change one to three fields, perhaps under its camelCase name."""
        for field in self.random.sample(sorted(ways), min(len(ways), self.random.randrange(1, 4))):
            put(body, field, ways[field](body.get(field)))

    def ways(self) -> dict[str, dict[str, Callable[[Any], Any]]]:
        """What can be wrong, per collection and field."""
        r = self.random

        def day(value: Any) -> Any:
            return other_form(r, value)

        def money(value: Any) -> Any:
            return amount(r, value)

        def many(value: Any) -> Any:
            return quantity(r, value)

        def flag(_: Any) -> Any:
            return r.choice((True, False, None, ABSENT, "true", "false", 0, 1, "no"))

        def id_of(value: Any) -> Any:
            return r.choice((ABSENT, None, "", 5, value, value))

        side = {"subscription_id": lambda _: self.one(self.subs), "date": day, "quantity": many}
        row = {
            "customer_id": lambda _: self.somebody(), "order_id": lambda _: self.one(self.orders),
            "delivery_date": day, "delivery_boy_id": lambda _: self.one(self.boys), "status": lambda _: self.status(),
            "updated_at": day, "delivered_at": day, "created_at": day, "products": self.lines, "id": id_of,
        }  # fmt: skip
        return {
            "users": {
                "customer_v2_id": lambda _: self.one(self.customers), "phone": lambda _: self.phone(),
                "email": lambda _: self.email(), "role": lambda v: r.choice((v, v, "Customer", "CUSTOMER ", "admin", None)),
                "id": lambda v: r.choice((v, ABSENT, self.one(self.customers))), "is_active": flag, "created_at": day,
            },
            "customers_v2": {
                "user_id": lambda _: self.one(self.users + self.hexes), "phone": lambda _: self.phone(),
                "email": lambda _: self.email(), "delivery_boy_id": lambda _: self.one(self.boys),
                "status": lambda _: r.choice(("active", "Active", "trial", "paused", "stopped", "new", None, ABSENT)),
                "previous_balance": money, "custom_product_prices": lambda _: self.prices(), "created_at": day,
                "trial_start_date": day, "id": id_of,
            },
            "products": {
                "price": money, "default_price": money, "name": lambda v: r.choice((v, v, "Milk", " milk ", None)),
                "unit": lambda v: r.choice((v, "L", "litre", "Ltr.", "500ml", "packet", None, ABSENT)),
                "id": lambda v: r.choice((v, v, v, ABSENT)),
            },
            "areas_v2": {"delivery_boy_ids": lambda _: r.choice((None, [], r.sample(self.boys, 2), [None, self.boys[0]], "x"))},
            "delivery_boys_v2": {"shift": lambda _: self.shift(), "name": lambda v: r.choice((v, None, "Ravi"))},
            "addresses": {"user_id": lambda _: self.somebody(), "id": id_of},
            "subscriptions_v2": {
                "customer_id": lambda _: self.somebody(), "customerId": lambda _: self.somebody(),
                "product_id": lambda _: self.one(self.products), "productId": lambda _: self.one(self.products),
                "price_per_unit": money, "default_qty": many, "quantity": many,
                "mode": lambda v: r.choice((v, "fixed_daily", "weekly_pattern", "one_time", "day_by_day", "irregular",
                                            "daily", None, "", ABSENT)),
                "weekly_pattern": lambda _: r.choice(([0, 2, 4], [6], [], None, [0, 7, "2", 1.0, None], "0,1", 3)),
                "shift": lambda _: self.shift(),
                "status": lambda _: r.choice(("active", "ACTIVE", "draft", "paused", "stopped", None, "trial")),
                "auto_start": flag, "created_at": day, "createdAt": day, "stop_date": day, "stopped_at": day,
                "start_date": day, "startDate": day, "end_date": day, "endDate": day,
                "pause_intervals": lambda _: self.pauses(), "pauses": lambda _: self.pauses(),
                "pause_dates": lambda _: [_json(day("2025-12-10")) for _ in range(3)], "pause_start": day, "pause_end": day,
                "day_overrides": self.dated, "dayOverrides": self.dated, "irregular_list": self.dated, "id": id_of,
            },
            "orders": {
                "customer_id": lambda _: self.somebody(), "user_id": lambda _: self.one(self.users + self.hexes),
                "address_id": lambda _: self.one(self.addresses), "status": lambda _: self.status(),
                "delivery_date": day, "delivery_boy_id": lambda _: self.one(self.boys), "items": self.items,
                "billed": flag, "delivery_confirmed": flag, "created_at": day, "id": id_of,
            },
            "delivery_statuses": row,
            "delivery_status": row,
            "payment_transactions": {
                "customer_id": lambda _: self.somebody(), "amount": money, "payment_date": day, "created_at": day,
                "month": lambda v: r.choice((v, "2025-11", "2025-13", "Nov", None, ABSENT, "")),
                "payment_method": lambda v: r.choice((v, "cash", None, "UPI")), "id": id_of,
            },
            "irregular_deliveries": {"customer_id": lambda _: self.somebody(), "date": day, "quantity": many,
                                     "product_id": lambda _: self.one(self.products)},
            "day_overrides": side,
            "delivery_pauses": side,
            "delivery_stops": {"subscription_id": lambda _: self.one(self.subs), "stopped_at": day},
            "subscription_audit": {"subscription_id": lambda _: self.one(self.subs), "timestamp": day, "old_value": many,
                                   "action": lambda v: r.choice((v, v, v, "created"))},
        }  # fmt: skip

    def spread(self) -> None:
        """Add what no change of a field brings: side rows, several rows a day, rows in the other collection, copies."""
        r, docs = self.random, self.docs
        for name, make in (
            ("day_overrides", lambda: {"date": "2025-12-15", "quantity": r.choice((0, 1, 2.5, -2))}),
            ("delivery_pauses", lambda: {"date": "2025-12-15"}),
            ("delivery_stops", lambda: {"stopped_at": "2025-12-20T06:00:00"}),
            ("subscription_audit", lambda: {"action": "updated_default_qty", "timestamp": "2025-12-10T10:00:00",
                                            "old_value": r.choice((0, 1, 3, 0.5)), "new_value": 2}),
        ):  # fmt: skip
            for _ in range(r.randrange(8)):
                sub = r.choice(self.subs or ["gone"])
                for _ in range(r.choice((1, 1, 2))):
                    body = {"_id": self.fresh_oid(), "id": f"side-{self.number}", "subscription_id": sub} | make()
                    for field in ("date", "stopped_at", "timestamp"):
                        if field in body:
                            moved = date(2025, 10, 5) + timedelta(r.randrange(115))
                            body[field] = body[field].replace("2025-12-15", moved.isoformat()).replace(
                                "2025-12-10", moved.isoformat()).replace("2025-12-20", moved.isoformat())  # fmt: skip
                    docs[name].append(body)
        self.tell_again()
        for name in ("orders", "irregular_deliveries"):
            for body in [copy.deepcopy(b) for b in docs[name] if r.random() < 0.1]:
                docs[name].append(body | {"_id": self.fresh_oid(), "id": f"again-{self.number}"})
        self.copy()

    def copy(self) -> None:
        """Write some documents twice, with the same `_id` or another."""
        r, docs = self.random, self.docs
        for name in docs:
            for body in [b for b in docs[name] if r.random() < self.rate / 10]:
                twin = copy.deepcopy(body)
                if r.random() < 0.5:
                    twin["_id"] = self.fresh_oid()
                docs[name].append(twin)

    def tell_again(self) -> None:
        """Tell some visits once more, in either collection."""
        r, docs = self.random, self.docs
        rows = docs["delivery_statuses"]
        for _ in range(r.randrange(1 + len(rows) // 8)):
            body = copy.deepcopy(r.choice(rows)) | {"_id": self.fresh_oid()}
            to = r.choice(("delivery_statuses", "delivery_status"))
            if to == "delivery_status":
                body.pop("id", None)
                body.pop("delivery_boy_id", None)
                body["products"] = self.lines([])
                if body["products"] is ABSENT:
                    del body["products"]
            else:
                body["id"] = f"row-{self.number}"
                body["delivery_boy_id"] = r.choice((body.get("delivery_boy_id"), *self.boys, None))
            body["status"] = r.choice((body["status"], "delivered", "partially_delivered", "not_delivered"))
            if self.orders and r.random() < 0.2:
                body["order_id"] = r.choice(self.orders)
            docs[to].append(body)

    def drop(self) -> None:
        """Delete households and products that other documents still speak of."""
        for name in ("customers_v2", "products", "users", "orders", "addresses"):
            self.docs[name] = [b for b in self.docs[name] if self.random.random() >= self.rate / 5]

    def spoilt(self) -> Docs:
        """Do it all."""
        self.spread()
        ways = self.ways()
        for name, bodies in self.docs.items():
            for body in bodies:
                if name in ways and self.random.random() < self.rate:
                    self.spoil(body, ways[name])
        self.drop()
        for bodies in self.docs.values():
            if self.random.random() < self.rate:
                self.random.shuffle(bodies)
        return self.docs


def put(body: Doc, field: str, value: Any) -> None:
    """Write a field, or take it away."""
    if value is ABSENT:
        body.pop(field, None)
    else:
        body[field] = _json(value)


def _json(value: Any) -> Any:
    return None if value is ABSENT else value


def write(seed: int, folder: Path) -> Path:
    """Write the dump of a seed, with lines that no reader can read among the others."""
    decay = Decay(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name, bodies in decay.spoilt().items():
        lines = [*map(dump.line, bodies)]
        if decay.random.random() < decay.rate:
            broken: Iterable[bytes] = (b'{"id": "x", ', b'{"id": "\xff\xfe"}', b"[1, 2", b'"text"', b"{}")
            for line in broken:
                lines.insert(decay.random.randrange(len(lines) + 1), line)
        (folder / f"{name}.json").write_bytes(b"".join(line + b"\n" for line in lines))
    return folder
