"""Reference reading of a legacy EarlyBird dump: what it holds and what it proves.

In-memory and plain on purpose: it is the specification and the oracle for the set-based import.
Each rule is one small function: R documents, L links, S what is due, P prices, E evidence, B the old bill.
"""

from __future__ import annotations

import calendar
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from earlybird.importers.earlybird import reading as rd
from earlybird.importers.errors import DumpUnreadable

Doc = dict[str, Any]
ZERO = Decimal(0)
ONE = Decimal(1)
VISITS = ("morning", "evening")
DONE = ("delivered", "partially_delivered")
ROW_OVERRULES = ("cancelled",)
"""Order statuses that a delivered row naming the order overrules in the evidence value [E7]."""
BOTH_COLLECTIONS = ("delivery_statuses", "delivery_status")


@dataclass
class Collection:
    """One file of the dump: distinct documents in file order and the counts of the report."""

    name: str
    documents: list[Doc] = field(default_factory=list)
    seen: int = 0
    malformed: int = 0
    keyless: int = 0
    duplicates: int = 0
    failure: str | None = None


def collection_name(path: Path) -> str | None:
    """[R1] Name of the collection of a file, None when it is no collection."""
    for ending in (".json.gz", ".jsonl.gz", ".json", ".jsonl"):
        if path.name.endswith(ending) and not path.name.endswith(".metadata.json"):
            return path.name.removesuffix(ending)
    return None


def read_collection(path: Path, name: str) -> Collection:
    """[R2] Read a file and set duplicates aside: same `_id`, or same `id` and equal content."""
    found = Collection(name)
    by_oid: set[str] = set()
    by_content: set[tuple[str, str]] = set()
    try:
        for record in rd.read_dump(path):
            found.seen += 1
            if isinstance(record, rd.Malformed):
                found.malformed += 1
                continue
            body = record.body
            oid, key = rd.object_id(body), rd.document_key(body)
            same = (key, rd.content(body)) if key and key != oid else None
            if (oid and oid in by_oid) or (same and same in by_content):
                found.duplicates += 1
                continue
            if oid:
                by_oid.add(oid)
            if same:
                by_content.add(same)
            if key is None:
                found.keyless += 1
                continue
            found.documents.append(body)
    except DumpUnreadable as failure:
        found.failure = str(failure)
    return found


def first_of_each_key(documents: Iterable[Doc]) -> dict[str, Doc]:
    """[R3] Documents by key; of several with one key and different content the first one."""
    found: dict[str, Doc] = {}
    for body in documents:
        key = rd.document_key(body)
        if key is not None:
            found.setdefault(key, body)
    return found


@dataclass
class Row:
    """One row of the two delivery collections, resolved."""

    name: str
    body: Doc
    customer: str | None
    account: str | None
    holder: str | None
    day: date | None
    boy: str | None
    status: str | None
    updated: datetime | None


@dataclass
class Subscription:
    """A subscription as the evidence sees it; quantities in the product's unit."""

    key: str
    body: Doc
    customer: str | None
    product: str | None
    mode: str | None
    shift: str
    start: date | None
    stop: date | None
    quantity: Decimal
    weekdays: frozenset[int]
    first_day: date | None
    last_day: date | None
    pauses: list[rd.Pause]
    irregular: dict[date, Decimal]
    overrides: dict[date, Decimal]
    auto_start: bool
    former: list[tuple[date, Decimal]]


class Dump:
    """A dump directory with every collection read; the parts are computed when asked for."""

    def __init__(self, directory: Path) -> None:
        self.collections: dict[str, Collection] = {}
        for path in sorted(directory.iterdir()):
            name = collection_name(path)
            if name is not None and path.is_file():
                self.collections[name] = read_collection(path, name)

    def documents(self, name: str) -> list[Doc]:
        """Distinct documents of a collection, none when the file is missing."""
        found = self.collections.get(name)
        return found.documents if found else []

    @cached_property
    def customers(self) -> dict[str, Doc]:
        return first_of_each_key(self.documents("customers_v2"))

    @cached_property
    def accounts(self) -> dict[str, Doc]:
        users = first_of_each_key(self.documents("users"))
        return {k: u for k, u in users.items() if rd.fold_role(u.get("role"))[0] == "customer"}

    @cached_property
    def products(self) -> dict[str, Doc]:
        return first_of_each_key(self.documents("products"))

    @cached_property
    def orders(self) -> dict[str, Doc]:
        return first_of_each_key(self.documents("orders"))

    @cached_property
    def account_of_oid(self) -> dict[str, str]:
        found = ((rd.object_id(u), k) for k, u in self.accounts.items())
        return {oid: key for oid, key in found if oid}

    def account(self, reference: object) -> str | None:
        """[R4] Account a reference names, by key or by the hex of its `_id`."""
        text = rd.read_reference(reference)
        if text is None:
            return None
        return text if text in self.accounts else self.account_of_oid.get(text)

    @cached_property
    def customers_by_user_id(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for key, customer in self.customers.items():
            user = rd.read_reference(customer.get("user_id"))
            if user:
                found[user].add(key)
        return found

    def explicit_evidence(self, account: str) -> set[str]:
        """[L1a] Customers the account names, that name the account, or that share its id."""
        body = self.accounts[account]
        named = {rd.read_reference(body.get("customer_v2_id")), account}
        found = {key for key in named if key and key in self.customers}
        found |= self.customers_by_user_id.get(account, set())
        return found | self.customers_by_user_id.get(rd.object_id(body) or "", set())

    def made_up_email(self, account: str) -> str | None:
        """[L1b] Customer in the e-mail `customer-{customer id}@earlybird.local`."""
        email = rd.fold_email(self.accounts[account].get("email")) or ""
        if not (email.startswith("customer-") and email.endswith("@earlybird.local")):
            return None
        wanted = email.removeprefix("customer-").removesuffix("@earlybird.local")
        return self.customer_by_folded_key.get(wanted)

    @cached_property
    def customer_by_folded_key(self) -> dict[str, str]:
        counts = Counter(key.casefold() for key in self.customers)
        return {k.casefold(): k for k in self.customers if counts[k.casefold()] == 1}

    @cached_property
    def customer_of_phone(self) -> dict[str, str]:
        """[L1c] Account → customer by a phone held by exactly one of each."""
        return unique_pairs(
            {k: rd.read_phone(u.get("phone"), "phone")[0] for k, u in self.accounts.items()},
            {k: rd.read_phone(c.get("phone"), "phone")[0] for k, c in self.customers.items()},
        )

    @cached_property
    def customer_of_email(self) -> dict[str, str]:
        """[L1d] Account → customer by an e-mail held by exactly one of each, case folded."""
        return unique_pairs(
            {k: rd.fold_email(u.get("email")) for k, u in self.accounts.items()},
            {k: rd.fold_email(c.get("email")) for k, c in self.customers.items()},
        )

    @cached_property
    def account_links(self) -> dict[str, tuple[str | None, str]]:
        """[L1] Account → (customer, verdict)."""
        return {account: self.account_link(account) for account in self.accounts}

    def account_link(self, account: str) -> tuple[str | None, str]:
        """[L1] Explicit evidence, unless contradicted; else e-mail made up, phone, e-mail."""
        explicit = self.explicit_evidence(account)
        made_up = self.made_up_email(account)
        phone = self.customer_of_phone.get(account)
        if len(explicit) > 1:
            return None, "contradictory"
        if explicit:
            (customer,) = explicit
            if any(other and other != customer for other in (made_up, phone)):
                return None, "contradictory"
            return customer, "explicit"
        email = self.customer_of_email.get(account)
        for customer_or_none, verdict in ((made_up, "made_up"), (phone, "phone"), (email, "email")):
            if customer_or_none:
                return customer_or_none, verdict
        return None, "none"

    def customer_of_account(self, account: str | None) -> str | None:
        """Customer of an account by evidence, None when unknown or contradictory."""
        return self.account_links[account][0] if account else None

    @cached_property
    def addresses(self) -> dict[str, Doc]:
        return first_of_each_key(self.documents("addresses"))

    def order_account(self, order: Doc) -> str | None:
        """[L2b] The ordering account: `user_id`, else `customer_id` as account, else address."""
        address = self.addresses.get(rd.read_reference(order.get("address_id")) or "", {})
        for reference in (order.get("user_id"), order.get("customer_id"), address.get("user_id")):
            account = self.account(reference)
            if account:
                return account
        return None

    def order_customer(self, order: Doc) -> str | None:
        """[L2] Customer of an order, None when unknown or contradictory."""
        account = self.order_account(order)
        if account and self.account_links[account][1] == "contradictory":
            return None
        named = rd.read_reference(order.get("customer_id"))
        if named in self.customers:
            return named
        return self.customer_of_account(account)

    @cached_property
    def order_customers(self) -> dict[str, str | None]:
        return {key: self.order_customer(order) for key, order in self.orders.items()}

    @cached_property
    def order_accounts(self) -> dict[str, str | None]:
        return {key: self.order_account(order) for key, order in self.orders.items()}

    def order_holder(self, key: str) -> str | None:
        """[L2c] Whom the value of an order is booked on: customer, else `user:` account."""
        customer = self.order_customers[key]
        if customer:
            return customer
        account = self.order_accounts[key]
        return f"user:{account}" if account else None

    @cached_property
    def rows(self) -> list[Row]:
        return [self.row(name, body) for name in BOTH_COLLECTIONS for body in self.documents(name)]

    def row(self, name: str, body: Doc) -> Row:
        """[L3a] A delivery row; `customer_id` as customer, else as account, else as it stands."""
        named = rd.read_reference(body.get("customer_id"))
        account = None if named in self.customers else self.account(named)
        customer = self.customer_of_account(account) if account else named
        return Row(
            name=name,
            body=body,
            customer=customer,
            account=account,
            holder=customer or named,
            day=rd.read_date(body.get("delivery_date"), "delivery_date")[0],
            boy=rd.read_reference(body.get("delivery_boy_id")),
            status=rd.fold_order_status(body.get("status"))[0],
            updated=row_time(body),
        )

    def order_day(self, order: Doc) -> date | None:
        """Delivery date of an order."""
        return rd.read_date(order.get("delivery_date"), "delivery_date")[0]

    @cached_property
    def told_delivered(self) -> dict[str, Doc]:
        """Orders whose status folds to delivered or partially_delivered."""
        return {
            key: order for key, order in self.orders.items() if rd.fold_order_status(order.get("status"))[0] in DONE
        }

    @cached_property
    def orders_of_day(self) -> dict[tuple[str, date], list[str]]:
        """Orders told delivered by (customer or `user:` account, delivery date)."""
        found: dict[tuple[str, date], list[str]] = defaultdict(list)
        for key, order in self.told_delivered.items():
            day = self.order_day(order)
            if day is None:
                continue
            customer, account = self.order_customers[key], self.order_accounts[key]
            if customer:
                found[customer, day].append(key)
            if account:
                found[f"user:{account}", day].append(key)
        return found

    def order_named(self, row: Row) -> str | None:
        """[L3b] Key of the order `order_id` names, None when null, blank or dangling."""
        named = rd.read_reference(row.body.get("order_id"))
        return named if named in self.orders else None

    def names_other_customer(self, row: Row, order: str) -> bool:
        """[L3c] The named order resolves to a customer other than the row's.

        Of a row that carries an account without a known customer, to another account's customer.
        """
        owner = self.order_customers[order]
        if owner is None:
            return False
        if row.customer is None:
            account = self.order_accounts[order]
            return bool(row.account and account and row.account != account)
        return owner != row.customer

    def matching_orders(self, row: Row) -> list[str]:
        """[L3d] Orders of the same customer or account and day, delivered by no other boy."""
        if row.day is None or row.status not in DONE:
            return []
        found: dict[str, None] = {}
        if row.customer:
            found |= dict.fromkeys(self.orders_of_day.get((row.customer, row.day), ()))
        if row.account:
            found |= dict.fromkeys(self.orders_of_day.get((f"user:{row.account}", row.day), ()))
        return [key for key in found if self.no_other_boy(row, self.orders[key])]

    @staticmethod
    def no_other_boy(row: Row, order: Doc) -> bool:
        """[L3e] A boy missing on either side does not exclude."""
        boy = rd.read_reference(order.get("delivery_boy_id"))
        return not row.boy or not boy or row.boy == boy

    def order_of_row(self, row: Row) -> str | None:
        """[L3] E1 the named order, E2 the only matching one; else nothing."""
        named = self.order_named(row)
        if named is not None:
            return None if self.names_other_customer(row, named) else named
        matching = self.matching_orders(row)
        return matching[0] if len(matching) == 1 else None

    @cached_property
    def former_quantities(self) -> dict[str, list[tuple[date, Decimal]]]:
        """[S6] Audited changes of default_qty: subscription → (day of change, old quantity)."""
        found: dict[str, list[tuple[datetime, date, Decimal]]] = defaultdict(list)
        for entry in self.documents("subscription_audit"):
            key = rd.read_reference(entry.get("subscription_id"))
            if key is None or entry.get("action") != "updated_default_qty":
                continue
            at = rd.read_instant(entry.get("timestamp"), "timestamp")[0]
            day = rd.read_date(entry.get("timestamp"), "timestamp")[0]
            old = rd.read_quantity(entry.get("old_value"), "old_value")[0]
            if at is not None and day is not None and old is not None:
                found[key].append((at, day, old))
        return {key: [(day, old) for _, day, old in sorted(changes)] for key, changes in found.items()}

    @cached_property
    def side_overrides(self) -> dict[str, dict[date, Decimal]]:
        """[S5] Collection day_overrides: subscription → day → quantity."""
        found: dict[str, dict[date, Decimal]] = defaultdict(dict)
        for entry in self.documents("day_overrides"):
            key = rd.read_reference(entry.get("subscription_id"))
            for day, quantity in rd.read_dated_quantities([entry], "day_overrides")[0].items():
                if key:
                    found[key][day] = quantity
        return found

    @cached_property
    def side_pauses(self) -> dict[str, list[rd.Pause]]:
        """[S4] Collection delivery_pauses: one paused day per row."""
        found: dict[str, list[rd.Pause]] = defaultdict(list)
        for entry in self.documents("delivery_pauses"):
            key = rd.read_reference(entry.get("subscription_id"))
            day = rd.read_date(entry.get("date"), "date")[0]
            if key and day:
                found[key].append(rd.Pause(day, day))
        return found

    @cached_property
    def side_stops(self) -> dict[str, date]:
        """[S3] Collection delivery_stops: subscription → earliest day of the stop."""
        found: dict[str, date] = {}
        for entry in self.documents("delivery_stops"):
            key = rd.read_reference(entry.get("subscription_id"))
            day = rd.read_date(entry.get("stopped_at"), "stopped_at")[0]
            if key and day:
                found[key] = min(day, found.get(key, day))
        return found

    @cached_property
    def subscriptions(self) -> list[Subscription]:
        return [
            self.subscription(key, body) for key, body in first_of_each_key(self.documents("subscriptions_v2")).items()
        ]

    def subscription(self, key: str, body: Doc) -> Subscription:
        """[S] A subscription with camel and snake folded and side collections applied."""
        product = rd.read_reference(rd.pick(body, "product_id", "productId")[0])
        mode, _ = rd.read_text(body.get("mode"), "mode")
        stops = [
            rd.read_date(body.get("stop_date"), "stop_date")[0],
            rd.read_date(body.get("stopped_at"), "stopped_at")[0],
            self.side_stops.get(key),
        ]
        return Subscription(
            key=key,
            body=body,
            customer=rd.read_reference(rd.pick(body, "customer_id", "customerId")[0]),
            product=product,
            mode=mode,
            shift=rd.fold_shift(body.get("shift"))[0] or "morning",
            start=rd.read_date(rd.pick(body, "created_at", "createdAt")[0], "created_at")[0],
            stop=min((day for day in stops if day), default=None),
            quantity=self.default_quantity(body, mode, product),
            weekdays=rd.read_weekdays(body.get("weekly_pattern"), "weekly_pattern")[0],
            first_day=rd.read_date(rd.pick(body, "start_date", "startDate")[0], "start")[0],
            last_day=rd.read_date(rd.pick(body, "end_date", "endDate")[0], "end")[0],
            pauses=[p.turned() for p in rd.read_pauses(body)[0]] + self.side_pauses.get(key, []),
            irregular=rd.read_dated_quantities(body.get("irregular_list"), "irregular_list")[0],
            overrides={**rd.read_overrides(body)[0], **self.side_overrides.get(key, {})},
            auto_start=rd.read_flag(body.get("auto_start")) is not False,
            former=self.former_quantities.get(key, []),
        )

    def default_quantity(self, body: Doc, mode: str | None, product: str | None) -> Decimal:
        """[S2] `quantity` in packets for one_time and without mode, else `default_qty` in units."""
        packets = rd.read_quantity(body.get("quantity"), "quantity")[0]
        default = rd.read_quantity(body.get("default_qty"), "default_qty")[0]
        if packets is not None and (mode in (None, "one_time") or default is None):
            return rd.packets_to_units(packets, self.products.get(product or "", {}).get("unit"))
        return default if default is not None else ZERO

    @cached_property
    def subscriptions_of(self) -> dict[str, list[Subscription]]:
        found: dict[str, list[Subscription]] = defaultdict(list)
        for sub in self.subscriptions:
            if sub.customer:
                found[sub.customer].append(sub)
        return found

    def custom_prices(self, customer: str | None) -> dict[str, Decimal]:
        """Custom prices of a customer, those above zero."""
        body = self.customers.get(customer or "", {})
        return rd.read_custom_prices(body.get("custom_product_prices"))

    def product_price(self, product: str | None) -> Decimal | None:
        """[P2] `default_price`, else `price`; the first above zero."""
        body = self.products.get(product or "", {})
        return rd.read_price(body.get("default_price")) or rd.read_price(body.get("price"))

    def subscription_price(self, sub: Subscription) -> Decimal:
        """[P1] Custom price, price_per_unit, default_price, price: the first above zero."""
        return (
            self.custom_prices(sub.customer).get(sub.product or "")
            or rd.read_price(sub.body.get("price_per_unit"))
            or self.product_price(sub.product)
            or ZERO
        )

    def extra_price(self, customer: str, product: str | None) -> Decimal:
        """[P3] Price of a dated extra: custom price, default_price, price."""
        custom = self.custom_prices(customer).get(product or "")
        return custom or self.product_price(product) or ZERO

    def order_value(self, order: Doc, *, as_delivered: bool) -> int:
        """[P4] Paise of an order; own price, the product's when not above zero; per line."""
        return sum(self.line_value(line, as_delivered=as_delivered) for line in order_lines(order))

    def line_value(self, line: Doc, *, as_delivered: bool) -> int:
        """[P4] One line, rounded to the paisa; `delivered_quantity` where present."""
        quantity = rd.read_quantity(line.get("quantity"), "quantity")[0]
        delivered = rd.read_quantity(line.get("delivered_quantity"), "delivered_quantity")[0]
        if as_delivered and delivered is not None:
            quantity = delivered
        price = rd.read_price(line.get("price"))
        price = price or self.product_price(rd.read_reference(line.get("product_id")))
        return rd.to_paise(max(quantity or ZERO, ZERO) * (price or ZERO))

    @cached_property
    def morning_boys(self) -> frozenset[str]:
        """[E3] Boys who stand on a customer or an area as its boy and are not told evening."""
        boys = first_of_each_key(self.documents("delivery_boys_v2"))
        shifts = {k: rd.fold_shift(b.get("shift"))[0] for k, b in boys.items()}
        found = {k for k, shift in shifts.items() if shift == "morning"}
        named = {rd.read_reference(c.get("delivery_boy_id")) for c in self.customers.values()}
        for area in self.documents("areas_v2"):
            ids = area.get("delivery_boy_ids")
            named |= {rd.read_reference(i) for i in ids} if isinstance(ids, list) else set()
        found |= {boy for boy in named if boy and shifts.get(boy) != "evening"}
        return frozenset(found)

    def visit(self, customer: str, boy: str | None) -> str | None:
        """[E3] Visit of a row: None = all, else morning or evening."""
        if boy is None:
            return None
        own = rd.read_reference(self.customers.get(customer, {}).get("delivery_boy_id"))
        if boy == own:
            return "morning"
        return "morning" if boy in self.morning_boys else "evening"

    @cached_property
    def rows_of_day(self) -> dict[tuple[str, date], list[Row]]:
        found: dict[tuple[str, date], list[Row]] = defaultdict(list)
        for row in self.rows:
            if row.holder and row.day and not told_too_early(row):
                found[row.holder, row.day].append(row)
        return found

    @cached_property
    def extras(self) -> dict[tuple[str, date], list[tuple[str, Decimal]]]:
        """[E6] Collection irregular_deliveries: (customer, day) → product and quantity."""
        found: dict[tuple[str, date], list[tuple[str, Decimal]]] = defaultdict(list)
        for entry in self.documents("irregular_deliveries"):
            customer = rd.read_reference(entry.get("customer_id"))
            product = rd.read_reference(entry.get("product_id"))
            for day, quantity in rd.read_dated_quantities([entry], "irregular")[0].items():
                if customer and product:
                    found[customer, day].append((product, quantity))
        return found

    @cached_property
    def delivered(self) -> Counter[tuple[str, str]]:
        """[E] Paise proven delivered by (customer or `user:` account, month)."""
        found: Counter[tuple[str, str]] = Counter()
        for (customer, day), rows in self.rows_of_day.items():
            found[customer, month_of(day)] += self.value_of_day(customer, day, rows)
        for key, order in self.orders.items():
            day_or_none, holder = self.order_day(order), self.order_holder(key)
            if day_or_none and holder and self.told_as_delivered(key):
                found[holder, month_of(day_or_none)] += self.order_value(order, as_delivered=True)
        return found

    def told_as_delivered(self, key: str) -> bool:
        """[E7] Told delivered by its status, or cancelled while a row names it as delivered."""
        if key in self.told_delivered:
            return True
        status = rd.fold_order_status(self.orders[key].get("status"))[0]
        return status in ROW_OVERRULES and key in self.confirmed_by_row

    @cached_property
    def confirmed_by_row(self) -> frozenset[str]:
        """[E7] Orders that a delivered row of no other customer names by id (E1)."""
        found = set()
        for row in self.rows:
            named = self.order_named(row)
            if named and row.status in DONE and not self.names_other_customer(row, named):
                found.add(named)
        return frozenset(found)

    def rows_of_visit(self, customer: str, visit: str, rows: list[Row]) -> list[Row]:
        """[E3] Rows that stand for a visit.

        A delivery_status row (it has no boy) stands for the visits that the delivery_statuses
        rows of the day stand for; for all of them when there is none.
        """
        main = [r for r in rows if r.name == "delivery_statuses"]
        own = [r for r in main if self.visit(customer, r.boy) in (None, visit)]
        return [] if main and not own else [r for r in rows if r not in main or r in own]

    def value_of_day(self, customer: str, day: date, rows: list[Row]) -> int:
        """[E1] Paise of the subscriptions and extras of one customer and day."""
        latest = {v: latest_row(self.rows_of_visit(customer, v, rows)) for v in VISITS}
        paise = 0
        for sub in self.subscriptions_of.get(customer, ()):
            row = latest["evening" if sub.shift == "evening" else "morning"]
            if row is not None and row.status in DONE:
                full = due(sub, day) * self.subscription_price(sub)
                delivered, ordered = self.share(row, rows, sub.product)
                paise += rd.to_paise(full * delivered / ordered)
        for product, quantity in self.extras.get((customer, day), ()):
            row = latest["morning"]
            if row is not None and row.status in DONE:
                paise += rd.to_paise(quantity * self.extra_price(customer, product))
        return paise

    def share(self, row: Row, rows: list[Row], product: str | None) -> tuple[Decimal, Decimal]:
        """[E5] Delivered and ordered of one product on a partial day, else one of one."""
        if row.status != "partially_delivered":
            return ONE, ONE
        name = folded_name(self.products.get(product or "", {}).get("name"))
        ordered = delivered = ZERO
        for other in rows:
            for line in product_lines(other.body):
                if name and folded_name(line.get("product_name")) == name:
                    ordered += rd.read_quantity(line.get("quantity_packets"), "q")[0] or ZERO
                    delivered += rd.read_quantity(line.get("delivered_quantity"), "q")[0] or ZERO
        return (max(delivered, ZERO), ordered) if ordered > 0 else (ONE, ONE)

    @cached_property
    def months(self) -> list[str]:
        """[B1] Months the data covers: from the first to the last time a row was written."""
        times = [row.updated for row in self.rows if row.updated]
        if not times:
            return []
        first, last = (t.astimezone(rd.INDIA) for t in (min(times), max(times)))
        count = (last.year - first.year) * 12 + last.month - first.month + 1
        at = (first.year * 12 + first.month - 1 + n for n in range(count))
        return [f"{n // 12:04d}-{n % 12 + 1:02d}" for n in at]

    @cached_property
    def billed(self) -> Counter[tuple[str, str]]:
        """[B] Paise of the legacy bill on first view by (customer, month)."""
        found: Counter[tuple[str, str]] = Counter()
        billable = {key for key, customer in self.customers.items() if customer.get("status") in ("active", "trial")}
        for body in first_of_each_key(self.documents("subscriptions_v2")).values():
            customer = rd.read_reference(body.get("customer_id"))
            if customer in billable and body.get("status") == "active":
                for month, paise in self.legacy_subscription(customer, body):
                    found[customer, month] += paise
        for order in self.orders.values():
            customer = rd.read_reference(order.get("customer_id"))
            day = self.order_day(order)
            if customer in billable and day and legacy_bills_order(order):
                found[customer, month_of(day)] += legacy_order_value(order)
        return found

    def legacy_subscription(self, customer: str, body: Doc) -> Iterator[tuple[str, int]]:
        """[B2] Month and paise of one active subscription with snake_case ids."""
        product = rd.read_reference(body.get("product_id"))
        if product not in self.products:
            return
        price = self.legacy_price(customer, product)
        plan = LegacyPlan(body)
        for month in self.months:
            quantity = sum((plan.quantity(day) for day in days_of(month)), ZERO)
            yield month, rd.to_paise(quantity * price)

    def legacy_price(self, customer: str, product: str) -> Decimal:
        """[B3] Custom price, else default_price, else nothing."""
        custom = self.customers[customer].get("custom_product_prices")
        if isinstance(custom, dict) and product in custom:
            return rd.read_rupees(custom[product], "price")[0] or ZERO
        return rd.read_rupees(self.products[product].get("default_price"), "price")[0] or ZERO

    def report(self) -> dict[str, Any]:
        """The report of REPORT_SCHEMA.md."""
        return {
            "collections": {n: counts(c) for n, c in self.collections.items()},
            "links": {
                "users_to_customers": {k: v[0] for k, v in self.account_links.items() if v[0]},
                "orders_to_customers": {k: self.order_holder(k) for k in self.orders},
                "deliveries_to_orders": self.delivery_links(),
            },
            "money": {
                "payments_minor": self.payments(),
                "opening_balances_minor": self.opening_balances(),
                "by_customer_month": self.by_customer_month(),
            },
        }

    def delivery_links(self) -> dict[str, str]:
        found = {}
        for row in self.rows:
            order = self.order_of_row(row)
            if order is not None:
                found[f"{row.name}:{rd.document_key(row.body)}"] = order
        return found

    def payments(self) -> int:
        """[M1] Every readable amount of every distinct payment."""
        found = self.documents("payment_transactions")
        return sum(rd.read_money(p.get("amount"), "amount")[0] or 0 for p in found)

    def opening_balances(self) -> int:
        """[M2] Every readable previous_balance of every distinct customer."""
        found = self.documents("customers_v2")
        name = "previous_balance"
        return sum(rd.read_money(c.get(name), name)[0] or 0 for c in found)

    def by_customer_month(self) -> list[dict[str, Any]]:
        keys = sorted({k for c in (self.delivered, self.billed) for k, v in c.items() if v})
        return [
            {
                "customer_legacy_id": customer,
                "month": month,
                "delivered_minor": self.delivered[customer, month],
                "legacy_billed_minor": self.billed[customer, month],
            }
            for customer, month in keys
        ]


def unique_pairs(accounts: dict[str, str | None], customers: dict[str, str | None]) -> dict[str, str]:
    """Account → customer where a value is held by exactly one account and one customer."""
    held = Counter(v for v in accounts.values() if v)
    owners: dict[str, list[str]] = defaultdict(list)
    for key, value in customers.items():
        if value:
            owners[value].append(key)
    return {
        account: owners[value][0]
        for account, value in accounts.items()
        if value and held[value] == 1 and len(owners.get(value, ())) == 1
    }


def row_time(body: Doc) -> datetime | None:
    """[E2] When a row was last written: updated_at, delivered_at, created_at."""
    for name in ("updated_at", "delivered_at", "created_at"):
        at = rd.read_instant(body.get(name), name)[0]
        if at is not None:
            return at
    return None


def latest_row(rows: Iterable[Row]) -> Row | None:
    """[E2] The row written last; at the same moment the later one in file order."""
    best: Row | None = None
    for row in rows:
        newer = best and best.updated and row.updated and row.updated >= best.updated
        if best is None or newer or (best.updated is None and row.updated is not None):
            best = row
    return best


def told_too_early(row: Row) -> bool:
    """[E4] Written on a day before the delivery date: a promise, no evidence."""
    return bool(row.day and row.updated and row.updated.astimezone(rd.INDIA).date() < row.day)


def due(sub: Subscription, day: date) -> Decimal:
    """[S1] Quantity due on a day, first hit wins; never negative."""
    if not sub.auto_start or (sub.start and day < sub.start):
        return ZERO
    if sub.stop and day >= sub.stop:
        return ZERO
    if any(pause.covers(day) for pause in sub.pauses):
        return ZERO
    if day in sub.irregular:
        return max(sub.irregular[day], ZERO)
    if day in sub.overrides:
        return max(sub.overrides[day], ZERO)
    usual = next((old for changed, old in sub.former if day < changed), sub.quantity)
    return max(usual, ZERO) if falls_on(sub, day) else ZERO


def falls_on(sub: Subscription, day: date) -> bool:
    """[S1] Whether the pattern of a subscription names the day; no mode = daily."""
    if sub.mode == "weekly_pattern":
        return day.weekday() in sub.weekdays
    if sub.mode == "one_time":
        return bool(sub.first_day and sub.last_day and sub.first_day <= day <= sub.last_day)
    return sub.mode in (None, "fixed_daily")


def order_lines(order: Doc) -> list[Doc]:
    """Lines of an order that are objects."""
    lines = order.get("items")
    return [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []


def product_lines(body: Doc) -> list[Doc]:
    """Entries of `products` of a delivery_status row that are objects."""
    lines = body.get("products")
    return [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []


def folded_name(value: object) -> str | None:
    """A product name without regard to case and outer blanks."""
    text, _ = rd.read_text(value, "product_name")
    return text.casefold() if text else None


def legacy_bills_order(order: Doc) -> bool:
    """[B5] Exactly DELIVERED, confirmed and not marked billed."""
    return (
        order.get("status") == "DELIVERED"
        and order.get("delivery_confirmed") is True
        and order.get("billed") is not True
    )


def legacy_order_value(order: Doc) -> int:
    """[B5] Quantity × price of the lines as they stand."""
    total = ZERO
    for line in order_lines(order):
        quantity = rd.read_quantity(line.get("quantity"), "quantity")[0]
        price = rd.read_rupees(line.get("price"), "price")[0]
        total += (quantity or ZERO) * (price or ZERO)
    return rd.to_paise(total)


class LegacyPlan:
    """[B4] The legacy engine over one active subscription document."""

    def __init__(self, body: Doc) -> None:
        self.mode = body.get("mode")
        self.default = rd.read_quantity(body.get("default_qty"), "default_qty")[0] or ZERO
        self.stop = rd.read_date(body.get("stop_date"), "stop_date")[0]
        self.pauses = [p for p in rd.read_pauses(body)[0] if not p.wrong_shape]
        self.irregular = rd.read_dated_quantities(body.get("irregular_list"), "i")[0]
        self.overrides = rd.read_dated_quantities(body.get("day_overrides"), "o")[0]
        self.weekdays = rd.read_weekdays(body.get("weekly_pattern"), "w")[0]

    def quantity(self, day: date) -> Decimal:
        """First hit wins: stop, pause, irregular, override, weekly, fixed; all else zero."""
        if (self.stop and day >= self.stop) or any(p.covers(day) for p in self.pauses):
            return ZERO
        for dated in (self.irregular, self.overrides):
            if day in dated:
                return dated[day]
        if self.mode == "weekly_pattern":
            return self.default if day.weekday() in self.weekdays else ZERO
        return self.default if self.mode == "fixed_daily" else ZERO


def month_of(day: date) -> str:
    """`YYYY-MM` of a day."""
    return f"{day.year:04d}-{day.month:02d}"


def days_of(month: str) -> list[date]:
    """Every day of a `YYYY-MM`."""
    year, number = int(month[:4]), int(month[5:])
    return [date(year, number, n + 1) for n in range(calendar.monthrange(year, number)[1])]


def counts(found: Collection) -> dict[str, int]:
    """[R5] in = imported + quarantined + duplicates."""
    quarantined = found.malformed + found.keyless
    return {
        "in": found.seen,
        "imported": found.seen - quarantined - found.duplicates,
        "quarantined": quarantined,
        "duplicates": found.duplicates,
    }
