"""A password is kept as Argon2id, and one that was given to everybody does not outlive thirty days.

What was hashed weakly elsewhere is hashed anew when its owner next signs in.
"""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=48,
    name="password_weak",
    title="Is no password kept weakly, or left as it was given?",
    severity=Severity.warning,
    kind=Kind.live,
    sql="""
    SELECT u.id::text AS subject,
           format(CASE WHEN u.password_hash LIKE '$argon2id$%'
             THEN 'The login of %s still has the password it was given'
                       ELSE 'The password of %s is kept in an old way' END, u.name) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, u.customer_id, jsonb_build_object('user_id', u.id)
             AS facts
    FROM users u
    WHERE u.archived_at IS NULL AND u.password_hash IS NOT NULL
      AND (u.password_hash NOT LIKE '$argon2id$%'
           OR u.must_change_password AND u.state_at < CAST(:now AS timestamptz) - interval '30 days')
""",
)
