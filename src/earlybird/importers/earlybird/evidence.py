"""Whose login is an account: what a dump proves, what it contradicts, what it leaves open."""

from __future__ import annotations

from sqlalchemy.orm import Session

from earlybird.infra.db import run

SOURCE = "earlybird"

# Explicit evidence wins unless it names two customers, or the made-up e-mail or a phone held by
# exactly one account and one customer names another; without it made-up e-mail, phone, e-mail.
ACCOUNTS = """
INSERT INTO legacy_accounts (source, account, user_id, customer_id, verdict, candidates)
WITH account AS (
    SELECT id, key, oid, facts->>'customer' AS named, facts->>'phone' AS phone, facts->>'email' AS email
    FROM legacy_documents
    WHERE source = :source AND collection = 'users' AND verdict = 'imported' AND facts->>'role' = 'customer'
), customer AS (
    SELECT id, key, facts->>'user' AS named, facts->>'phone' AS phone, facts->>'email' AS email
    FROM legacy_documents
    WHERE source = :source AND collection = 'customers_v2' AND verdict = 'imported'
), explicit AS (
    SELECT a.key AS account, c.id FROM account a JOIN customer c ON c.key = a.named
    UNION SELECT a.key, c.id FROM account a JOIN customer c ON c.key = a.key
    UNION SELECT a.key, c.id FROM account a JOIN customer c ON c.named = a.key
    UNION SELECT a.key, c.id FROM account a JOIN customer c ON c.named = a.oid
), named AS (
    SELECT account, min(id::text)::uuid AS id, count(*) AS n, jsonb_agg(id) AS all_ids FROM explicit GROUP BY account
), folded AS (
    SELECT lower(key) AS key, min(id::text)::uuid AS id FROM customer GROUP BY lower(key) HAVING count(*) = 1
), made_up AS (
    SELECT a.key AS account, f.id
    FROM account a
    JOIN folded f ON f.key = substring(a.email FROM '^customer-(.+)@earlybird[.]local$')
), one_phone AS (
    SELECT c.id, c.phone FROM (SELECT min(id::text)::uuid AS id, phone FROM customer WHERE phone IS NOT NULL
                               GROUP BY phone HAVING count(*) = 1) c
), phone AS (
    SELECT a.account, c.id
    FROM (SELECT min(key) AS account, phone FROM account WHERE phone IS NOT NULL GROUP BY phone HAVING count(*) = 1) a
    JOIN one_phone c USING (phone)
), email AS (
    SELECT a.account, c.id
    FROM (SELECT min(key) AS account, email FROM account WHERE email IS NOT NULL GROUP BY email HAVING count(*) = 1) a
    JOIN (SELECT min(id::text)::uuid AS id, email FROM customer WHERE email IS NOT NULL
          GROUP BY email HAVING count(*) = 1) c USING (email)
), judged AS (
    SELECT a.id, a.key, n.n, n.id AS explicit_id, m.id AS made_up_id, p.id AS phone_id, e.id AS email_id, n.all_ids,
           n.n > 1 OR (n.n = 1 AND (m.id <> n.id OR p.id <> n.id)) AS is_contradictory
    FROM account a
    LEFT JOIN named n ON n.account = a.key
    LEFT JOIN made_up m ON m.account = a.key
    LEFT JOIN phone p ON p.account = a.key
    LEFT JOIN email e ON e.account = a.key
)
SELECT :source, key, id,
       CASE WHEN is_contradictory THEN NULL ELSE coalesce(explicit_id, made_up_id, phone_id, email_id) END,
       CASE WHEN is_contradictory THEN 'contradictory' WHEN explicit_id IS NOT NULL THEN 'explicit'
            WHEN made_up_id IS NOT NULL THEN 'made_up_email' WHEN phone_id IS NOT NULL THEN 'phone'
            WHEN email_id IS NOT NULL THEN 'email' ELSE 'none' END,
       CASE WHEN is_contradictory THEN
            (SELECT jsonb_agg(DISTINCT i) FROM jsonb_array_elements(
                all_ids || coalesce(to_jsonb(made_up_id), '[]') || coalesce(to_jsonb(phone_id), '[]')) AS i) END
FROM judged
ON CONFLICT (source, account) DO UPDATE
SET customer_id = excluded.customer_id, verdict = excluded.verdict, candidates = excluded.candidates
WHERE (legacy_accounts.customer_id, legacy_accounts.verdict, legacy_accounts.candidates)
      IS DISTINCT FROM (excluded.customer_id, excluded.verdict, excluded.candidates)
  AND NOT EXISTS (SELECT FROM worklist_choices w WHERE w.subject_id = legacy_accounts.user_id AND w.undone_at IS NULL)
"""


def judge_accounts(session: Session) -> int:
    """Decide for every customer account whose login it is; ambiguous and contradictory stay open.

    Rules: the data set's README, "Account → customer". Returns how many verdicts are new or changed.
    """
    return run(session, ACCOUNTS, {"source": SOURCE})
