"""A shared link that expired or was taken back opens nothing."""

from earlybird.audit.states import Severity
from earlybird.reconcile.rules import Check, Kind

CHECK = Check(
    number=58,
    name="link_used_after_end",
    title="Is no ended link still used?",
    severity=Severity.error,
    kind=Kind.live,
    sql="""
    SELECT u.id::text AS subject,
           format('The link "%s" ended and was used after that', k.name) AS title,
           NULL::bigint AS money_minor, NULL::text AS currency, NULL::uuid AS customer_id,
           jsonb_build_object('link_id', k.id, 'link_use_id', u.id, 'ended_at', least(k.expires_at, k.revoked_at),
                              'last_opened_at', u.last_opened_at) AS facts
    FROM link_uses u JOIN shared_links k ON k.id = u.link_id
    WHERE u.last_opened_at > least(k.expires_at, k.revoked_at) + interval '1 minute'
""",
)
