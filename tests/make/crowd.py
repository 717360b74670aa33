"""A big business in few statements: any number of stops, in ever more depots of the same size.

The first depot has twenty households with fifty days of stops whatever the size around it: what is asked of it ought
to cost the same among a thousand rows and among a million.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from earlybird.infra import db

NOW = datetime(2026, 1, 15, 1, 0, tzinfo=UTC)
"""In the morning of the fifteenth, in India; what was planned for it is at the doors."""

TODAY = date(2026, 1, 15)
DAYS = 50
HOUSEHOLDS = 20
"""Customers of a depot: the stops of its one round."""

LEAST = DAYS * HOUSEHOLDS

PEOPLE = """
INSERT INTO businesses (id, name, currency, country, zone, upi_id)
VALUES (new_id(), 'Sunrise Dairy', 'INR', 'IN', 'Asia/Kolkata', 'sunrise@example');
INSERT INTO units VALUES ('L', 'litre', 'volume');
INSERT INTO tax_classes (business_id, name) SELECT id, 'GST 5' FROM businesses;
INSERT INTO tax_rates (tax_class_id, component, rate, valid_from)
SELECT t.id, c, 0.025, '2017-07-01' FROM tax_classes t, unnest(ARRAY['CGST', 'SGST']) c;
INSERT INTO products (id, business_id, name, unit_code, pack_size, tax_class_id)
SELECT new_id(), b.id, 'Milk ' || n, 'L', 1, CASE WHEN n % 2 = 0 THEN t.id END
FROM businesses b, tax_classes t, generate_series(1, 4) n;
INSERT INTO prices (product_id, scope, unit_price, currency, valid_from)
SELECT id, 'list', 60, 'INR', '2025-01-01' FROM products;
CREATE TEMP TABLE depot ON COMMIT DROP AS
SELECT n, new_id() AS site_id, new_id() AS driver_id, new_id() AS area_id, new_id() AS standing_round_id
FROM generate_series(0, CAST(:customers AS integer) / 20 - 1) n;
INSERT INTO sites (id, business_id, kind, name, zone, latitude, longitude)
SELECT site_id, b.id, 'depot', 'Depot ' || n, 'Asia/Kolkata', 12.9, 77.6 FROM depot, businesses b;
INSERT INTO shifts (site_id, shift, starts, ends, cutoff, cutoff_days_before)
SELECT site_id, 'morning', '05:00', '08:00', '20:00', 1 FROM depot;
INSERT INTO areas (id, site_id, name) SELECT area_id, site_id, 'Area ' || n FROM depot;
INSERT INTO users (id, name, email, phone, state)
SELECT driver_id, 'Driver ' || n, 'driver-' || n || '@example.com', '+9197' || lpad(n::text, 8, '0'), 'active' FROM depot;
INSERT INTO memberships (user_id, role, site_id) SELECT driver_id, 'driver', site_id FROM depot;
INSERT INTO area_drivers (area_id, shift, driver_id, valid_from) SELECT area_id, 'morning', driver_id, '2025-01-01' FROM depot;
INSERT INTO standing_rounds (id, site_id, shift, name, driver_id)
SELECT standing_round_id, site_id, 'morning', 'Driver ' || n, driver_id FROM depot;

CREATE TEMP TABLE person ON COMMIT DROP AS
SELECT g.n, g.n % 20 AS place, new_id() AS id, new_id() AS user_id, new_id() AS address_id, new_id() AS subscription_id,
       new_id() AS version_id, d.site_id, d.driver_id, d.area_id, d.standing_round_id,
       (SELECT array_agg(id ORDER BY name) FROM products) AS products, b.id AS business_id
FROM generate_series(0, CAST(:customers AS integer) - 1) g(n) JOIN depot d ON d.n = g.n / 20, businesses b;
INSERT INTO customers (id, business_id, site_id, code, name, phone, email, state, area_id, created_at)
SELECT id, business_id, site_id, 'C-' || n, 'Household ' || n, '+9198' || lpad(n::text, 8, '0'),
       'household-' || n || '@example.com', 'active', area_id, '2025-01-01' FROM person;
INSERT INTO addresses (id, customer_id, line1, city, postal_code, latitude, longitude, is_default)
SELECT address_id, id, n || ' Temple Road', 'Bengaluru', '560001', 12.9 + place / 1000.0, 77.6, true FROM person;
INSERT INTO users (id, name, email, customer_id, phone, state)
SELECT user_id, 'Household ' || n, 'household-' || n || '@example.com', id, '+9198' || lpad(n::text, 8, '0'), 'active'
FROM person;
INSERT INTO memberships (user_id, role, customer_id) SELECT user_id, 'customer', id FROM person;
INSERT INTO sessions (id, user_id, token_hash, created_at, expires_at, kind, method)
SELECT new_id(), user_id, 'hash ' || n, '2026-01-10', '2026-02-10', 'app', 'password' FROM person;
INSERT INTO customer_keys (source, kind, key, customer_id) SELECT 'earlybird', 'id', 'customer-' || n, id FROM person;
INSERT INTO subscription_keys (source, kind, key, subscription_id)
SELECT 'earlybird', 'id', 'standing-' || n, subscription_id FROM person;
INSERT INTO standing_stops (standing_round_id, customer_id, address_id, position)
SELECT standing_round_id, id, address_id, place + 1 FROM person;
INSERT INTO prices (product_id, scope, customer_id, unit_price, currency, valid_from)
SELECT products[1 + n % 4], 'customer', id, 55, 'INR', '2025-06-01' FROM person WHERE n % 10 = 3;
INSERT INTO subscriptions (id, customer_id, address_id, starts_on, state, created_at)
SELECT subscription_id, id, address_id, '2025-01-01', 'active', '2025-01-01' FROM person;
INSERT INTO subscription_versions (id, subscription_id, valid_from, product_id, quantity, pattern, shift)
SELECT version_id, subscription_id, '2025-01-01', products[1 + n % 4], 1 + n % 3, 'daily', 'morning' FROM person;
INSERT INTO subscription_pauses (subscription_id, starts_on, ends_on)
SELECT subscription_id, '2026-02-01', '2026-02-05' FROM person WHERE n % 5 = 2;
INSERT INTO subscription_overrides (subscription_id, service_on, kind, quantity)
SELECT subscription_id, '2026-01-18', 'override', 4 FROM person WHERE n % 5 = 1
"""

STOPS = """
CREATE TEMP TABLE stop ON COMMIT DROP AS
SELECT p.*, d::date AS service_on, new_id() AS order_id, new_id() AS line_id, new_id() AS delivery_id,
       new_id() AS delivery_line_id, new_id() AS event_id, new_id() AS event_line_id, new_id() AS charge_id,
       (1 + p.n % 3)::numeric AS quantity, ((1 + p.n % 3) * 6000)::bigint AS amount,
       d::date < :today AS is_done, d::date < DATE '2026-01-01' AS is_billed
FROM generate_series(CAST(:today AS date) - 48, CAST(:today AS date) + 1, interval '1 day') d, person p ORDER BY d, p.n;
INSERT INTO plan_runs (site_id, service_on, first_planned_at, planned_at, line_count)
SELECT site_id, service_on, service_on - interval '6 hours', service_on - interval '6 hours', 20
FROM stop GROUP BY 1, 2 ORDER BY 2;
INSERT INTO orders (id, seller_id, site_id, customer_id, address_id, address, code, source, service_on, shift, driver_id,
    state, placed_at)
SELECT order_id, business_id, site_id, id, address_id, jsonb_build_object('line1', n || ' Temple Road'),
       CASE WHEN place = 0 THEN short_code('EB', order_id) END, CASE WHEN place = 0 THEN 'one_time' ELSE 'subscription' END,
       service_on, 'morning', driver_id, CASE WHEN is_done THEN 'delivered' ELSE 'planned' END,
       service_on - interval '6 hours' FROM stop;
INSERT INTO order_keys (source, kind, key, order_id)
SELECT 'earlybird', 'id', 'order-' || n || '-' || service_on, order_id FROM stop WHERE place = 0;
INSERT INTO order_lines (id, order_id, customer_id, service_on, shift, source, subscription_id, subscription_version_id,
    rule, product_id, product_name, unit, quantity, base_quantity, unit_price, currency, amount_minor, planned_at)
SELECT line_id, order_id, id, service_on, 'morning', CASE WHEN place = 0 THEN 'one_time' ELSE 'subscription' END,
       CASE WHEN place > 0 THEN subscription_id END, CASE WHEN place > 0 THEN version_id END, 'daily', products[1 + n % 4],
       'Milk', 'L', quantity, quantity, 60, 'INR', amount, service_on - interval '6 hours' FROM stop;
INSERT INTO deliveries (id, order_id, customer_id, planned_on, shift, driver_id, state)
SELECT delivery_id, order_id, id, service_on, 'morning', driver_id, CASE WHEN is_done THEN 'delivered' ELSE 'planned' END
FROM stop;
INSERT INTO delivery_lines (id, delivery_id, order_line_id, customer_id, service_on, ordered_quantity, delivered_quantity)
SELECT delivery_line_id, delivery_id, line_id, id, service_on, quantity, CASE WHEN is_done THEN quantity ELSE 0 END FROM stop;
CREATE TEMP TABLE tour ON COMMIT DROP AS
SELECT new_id() AS round_id, site_id, driver_id, service_on, standing_round_id, bool_and(is_done) AS is_done
FROM stop GROUP BY 2, 3, 4, 5 ORDER BY 4;
INSERT INTO rounds (id, site_id, service_on, shift, name, driver_id, usual_driver_id, is_cut, standing_round_id, state)
SELECT round_id, site_id, service_on, 'morning', 'Morning', driver_id, driver_id, true, standing_round_id,
       CASE WHEN is_done THEN 'done' ELSE 'planned' END FROM tour;
INSERT INTO round_stops (delivery_id, round_id, position)
SELECT s.delivery_id, t.round_id, s.place + 1 FROM stop s JOIN tour t USING (site_id, service_on);

INSERT INTO delivery_events (id, client_id, delivery_id, customer_id, service_on, kind, device, device_seq, device_at,
    received_at, actor_kind, actor_id, actor_name, authority, via)
SELECT event_id, 'tap-' || event_id, delivery_id, id, service_on, 'confirm', 'Redmi 9A', 1, service_on + interval '1 hour',
       service_on + interval '1 hour', 'user', driver_id, 'Driver', 3, 'driver_app' FROM stop WHERE is_done;
INSERT INTO delivery_event_lines (id, event_id, delivery_line_id, customer_id, service_on, revision, delta_quantity)
SELECT event_line_id, event_id, delivery_line_id, id, service_on, 1, quantity FROM stop WHERE is_done;
INSERT INTO charges (id, event_line_id, customer_id, service_on, quantity, amount_minor, currency, charged_at)
SELECT charge_id, event_line_id, id, service_on, quantity, amount, 'INR', service_on + interval '61 minutes' FROM stop
WHERE is_done AND NOT (n < 20 AND service_on = :today - 1);
INSERT INTO uncharged_lines (event_line_id) SELECT event_line_id FROM stop WHERE n < 20 AND service_on = :today - 1;
INSERT INTO unbilled_charges (customer_id, service_on, charge_id)
SELECT id, service_on, charge_id FROM stop WHERE is_done AND NOT is_billed AND NOT (n < 20 AND service_on = :today - 1);

CREATE TEMP TABLE bill ON COMMIT DROP AS
SELECT *, row_number() OVER (ORDER BY first, customer_id) AS number FROM (
    SELECT new_id() AS id, new_id() AS journal_id, new_id() AS paid_id, new_id() AS payment_id, s.id AS customer_id,
           s.business_id, date_trunc('month', service_on)::date AS first, sum(amount)::bigint AS amount
    FROM stop s WHERE is_billed GROUP BY s.id, s.business_id, 7) b ORDER BY first, customer_id;
INSERT INTO journals (id, business_id, kind, posted_on, made_at)
SELECT journal_id, business_id, 'invoice', (first + interval '1 month')::date, first + interval '1 month' FROM bill
UNION ALL SELECT paid_id, business_id, 'payment', (first + interval '34 days')::date, first + interval '34 days' FROM bill;
INSERT INTO postings (journal_id, account, customer_id, amount_minor, currency, posted_on)
SELECT journal_id, a.account, a.who, a.amount, 'INR', (first + interval '1 month')::date
FROM bill, LATERAL (VALUES ('receivable', customer_id, amount), ('sales', NULL, -amount)) a(account, who, amount)
UNION ALL SELECT paid_id, a.account, a.who, a.amount, 'INR', (first + interval '34 days')::date
FROM bill, LATERAL (VALUES ('bank', NULL, amount), ('receivable', customer_id, -amount)) a(account, who, amount);
INSERT INTO invoices (id, business_id, customer_id, kind, series, number, state, period_from, period_to, issued_on,
    issued_at, due_on, subtotal_minor, tax_minor, rounding_minor, total_minor, carried_minor, currency, journal_id)
SELECT id, business_id, customer_id, 'invoice', 'INV/2025-26', number, 'issued', first,
       (first + interval '1 month - 1 day')::date, (first + interval '1 month')::date, first + interval '1 month',
       (first + interval '37 days')::date, amount, 0, 0, amount, 0, 'INR', journal_id FROM bill;
INSERT INTO invoice_series (business_id, series, next_number)
SELECT id, 'INV/2025-26', (SELECT count(*) + 1 FROM bill) FROM businesses;
INSERT INTO invoice_lines (invoice_id, charge_id, service_on, description, quantity, unit, unit_price, amount_minor, tax_minor)
SELECT b.id, s.charge_id, s.service_on, 'Milk', s.quantity, 'L', 60, s.amount, 0
FROM stop s JOIN bill b ON b.customer_id = s.id AND b.first = date_trunc('month', s.service_on) WHERE s.is_billed;
INSERT INTO invoice_taxes (invoice_id, component, rate, base_minor, tax_minor)
SELECT id, 'CGST', 0.025, amount, 0 FROM bill;
INSERT INTO payments (id, business_id, customer_id, client_id, amount_minor, currency, method, received_on, state, made_at,
    journal_id)
SELECT payment_id, business_id, customer_id, 'upi-' || payment_id, amount, 'INR', 'upi', (first + interval '34 days')::date,
       'recorded', first + interval '34 days', paid_id FROM bill;
INSERT INTO payment_allocations (payment_id, invoice_id, amount_minor) SELECT payment_id, id, amount FROM bill;
INSERT INTO adjustments (business_id, customer_id, kind, amount_minor, currency, effective_on, reason, state, approver)
SELECT business_id, id, 'fee', 1500, 'INR', '2026-01-10', 'crate lost', 'approved', 'Asha' FROM person WHERE place = 4;
INSERT INTO waivers (charge_id, reason, approver)
SELECT charge_id, 'sour milk', 'Asha' FROM stop WHERE is_done AND NOT is_billed AND place = 5 AND service_on = :today - 3
"""

AROUND = """
INSERT INTO packages (id, code, shop_id, delivery_type, shipping_type)
SELECT order_id, 'PK-' || order_id, site_id, 'driver', 'user' FROM stop;
INSERT INTO package_orders (package_id, order_id) SELECT order_id, order_id FROM stop;
INSERT INTO package_lines (package_id, order_line_id, quantity) SELECT order_id, line_id, quantity FROM stop;
INSERT INTO audit_entries (id, at, actor_kind, actor_id, actor_name, role, via, trace_id, action, entity, entity_id, after)
SELECT event_id, service_on + interval '1 hour', 'user', driver_id, 'Driver', 'driver', 'driver_app',
       CAST(event_id AS text), 'deliveries.deliver', 'delivery', delivery_id, '{"state": "delivered"}' FROM stop WHERE is_done;
INSERT INTO audit_seal_rows (audit_id, seal_no, position, digest, mark)
SELECT event_id, 1, row_number() OVER (ORDER BY event_id), ''::bytea, ''::bytea FROM stop WHERE is_done;
INSERT INTO messages (id, kind, channel, address, language, customer_id, subject, state, state_at, queued_at, next_try_at,
    about, subject_id)
SELECT new_id(), 'delivered', 'sms', '+9198', 'en', id, 'Delivered', CASE WHEN n < 20 AND service_on = :today - 1
       THEN 'queued' ELSE 'sent' END, service_on, service_on, service_on, 'delivered ' || delivery_id, delivery_id
FROM stop WHERE is_done AND place < 10;
INSERT INTO job_runs (job, due_at, started_at, finished_at, outcome, tries, row_count)
SELECT 'billing.charge', m, m, m, 'done', 1, 20
FROM generate_series(1, CAST(:customers AS integer) * 5) n, LATERAL (SELECT TIMESTAMPTZ '2026-01-15' - n * interval '1 minute' AS m) x;
INSERT INTO shared_links (id, first_id, name, site_id, round_id, first_on, last_on, actions, token_hash, expires_at, made_at,
    made_by)
SELECT round_id, round_id, 'Helper', site_id, round_id, service_on, service_on, ARRAY['confirm'], 'link ' || round_id,
       service_on + interval '2 days', service_on, 'Asha' FROM tour;
INSERT INTO link_uses (link_id, device_hash, access_hash, access_ends_at, opened_at, last_opened_at)
SELECT round_id, 'device ' || round_id, 'access ' || round_id, service_on + interval '2 days', service_on, service_on FROM tour;
INSERT INTO findings (check_name, subject, severity, title, customer_id, first_seen_at, last_seen_at, state)
SELECT 'photo_missing', CAST(delivery_id AS text), 'info', 'No photo', id, service_on, service_on,
       CASE WHEN n < 20 THEN 'open' ELSE 'resolved' END FROM stop WHERE place = 1 AND is_done;
INSERT INTO import_runs (id, source, folder, digest, phase, started_at)
SELECT new_id(), 'earlybird', 'dump', 'x', 'done', '2025-12-01';
INSERT INTO legacy_documents (id, source, collection, ident, key, oid, line, digest, verdict, reason, body, run_id)
SELECT order_id, 'earlybird', 'orders', 'order-' || order_id, 'order-' || order_id, md5(CAST(order_id AS text)),
       row_number() OVER (), ''::bytea, CASE WHEN n < 20 AND service_on = :today THEN 'quarantined' ELSE 'imported' END,
       'unreadable', '{}', r.id FROM stop, import_runs r;
INSERT INTO legacy_deliveries (id, source, collection, key, customer_id, service_on, line, is_early, speaks_morning,
    speaks_evening, verdict, order_id)
SELECT delivery_id, 'earlybird', 'delivery_statuses', 'told-' || delivery_id, id, service_on, 1, false, true, false,
       CASE WHEN n < 20 AND service_on = :today THEN 'ambiguous' ELSE 'attached' END, order_id FROM stop;
INSERT INTO requests (client_id, digest, kind, site_id, customer_id, service_on, asked_by_kind, asked_by, via, made_at,
    is_in_time, state, state_at)
SELECT 'ask-' || delivery_id, 'x', 'pause', site_id, id, service_on, 'user', 'Household', 'portal', service_on, true,
       CASE WHEN is_done THEN 'approved' ELSE 'waiting' END, service_on FROM stop WHERE place = 2 AND (is_done OR n < 20);
INSERT INTO kept_answers (caller, key, fingerprint, made_at, status)
SELECT CAST(driver_id AS text), CAST(event_id AS text), 'x', service_on, 200 FROM stop WHERE service_on = :today - 1;
INSERT INTO webhook_endpoints (id, url, events, description, secret, state, state_at, created_at)
SELECT new_id(), 'https://example.com', ARRAY['delivery.confirmed'], '', ''::bytea, 'active', '2025-12-01', '2025-12-01';
INSERT INTO webhook_events (id, kind, subject_id, occurred_at, made_at, body)
SELECT event_id, 'delivery.confirmed', delivery_id, service_on, service_on, '{}' FROM stop WHERE is_done AND place < 10;
INSERT INTO webhook_deliveries (event_id, endpoint_id, state, state_at, next_try_at)
SELECT event_id, w.id, CASE WHEN n < 10 AND service_on = :today - 1 THEN 'waiting' ELSE 'delivered' END, service_on, service_on
FROM stop, webhook_endpoints w WHERE is_done AND place < 10
"""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What is asked about: the first depot, and one household of it."""

    business_id: UUID
    site_id: UUID
    driver_id: UUID
    customer_id: UUID
    user_id: UUID
    subscription_id: UUID
    order_id: UUID
    planned_order_id: UUID
    delivery_id: UUID
    round_id: UUID
    invoice_id: UUID
    invoice_line_id: UUID
    payment_id: UUID
    product_id: UUID
    order_key: str
    order_code: str


FIRST = """
SELECT c.business_id, c.site_id, o.driver_id, c.id AS customer_id, u.id AS user_id, s.id AS subscription_id,
       o.id AS order_id, p.id AS planned_order_id, d.id AS delivery_id, w.round_id, i.id AS invoice_id,
       (SELECT l.id FROM invoice_lines l WHERE l.invoice_id = i.id LIMIT 1) AS invoice_line_id,
       (SELECT y.id FROM payments y WHERE y.customer_id = c.id LIMIT 1) AS payment_id,
       (SELECT id FROM products ORDER BY name LIMIT 1) AS product_id, k.key AS order_key, z.code AS order_code
FROM customers c JOIN users u ON u.customer_id = c.id JOIN subscriptions s ON s.customer_id = c.id
JOIN orders o ON o.customer_id = c.id AND o.service_on = :today - 2
JOIN orders p ON p.customer_id = c.id AND p.service_on = :today
JOIN deliveries d ON d.order_id = p.id JOIN round_stops w ON w.delivery_id = d.id
JOIN invoices i ON i.customer_id = c.id AND i.period_from = '2025-12-01'
JOIN customers f ON f.code = 'C-0' JOIN orders z ON z.customer_id = f.id AND z.service_on = :today - 2
JOIN order_keys k ON k.order_id = z.id
WHERE c.code = 'C-3'
"""


def crowd(engine: Engine, stops: int) -> Crowd:
    """Write about that many stops, with all that comes before and after each; refresh the planner's statistics.

    Guards and triggers are off: the rows are as the product leaves them.
    """
    facts = {"customers": max(stops // LEAST, 1) * HOUSEHOLDS, "today": TODAY}
    with db.transaction(engine) as session:
        db.run(session, "SET LOCAL session_replication_role = replica")
        db.run(session, "SET LOCAL work_mem = '256MB'")
        db.run(session, "SET LOCAL synchronous_commit = off")
        for statement in f"{PEOPLE};\n{STOPS};\n{AROUND}".split(";\n"):
            wanted: dict[str, Any] = {name: fact for name, fact in facts.items() if f":{name}" in statement}
            db.run(session, statement, wanted)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return first(engine)


def first(engine: Engine) -> Crowd:
    """Return what is asked about."""
    with db.rehearsal(engine) as session:
        return Crowd(**db.rows(session, FIRST, {"today": TODAY})[0])
