"""What a check is, and the words that questions and proof share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from earlybird.audit.states import Severity
from earlybird.kernel.money import DIGITS

GRACE_SECONDS = 120
"""How long a fact may wait for its charge: the charging job comes by every minute."""

ONE_TIME = "charge_one_time_orders"
"""The policy that, switched off, leaves one-time orders out of charging."""

SCALE = f"(CASE {{}} {' '.join(f'WHEN {code!r} THEN {10**digits}' for code, digits in DIGITS.items())} ELSE 100 END)"


def scale(currency: str) -> str:
    """Return the SQL for how many minor units make one major unit of the column `currency`."""
    return SCALE.format(currency)


def major(minor: str, currency: str) -> str:
    """Return the SQL that writes an amount of minor units for people, as `1234.50 INR`."""
    return f"concat(to_char(({minor}) / {scale(currency)}::numeric, 'FM999999999999990.00'), ' ', {currency})"


class Kind(StrEnum):
    """Whether a question is asked of every business or only of one taken over."""

    live = "live"
    takeover = "takeover"


@dataclass(frozen=True, slots=True)
class Check:
    """One question that must be answered "none".

    `sql` returns a row for each thing found: `subject` (its id as text), `title`, `money_minor`, `currency`,
    `customer_id` and `facts` (jsonb: the ids that prove it). It may use `:now` and `:grace`.
    """

    number: int
    name: str
    title: str
    severity: Severity
    kind: Kind
    sql: str


TODAY = "CAST(CAST(:now AS timestamptz) AS date)"
"""The SQL for the day of `:now`, in UTC."""

RUNNING = f"""running AS (
        SELECT DISTINCT ON (s.id) s.id, s.customer_id, s.address_id, c.name, c.code, c.site_id, c.area_id,
               c.driver_id AS own_driver_id, v.product_id, v.agreed_price, v.shift, v.driver_id, v.quantity,
               v.valid_from, v.pattern, v.weekdays
        FROM subscriptions s
        JOIN customers c ON c.id = s.customer_id AND c.archived_at IS NULL
        JOIN subscription_versions v ON v.subscription_id = s.id AND v.valid_from <= greatest(s.starts_on, {TODAY})
        WHERE s.state = 'active' AND (s.stops_on IS NULL OR s.stops_on > {TODAY})
        ORDER BY s.id, v.valid_from DESC
    )"""
"""The SQL of a WITH clause: the standing orders that run today or are to start, as their version of today says."""


def passed_over(key: str) -> str:
    """Return the SQL for: the charging job has made a charge two seconds or more after the row `key` was made."""
    return (
        f"(SELECT ('x' || substr(replace(l.id::text, '-', ''), 1, 12))::bit(48)::bigint FROM latest l)"
        f" >= ('x' || substr(replace({key}::text, '-', ''), 1, 12))::bit(48)::bigint + 2000"
    )


def outcome(stop: str) -> str:
    """Return the SQL of a subquery: the `state` the lines of a stop give it; no row where events and lines disagree."""
    return f"""(
        SELECT CASE WHEN sum(x.delivered_quantity) = 0 THEN 'not_delivered'
                    WHEN sum(x.delivered_quantity) < sum(x.ordered_quantity) THEN 'partially_delivered'
                    ELSE 'delivered' END AS state
        FROM delivery_lines x
        WHERE x.delivery_id = {stop}.id AND {stop}.state NOT IN ('planned', 'out', 'cancelled')
        HAVING sum(x.delivered_quantity) = (SELECT coalesce(sum(e.delta_quantity), 0) FROM delivery_event_lines e
                                            JOIN delivery_lines y ON y.id = e.delivery_line_id
                                            WHERE y.delivery_id = {stop}.id)
    )"""
