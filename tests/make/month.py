"""A month of a dairy that is perfectly clean: planned, delivered, charged, invoiced, paid, half of the next begun."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from make.business import Firm, business

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
MONTH = date(2025, 12, 1)
CUSTOMERS = 20

SETUP = """
SELECT set_config('earlybird.logins_later', 'tests', true);
INSERT INTO tax_classes (business_id, name) VALUES (:firm, 'GST 5');
INSERT INTO tax_rates (tax_class_id, component, rate, valid_from)
SELECT t.id, c, 0.025, '2017-07-01' FROM tax_classes t, unnest(ARRAY['CGST', 'SGST']) c;
INSERT INTO products (business_id, name, unit_code, pack_size, tax_class_id)
SELECT :firm, name, 'L', 0.5, CASE WHEN name = 'Paneer' THEN (SELECT id FROM tax_classes) END
FROM unnest(ARRAY['Toned Milk', 'Paneer']) name;
INSERT INTO prices (product_id, scope, unit_price, currency, valid_from)
SELECT id, 'list', CASE name WHEN 'Paneer' THEN 90.3333 ELSE 60 END, 'INR', '2025-10-01' FROM products;
INSERT INTO users (name, email, state) VALUES ('Prakash', 'prakash@example.com', 'active');
INSERT INTO memberships (user_id, role, site_id) SELECT id, 'driver', :site FROM users WHERE name = 'Prakash';

INSERT INTO customers (business_id, site_id, code, name, phone, state)
SELECT :firm, :site, 'C-' || lpad(n::text, 4, '0'), 'Household ' || n, '+9198' || lpad(n::text, 8, '0'), 'active'
FROM generate_series(1, :customers) n;
INSERT INTO addresses (customer_id, line1, is_default) SELECT id, '12 Temple Road', true FROM customers;
INSERT INTO users (name, email, customer_id, state)
SELECT name, 'customer-' || id || '@earlybird.local', id, 'uninvited' FROM customers;
INSERT INTO memberships (user_id, role, customer_id) SELECT id, 'customer', customer_id FROM users
WHERE customer_id IS NOT NULL;

INSERT INTO subscriptions (customer_id, starts_on, state, created_at)
SELECT id, '2025-12-01', 'active', '2025-11-30' FROM customers;
INSERT INTO subscription_versions (subscription_id, valid_from, product_id, quantity, pattern, weekdays, every_n, shift,
                                   made_at, made_by, via)
SELECT s.id, '2025-12-01', (SELECT id FROM products WHERE name = CASE WHEN n % 5 = 0 THEN 'Paneer' ELSE 'Toned Milk' END),
       CASE WHEN n % 5 = 0 THEN 0.5 ELSE 1 + n % 3 END,
       (ARRAY['daily', 'weekly', 'every_nth', 'daily'])[1 + n % 4],
       CASE WHEN n % 4 = 1 THEN ARRAY[0, 2, 4]::smallint[] END, CASE WHEN n % 4 = 2 THEN 2 END,
       CASE WHEN n = 8 THEN 'both' WHEN n % 7 = 0 THEN 'evening' ELSE 'morning' END, '2025-11-30', 'Asha', 'console'
FROM subscriptions s JOIN customers c ON c.id = s.customer_id, CAST(right(c.code, 4) AS int) n;
INSERT INTO subscription_pauses (subscription_id, starts_on, ends_on, reason, made_at, made_by, via)
SELECT s.id, '2025-12-10', '2025-12-12', 'away', '2025-12-08', 'Household 3', 'portal'
FROM subscriptions s JOIN customers c ON c.id = s.customer_id WHERE c.code = 'C-0003';
INSERT INTO subscription_overrides (subscription_id, service_on, kind, quantity, made_at, made_by, via)
SELECT s.id, d::date, 'override', q, '2025-12-18', 'Household 4', 'portal'
FROM subscriptions s JOIN customers c ON c.id = s.customer_id, (VALUES ('2025-12-20', 0), ('2025-12-21', 4)) o(d, q)
WHERE c.code = 'C-0004';

INSERT INTO plan_runs (site_id, service_on, first_planned_at, planned_at, line_count)
SELECT :site, d::date, d - interval '6 hours', d - interval '6 hours', 20
FROM generate_series(CAST(:month AS timestamp), '2026-01-16', interval '1 day') d;

CREATE TEMP TABLE due ON COMMIT DROP AS
SELECT s.id subscription_id, v.id version_id, c.id customer_id, d::date service_on, sh shift, v.product_id,
       coalesce(o.quantity, v.quantity) quantity, v.quantity base, o.id override_id,
       CASE WHEN o.id IS NOT NULL THEN 'override' ELSE v.pattern END rule
FROM subscriptions s JOIN customers c ON c.id = s.customer_id JOIN subscription_versions v ON v.subscription_id = s.id
CROSS JOIN generate_series(CAST(:month AS timestamp), '2026-01-16', interval '1 day') d
CROSS JOIN unnest(CASE v.shift WHEN 'both' THEN ARRAY['morning', 'evening'] ELSE ARRAY[v.shift] END) sh
LEFT JOIN subscription_overrides o ON o.subscription_id = s.id AND o.service_on = d::date
WHERE NOT EXISTS (SELECT FROM subscription_pauses p WHERE p.subscription_id = s.id AND d::date BETWEEN p.starts_on AND p.ends_on)
  AND coalesce(o.quantity, CASE v.pattern
        WHEN 'daily' THEN 1
        WHEN 'weekly' THEN CASE WHEN extract(isodow FROM d) - 1 = ANY(v.weekdays) THEN 1 ELSE 0 END
        ELSE CASE WHEN (d::date - s.starts_on) % v.every_n = 0 THEN 1 ELSE 0 END END) > 0;

INSERT INTO orders (seller_id, site_id, customer_id, source, service_on, shift, state, placed_at)
SELECT :firm, :site, customer_id, 'subscription', service_on, shift, 'planned', service_on - interval '6 hours' FROM due;
INSERT INTO orders (seller_id, site_id, customer_id, source, service_on, shift, state, placed_at)
SELECT :firm, :site, id, 'one_time', CAST(:month AS date) + 23, 'morning', 'planned', '2025-12-20'
FROM customers WHERE code <= 'C-0003';
INSERT INTO order_lines (order_id, customer_id, service_on, shift, source, subscription_id, subscription_version_id,
    override_id, price_id, rule, product_id, product_name, unit, quantity, base_quantity, unit_price, currency,
    amount_minor, tax_class_id, planned_at)
SELECT o.id, o.customer_id, o.service_on, o.shift, o.source, d.subscription_id, d.version_id, d.override_id, pr.id,
       coalesce(d.rule, 'one_time'), p.id, p.name, 'L', coalesce(d.quantity, 1), coalesce(d.base, 1), pr.unit_price,
       'INR', round(pr.unit_price * coalesce(d.quantity, 1) * 100), p.tax_class_id, o.placed_at
FROM orders o
LEFT JOIN due d ON o.source = 'subscription' AND (d.customer_id, d.service_on, d.shift) = (o.customer_id, o.service_on, o.shift)
JOIN products p ON p.id = coalesce(d.product_id, (SELECT id FROM products WHERE name = 'Paneer'))
JOIN prices pr ON pr.product_id = p.id;

INSERT INTO deliveries (order_id, customer_id, planned_on, shift, driver_id)
SELECT id, customer_id, service_on, shift, (SELECT id FROM users WHERE name = 'Prakash') FROM orders;
INSERT INTO delivery_lines (delivery_id, order_line_id, customer_id, service_on, ordered_quantity)
SELECT d.id, l.id, l.customer_id, l.service_on, l.quantity
FROM deliveries d JOIN order_lines l ON l.order_id = d.order_id;

INSERT INTO delivery_events (client_id, delivery_id, customer_id, service_on, kind, device, device_seq, device_at,
    received_at, actor_kind, actor_id, actor_name, authority, via)
SELECT 'tap-' || d.id, d.id, d.customer_id, d.planned_on, 'confirm', 'Redmi 9A', 1, d.planned_on + interval '1 hour',
       d.planned_on + interval '1 hour', 'user', d.driver_id, 'Prakash', 3, 'driver_app'
FROM deliveries d WHERE d.planned_on < '2026-01-15';
INSERT INTO delivery_event_lines (event_id, delivery_line_id, customer_id, service_on, revision, delta_quantity)
SELECT e.id, l.id, l.customer_id, l.service_on, 1,
       CASE WHEN c.code = 'C-0006' AND l.service_on = '2025-12-07' THEN 0
            WHEN c.code = 'C-0012' AND l.service_on = '2025-12-09' THEN l.ordered_quantity / 2 ELSE l.ordered_quantity END
FROM delivery_events e JOIN delivery_lines l ON l.delivery_id = e.delivery_id JOIN customers c ON c.id = l.customer_id
WHERE NOT (c.code = 'C-0006' AND l.service_on = '2025-12-07');

INSERT INTO delivery_events (client_id, delivery_id, customer_id, service_on, kind, device_at, received_at, actor_kind,
    actor_name, authority, via, reason)
SELECT 'fix-' || d.id, d.id, d.customer_id, d.planned_on, 'correct', '2025-12-06', '2025-12-06', 'user', 'Asha', 4, 'console',
       'one packet leaked'
FROM deliveries d JOIN customers c ON c.id = d.customer_id WHERE c.code = 'C-0008' AND d.planned_on = '2025-12-05';
INSERT INTO delivery_event_lines (event_id, delivery_line_id, customer_id, service_on, revision, delta_quantity, reason)
SELECT e.id, l.id, l.customer_id, l.service_on, 2, -0.5, 'one packet leaked'
FROM delivery_events e JOIN delivery_lines l ON l.delivery_id = e.delivery_id WHERE e.kind = 'correct';

UPDATE delivery_lines l SET delivered_quantity = x.quantity
FROM (SELECT delivery_line_id, sum(delta_quantity) quantity FROM delivery_event_lines GROUP BY 1) x
WHERE x.delivery_line_id = l.id;
UPDATE deliveries d SET state = CASE WHEN x.got = 0 THEN 'not_delivered' WHEN x.got < x.want THEN 'partially_delivered'
                                     ELSE 'delivered' END
FROM (SELECT delivery_id, sum(delivered_quantity) got, sum(ordered_quantity) want FROM delivery_lines GROUP BY 1) x
WHERE x.delivery_id = d.id AND d.planned_on < '2026-01-15';
UPDATE orders o SET state = d.state FROM deliveries d WHERE d.order_id = o.id;

INSERT INTO charges (event_line_id, customer_id, service_on, quantity, amount_minor, currency, tax_class_id, charged_at)
SELECT e.id, e.customer_id, e.service_on, e.delta_quantity,
       round(o.unit_price * sum(e.delta_quantity) OVER upto * 100)
         - round(o.unit_price * (sum(e.delta_quantity) OVER upto - e.delta_quantity) * 100),
       'INR', o.tax_class_id, v.received_at + interval '1 minute'
FROM delivery_event_lines e JOIN delivery_events v ON v.id = e.event_id JOIN delivery_lines l ON l.id = e.delivery_line_id
JOIN order_lines o ON o.id = l.order_line_id
WINDOW upto AS (PARTITION BY e.delivery_line_id ORDER BY e.revision);
INSERT INTO waivers (charge_id, reason, approver, made_at)
SELECT h.id, 'sour milk', 'Asha', '2025-12-16' FROM charges h JOIN customers c ON c.id = h.customer_id
WHERE c.code = 'C-0011' AND h.service_on = '2025-12-15';

INSERT INTO invoice_series (business_id, series, next_number) VALUES (:firm, 'INV', :customers + 1);
INSERT INTO adjustments (business_id, customer_id, kind, amount_minor, currency, effective_on, reason, state, approver)
SELECT :firm, id, 'fee', 1500, 'INR', '2025-12-31', 'crate lost', 'approved', 'Asha' FROM customers WHERE code = 'C-0002';
CREATE TEMP TABLE bill ON COMMIT DROP AS
SELECT new_id() id, new_id() journal_id, x.*, row_number() OVER (ORDER BY customer_id) number FROM (
    SELECT customer_id, sum(amount)::bigint amount, sum(tax)::bigint tax FROM (
        SELECT h.customer_id, h.amount_minor amount, CASE WHEN h.tax_class_id IS NULL THEN 0 ELSE 2 * round(h.amount_minor / 1.05 * 0.025) END tax
        FROM charges h WHERE h.service_on < '2026-01-01' AND NOT EXISTS (SELECT FROM waivers w WHERE w.charge_id = h.id)
        UNION ALL SELECT customer_id, amount_minor, 0 FROM adjustments) l GROUP BY 1) x;
INSERT INTO journals (id, business_id, kind, posted_on, made_at)
SELECT journal_id, :firm, 'invoice', '2026-01-01', '2026-01-01T04:00Z' FROM bill;
INSERT INTO postings (journal_id, account, customer_id, amount_minor, currency, posted_on)
SELECT journal_id, a.account, a.who, a.amount, 'INR', '2026-01-01'
FROM bill b, LATERAL (VALUES ('receivable', b.customer_id, b.amount), ('sales', NULL, b.tax - b.amount),
                             ('tax_payable', NULL, -b.tax)) a(account, who, amount) WHERE a.amount <> 0;
INSERT INTO invoices (id, business_id, customer_id, kind, series, number, state, period_from, period_to, issued_on,
    issued_at, due_on, subtotal_minor, tax_minor, rounding_minor, total_minor, carried_minor, currency, journal_id)
SELECT id, :firm, customer_id, 'invoice', 'INV', number, 'issued', '2025-12-01', '2025-12-31', '2026-01-01',
       '2026-01-01T04:00Z', '2026-01-08', amount - tax, tax, 0, amount, 0, 'INR', journal_id FROM bill;
INSERT INTO invoice_lines (invoice_id, charge_id, service_on, description, quantity, unit, unit_price, amount_minor, tax_minor)
SELECT b.id, h.id, h.service_on, 'delivered', h.quantity, 'L', NULL, h.amount_minor,
       CASE WHEN h.tax_class_id IS NULL THEN 0 ELSE 2 * round(h.amount_minor / 1.05 * 0.025) END
FROM bill b JOIN charges h ON h.customer_id = b.customer_id
WHERE h.service_on < '2026-01-01' AND NOT EXISTS (SELECT FROM waivers w WHERE w.charge_id = h.id);
INSERT INTO invoice_lines (invoice_id, adjustment_id, service_on, description, amount_minor, tax_minor)
SELECT b.id, a.id, a.effective_on, a.reason, a.amount_minor, 0 FROM bill b JOIN adjustments a USING (customer_id);
INSERT INTO invoice_taxes (invoice_id, component, rate, base_minor, tax_minor)
SELECT l.invoice_id, c, 0.025, sum(l.amount_minor - l.tax_minor), sum(l.tax_minor) / 2
FROM invoice_lines l, unnest(ARRAY['CGST', 'SGST']) c WHERE l.tax_minor > 0 GROUP BY 1, 2;

CREATE TEMP TABLE receipt ON COMMIT DROP AS
SELECT new_id() id, new_id() journal_id, b.id invoice_id, b.customer_id, b.amount FROM bill b
JOIN customers c ON c.id = b.customer_id WHERE c.code <> 'C-0019';
INSERT INTO journals (id, business_id, kind, posted_on, made_at)
SELECT journal_id, :firm, 'payment', '2026-01-05', '2026-01-05T10:00Z' FROM receipt;
INSERT INTO postings (journal_id, account, customer_id, amount_minor, currency, posted_on)
SELECT journal_id, a.account, a.who, a.amount, 'INR', '2026-01-05'
FROM receipt r, LATERAL (VALUES ('bank', NULL, r.amount), ('receivable', r.customer_id, -r.amount)) a(account, who, amount);
INSERT INTO payments (id, business_id, customer_id, client_id, amount_minor, currency, method, received_on, state, made_at, journal_id)
SELECT id, :firm, customer_id, 'upi-' || id, amount, 'INR', 'upi', '2026-01-05', 'recorded', '2026-01-05T10:00Z', journal_id
FROM receipt;
INSERT INTO payment_allocations (payment_id, invoice_id, amount_minor, made_at)
SELECT id, invoice_id, amount, '2026-01-05T10:00Z' FROM receipt;
"""


def month(session: Session, customers: int = CUSTOMERS) -> Firm:
    """Write December 2025 whole and January 2026 to the 14th delivered, the 15th and 16th planned."""
    firm = business(session)
    facts = {"firm": firm.id, "site": firm.site_id, "customers": customers, "month": MONTH.isoformat()}
    for statement in SETUP.split(";\n"):
        if statement.strip():
            session.execute(text(statement), facts)
    return firm
