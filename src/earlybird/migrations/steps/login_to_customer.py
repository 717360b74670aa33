"""Every customer can log in, and every customer's login is theirs: one to one, by evidence alone.

An account whose customer is proven becomes that customer's login; where several are, the one with the
strongest evidence does and the others join as members. Every other customer gets a login of his own
(`customer-{id}@earlybird.local`, uninvited: no message goes out). What contradicts itself is listed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from earlybird.importers import queries
from earlybird.infra.db import rows, run
from earlybird.kernel.ctx import Ctx
from earlybird.migrations import residue
from earlybird.migrations.protocol import Batch, Stake

NUMBER = 21
NAME = "login_to_customer"
TITLE = "Every customer can log in, every customer's login is theirs"
REASON = "Who cannot sign in cannot pause, order or see the bill; who signs in as another sees the other's."
TOUCHES = ("users", "memberships")
WARNING = "Reverting locks out every customer whose login or link this step made."
OPENS_A_HOLE = "Customers whose login or link this step made cannot sign in."

LINKS = """
CREATE TEMP TABLE login_link ON COMMIT DROP AS
SELECT a.user_id, a.customer_id,
       row_number() OVER (PARTITION BY a.customer_id ORDER BY
           u.customer_id IS NOT DISTINCT FROM a.customer_id DESC,
           array_position(ARRAY['explicit', 'made_up_email', 'phone', 'email'], a.verdict), u.created_at, u.id) = 1
       AND NOT EXISTS (SELECT FROM users o WHERE o.customer_id = a.customer_id AND o.id <> a.user_id) AS is_own
FROM legacy_accounts a JOIN users u ON u.id = a.user_id
WHERE a.customer_id IS NOT NULL
UNION ALL
SELECT a.user_id, p.customer_id, true
FROM legacy_accounts a JOIN legacy_parties p ON p.source = a.source AND p.party = concat('user', chr(58), a.account)
WHERE a.customer_id IS NULL AND p.kind = 'account'
"""

OWN = """
UPDATE users u SET customer_id = l.customer_id FROM login_link l
WHERE l.is_own AND u.id = l.user_id AND u.customer_id IS DISTINCT FROM l.customer_id
"""

MADE_MEMBERS = """
CREATE TEMP TABLE made_member ON COMMIT DROP AS
SELECT new_id() AS id, l.user_id, l.customer_id FROM login_link l
WHERE NOT EXISTS (SELECT FROM memberships m WHERE m.user_id = l.user_id AND m.customer_id = l.customer_id
                  AND m.role = 'customer' AND m.ended_at IS NULL)
"""

MADE_LOGINS = """
CREATE TEMP TABLE made_login ON COMMIT DROP AS
SELECT new_id() AS id, new_id() AS membership_id, c.id AS customer_id, c.name, c.phone
FROM customers c
WHERE c.archived_at IS NULL AND NOT EXISTS (SELECT FROM users u WHERE u.customer_id = c.id)
"""

LOGINS = """
INSERT INTO users (id, name, email, phone, customer_id, state, state_at, created_at)
SELECT id, name, 'customer-' || customer_id || '@earlybird.local', phone, customer_id, 'uninvited', :now, :now
FROM made_login
"""

MEMBERS = """
INSERT INTO memberships (id, user_id, role, customer_id, created_at)
SELECT id, user_id, 'customer', customer_id, :now FROM made_member
UNION ALL
SELECT membership_id, id, 'customer', customer_id, :now FROM made_login
"""


def phases(session: Session) -> list[list[None]]:
    """Return the one batch: logins are judged together."""
    del session
    return [[None]]


def apply(session: Session, ctx: Ctx, batch: Batch, chunk: None) -> None:
    """Link proven logins, make the missing ones; what is linked already stays as it is."""
    del chunk
    facts = {"now": ctx.now}
    run(session, LINKS)
    residue.updated(
        session,
        batch,
        "users",
        "(SELECT u.id, jsonb_build_object('customer_id', u.customer_id) AS before FROM users u JOIN login_link l "
        "ON l.is_own AND u.id = l.user_id AND u.customer_id IS DISTINCT FROM l.customer_id) u",
    )
    run(session, OWN)
    run(session, MADE_MEMBERS)
    run(session, MADE_LOGINS)
    residue.inserted(session, batch, "users", "made_login")
    residue.inserted(
        session,
        batch,
        "memberships",
        "(SELECT id FROM made_member UNION ALL SELECT membership_id FROM made_login) m",
    )
    run(session, LOGINS, facts)
    run(session, MEMBERS, facts)


STAKES = """
WITH theirs AS (
    SELECT u.customer_id FROM step_residue r JOIN steps s ON s.id = r.step_id AND s.number = :number
    CROSS JOIN LATERAL unnest(r.ids) AS k (id) JOIN users u ON u.id = k.id
    WHERE r.table_name = 'users' AND r.reverted_at IS NULL
    UNION
    SELECT c.id FROM customers c
    WHERE c.archived_at IS NULL AND NOT EXISTS (SELECT FROM users u WHERE u.customer_id = c.id)
), owed AS (
    SELECT p.currency, p.customer_id, sum(p.amount_minor)::bigint AS minor
    FROM postings p JOIN theirs USING (customer_id)
    WHERE p.account = 'receivable' GROUP BY p.currency, p.customer_id HAVING sum(p.amount_minor) > 0
)
SELECT currency, sum(minor)::bigint AS amount_minor, count(*) AS customers FROM owed GROUP BY currency ORDER BY currency
"""


def stakes(session: Session) -> list[Stake]:
    """Return what those owe whose login hangs on the step."""
    return [
        Stake(row["amount_minor"], row["currency"], f"is owed by {row['customers']} customers who could not sign in")
        for row in rows(session, STAKES, {"number": NUMBER})
    ]


def unclear(session: Session) -> list[dict[str, Any]]:
    """List the accounts that may be of several customers, with those."""
    return queries.waiting_logins(session)


VERIFY = """
SELECT c.id, 'the customer has no login' AS what FROM customers c
WHERE c.archived_at IS NULL AND c.id NOT IN (SELECT customer_id FROM users WHERE customer_id IS NOT NULL)
UNION ALL
SELECT u.id, 'the login is not a member of its own customer' FROM users u
WHERE u.customer_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM memberships m WHERE m.user_id = u.id AND m.customer_id = u.customer_id AND m.ended_at IS NULL)
UNION ALL
SELECT u.id, 'the login belongs to a customer the evidence does not name' FROM users u
JOIN legacy_accounts a ON a.user_id = u.id
WHERE u.customer_id IS NOT NULL AND a.customer_id IS NOT NULL AND u.customer_id <> a.customer_id
"""


def verify(session: Session) -> list[dict[str, Any]]:
    """List customers without a login and logins that are not their customer's."""
    return rows(session, VERIFY + " LIMIT 1000")
