"""The spine: every table, with the functions and triggers that guard them.

Why: plan, fact and money each point at the row before, and the database itself refuses what must not be.
"""

from pathlib import Path

import procrastinate.schema
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

GUARDS = Path(__file__).parent.parent / "guards.sql"

NEW_ID_18 = "CREATE FUNCTION new_id() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS 'SELECT uuidv7()'"
NEW_ID_15 = """
CREATE FUNCTION new_id() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
        FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$
"""


def execute_script(text: str) -> None:
    """Run several statements at once, as the driver allows without parameters."""
    op.get_bind().connection.driver_connection.execute(text)


def upgrade() -> None:
    version = op.get_bind().dialect.server_version_info
    op.execute(NEW_ID_18 if version and version[0] >= 18 else NEW_ID_15)
    execute_script(procrastinate.schema.SchemaManager.get_schema())
    op.create_table('audit_entries',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor_kind', sa.Text(), nullable=False),
    sa.Column('actor_id', sa.Uuid(), nullable=True),
    sa.Column('actor_name', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('via', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('device', sa.Text(), nullable=True),
    sa.Column('trace_id', sa.Text(), nullable=False),
    sa.Column('action', sa.Text(), nullable=False),
    sa.Column('entity', sa.Text(), nullable=False),
    sa.Column('entity_id', sa.Uuid(), nullable=True),
    sa.Column('before', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('after', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('row_count', sa.Integer(), server_default='1', nullable=False),
    sa.Column('digest', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('audit_entries_pkey'))
    )
    op.create_index(op.f('audit_entries_entity_entity_id_idx'), 'audit_entries', ['entity', 'entity_id'], unique=False)
    op.create_table('businesses',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('legal_name', sa.Text(), nullable=True),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('country', sa.Text(), nullable=False),
    sa.Column('zone', sa.Text(), nullable=False),
    sa.Column('tax_ids', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('upi_id', sa.Text(), nullable=True),
    sa.Column('phone', sa.Text(), nullable=True),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('invoice_prefix', sa.Text(), server_default='INV', nullable=False),
    sa.Column('terms_days', sa.Integer(), server_default='7', nullable=False),
    sa.Column('prices_include_tax', sa.Boolean(), server_default='true', nullable=False),
    sa.Column('rounds_to_major', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('cutover_on', sa.Date(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('businesses_pkey')),
    sa.UniqueConstraint('name', name=op.f('businesses_name_key'))
    )
    op.create_table('delivery_rejections',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('client_id', sa.Text(), nullable=True),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('field', sa.Text(), nullable=True),
    sa.Column('rule', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('delivery_rejections_pkey')),
    sa.UniqueConstraint('digest', name=op.f('delivery_rejections_digest_key'))
    )
    op.create_index(op.f('delivery_rejections_client_id_idx'), 'delivery_rejections', ['client_id'], unique=False)
    op.create_table('findings',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('check_name', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('severity', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('money_minor', sa.BigInteger(), nullable=True),
    sa.Column('currency', sa.Text(), nullable=True),
    sa.Column('customer_id', sa.Uuid(), nullable=True),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('first_seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('state', sa.Text(), server_default='open', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('accepted_reason', sa.Text(), nullable=True),
    sa.Column('accepted_by_id', sa.Uuid(), nullable=True),
    sa.Column('run_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("severity IN ('info', 'warning', 'error')", name=op.f('findings_severity_check')),
    sa.CheckConstraint("state IN ('open', 'accepted', 'resolved')", name=op.f('findings_state_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('findings_pkey'))
    )
    op.create_index('findings_check_name_subject_key', 'findings', ['check_name', 'subject'], unique=True)
    op.create_index('findings_open_idx', 'findings', ['severity'], unique=False, postgresql_where="state = 'open'")
    op.create_table('grants',
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('action', sa.Text(), nullable=False),
    sa.Column('scope', sa.Text(), nullable=False),
    sa.CheckConstraint("role IN ('admin', 'support', 'customer', 'driver', 'merchant', 'warehouse', 'marketing', 'supplier')", name=op.f('grants_role_check')),
    sa.PrimaryKeyConstraint('role', 'action', name=op.f('grants_pkey'))
    )
    op.create_table('import_runs',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('folder', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('phase', sa.Text(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('import_runs_pkey'))
    )
    op.create_table('legacy_documents',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('collection', sa.Text(), nullable=False),
    sa.Column('ident', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=True),
    sa.Column('oid', sa.Text(), nullable=True),
    sa.Column('line', sa.Integer(), nullable=False),
    sa.Column('digest', sa.LargeBinary(), nullable=False),
    sa.Column('verdict', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('problems', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('former', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('body', sa.Text(), nullable=True),
    sa.Column('raw', sa.LargeBinary(), nullable=True),
    sa.Column('run_id', sa.Uuid(), nullable=False),
    sa.Column('changed_run_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("verdict IN ('imported', 'quarantined', 'duplicate')", name=op.f('legacy_documents_verdict_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('legacy_documents_pkey')),
    sa.UniqueConstraint('source', 'collection', 'ident', name=op.f('legacy_documents_source_collection_ident_key'))
    )
    op.create_index('legacy_documents_quarantine_idx', 'legacy_documents', ['source', 'collection'], unique=False, postgresql_where="verdict = 'quarantined'")
    op.create_index(op.f('legacy_documents_source_collection_key_idx'), 'legacy_documents', ['source', 'collection', 'key'], unique=False)
    op.create_table('payment_rejections',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('field', sa.Text(), nullable=True),
    sa.Column('rule', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('payment_rejections_pkey')),
    sa.UniqueConstraint('digest', name=op.f('payment_rejections_digest_key'))
    )
    op.create_table('policies',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('value', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('set_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('set_by', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('policies_pkey'))
    )
    op.create_table('steps',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), server_default='pending', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("state IN ('pending', 'applying', 'applied', 'reverting', 'reverted')", name=op.f('steps_state_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('steps_pkey')),
    sa.UniqueConstraint('name', name=op.f('steps_name_key')),
    sa.UniqueConstraint('number', name=op.f('steps_number_key'))
    )
    op.create_table('unbilled_charges',
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('service_on', sa.Date(), nullable=False),
    sa.Column('charge_id', sa.Uuid(), nullable=False),
    sa.PrimaryKeyConstraint('customer_id', 'service_on', 'charge_id', name=op.f('unbilled_charges_pkey'))
    )
    op.create_table('uncharged_lines',
    sa.Column('event_line_id', sa.Uuid(), nullable=False),
    sa.PrimaryKeyConstraint('event_line_id', name=op.f('uncharged_lines_pkey'))
    )
    op.create_table('units',
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('measure', sa.Text(), nullable=False),
    sa.CheckConstraint("measure IN ('volume', 'mass', 'number')", name=op.f('units_measure_check')),
    sa.PrimaryKeyConstraint('code', name=op.f('units_pkey'))
    )
    op.create_table('users',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('email', sa.Text(), nullable=True),
    sa.Column('phone', sa.Text(), nullable=True),
    sa.Column('password_hash', sa.Text(), nullable=True),
    sa.Column('must_change_password', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=True),
    sa.Column('state', sa.Text(), server_default='uninvited', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('uninvited', 'invited', 'active', 'disabled')", name=op.f('users_state_check')),
    sa.CheckConstraint('email = lower(email)', name=op.f('users_email_lower_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('users_pkey')),
    sa.UniqueConstraint('customer_id', name=op.f('users_customer_id_key'))
    )
    op.create_index('users_email_key', 'users', ['email'], unique=True)
    op.create_index(op.f('users_phone_idx'), 'users', ['phone'], unique=False)
    op.create_table('invoice_series',
    sa.Column('business_id', sa.Uuid(), nullable=False),
    sa.Column('series', sa.Text(), nullable=False),
    sa.Column('next_number', sa.Integer(), server_default='1', nullable=False),
    sa.ForeignKeyConstraint(['business_id'], ['businesses.id'], name=op.f('invoice_series_business_id_fkey')),
    sa.PrimaryKeyConstraint('business_id', 'series', name=op.f('invoice_series_pkey'))
    )
    op.create_table('journals',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('business_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('posted_on', sa.Date(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('memo', sa.Text(), nullable=True),
    sa.Column('reverses_id', sa.Uuid(), nullable=True),
    sa.ForeignKeyConstraint(['business_id'], ['businesses.id'], name=op.f('journals_business_id_fkey')),
    sa.ForeignKeyConstraint(['reverses_id'], ['journals.id'], name=op.f('journals_reverses_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('journals_pkey'))
    )
    op.create_index(op.f('journals_business_id_idx'), 'journals', ['business_id'], unique=False)
    op.create_index(op.f('journals_reverses_id_idx'), 'journals', ['reverses_id'], unique=False)
    op.create_table('sessions',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('token_hash', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('device', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('sessions_user_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('sessions_pkey')),
    sa.UniqueConstraint('token_hash', name=op.f('sessions_token_hash_key'))
    )
    op.create_index(op.f('sessions_user_id_idx'), 'sessions', ['user_id'], unique=False)
    op.create_table('sign_in_links',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('token_hash', sa.Text(), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('sign_in_links_user_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('sign_in_links_pkey')),
    sa.UniqueConstraint('token_hash', name=op.f('sign_in_links_token_hash_key'))
    )
    op.create_index(op.f('sign_in_links_user_id_idx'), 'sign_in_links', ['user_id'], unique=False)
    op.create_table('sites',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('business_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('zone', sa.Text(), nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind IN ('depot', 'shop', 'warehouse')", name=op.f('sites_kind_check')),
    sa.ForeignKeyConstraint(['business_id'], ['businesses.id'], name=op.f('sites_business_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('sites_pkey')),
    sa.UniqueConstraint('business_id', 'name', name=op.f('sites_business_id_name_key'))
    )
    op.create_table('step_runs',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('step_id', sa.Uuid(), nullable=False),
    sa.Column('verb', sa.Text(), nullable=False),
    sa.Column('actor_name', sa.Text(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('row_counts', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('result', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.ForeignKeyConstraint(['step_id'], ['steps.id'], name=op.f('step_runs_step_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('step_runs_pkey'))
    )
    op.create_index(op.f('step_runs_step_id_idx'), 'step_runs', ['step_id'], unique=False)
    op.create_table('tax_classes',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('business_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('hsn', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['business_id'], ['businesses.id'], name=op.f('tax_classes_business_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('tax_classes_pkey')),
    sa.UniqueConstraint('business_id', 'name', name=op.f('tax_classes_business_id_name_key'))
    )
    op.create_table('user_keys',
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('user_keys_user_id_fkey')),
    sa.PrimaryKeyConstraint('source', 'kind', 'key', name=op.f('user_keys_pkey'))
    )
    op.create_index(op.f('user_keys_user_id_idx'), 'user_keys', ['user_id'], unique=False)
    op.create_table('areas',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('postal_code', sa.Text(), nullable=True),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('areas_site_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('areas_pkey')),
    sa.UniqueConstraint('site_id', 'name', name=op.f('areas_site_id_name_key'))
    )
    op.create_table('closures',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('closed_on', sa.Date(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('closures_site_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('closures_pkey')),
    sa.UniqueConstraint('site_id', 'closed_on', name=op.f('closures_site_id_closed_on_key'))
    )
    op.create_table('packages',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('shop_id', sa.Uuid(), nullable=False),
    sa.Column('warehouse_id', sa.Uuid(), nullable=True),
    sa.Column('driver_id', sa.Uuid(), nullable=True),
    sa.Column('first_leg_id', sa.Uuid(), nullable=True),
    sa.Column('delivery_type', sa.Text(), nullable=False),
    sa.Column('shipping_type', sa.Text(), nullable=False),
    sa.Column('leg', sa.SmallInteger(), server_default='1', nullable=False),
    sa.Column('state', sa.Text(), server_default='pending', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("delivery_type IN ('merchant', 'driver', 'warehouse')", name=op.f('packages_delivery_type_check')),
    sa.CheckConstraint("shipping_type IN ('warehouse', 'user')", name=op.f('packages_shipping_type_check')),
    sa.CheckConstraint("state IN ('pending', 'prepared', 'sent', 'claimed', 'collected', 'at_warehouse', 'out', 'delivered', 'returned', 'cancelled')", name=op.f('packages_state_check')),
    sa.CheckConstraint('leg IN (1, 2)', name=op.f('packages_leg_check')),
    sa.ForeignKeyConstraint(['driver_id'], ['users.id'], name=op.f('packages_driver_id_fkey')),
    sa.ForeignKeyConstraint(['first_leg_id'], ['packages.id'], name=op.f('packages_first_leg_id_fkey')),
    sa.ForeignKeyConstraint(['shop_id'], ['sites.id'], name=op.f('packages_shop_id_fkey')),
    sa.ForeignKeyConstraint(['warehouse_id'], ['sites.id'], name=op.f('packages_warehouse_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('packages_pkey')),
    sa.UniqueConstraint('code', name=op.f('packages_code_key'))
    )
    op.create_index(op.f('packages_driver_id_idx'), 'packages', ['driver_id'], unique=False)
    op.create_index(op.f('packages_first_leg_id_idx'), 'packages', ['first_leg_id'], unique=False)
    op.create_index(op.f('packages_shop_id_idx'), 'packages', ['shop_id'], unique=False)
    op.create_index(op.f('packages_warehouse_id_idx'), 'packages', ['warehouse_id'], unique=False)
    op.create_table('plan_runs',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('service_on', sa.Date(), nullable=False),
    sa.Column('first_planned_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('planned_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('line_count', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('plan_runs_site_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('plan_runs_pkey')),
    sa.UniqueConstraint('site_id', 'service_on', name=op.f('plan_runs_site_id_service_on_key'))
    )
    op.create_table('products',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('business_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('category', sa.Text(), nullable=True),
    sa.Column('unit_code', sa.Text(), nullable=False),
    sa.Column('pack_size', sa.Numeric(precision=14, scale=3), server_default='1', nullable=False),
    sa.Column('tax_class_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('pack_size > 0', name=op.f('products_pack_size_check')),
    sa.ForeignKeyConstraint(['business_id'], ['businesses.id'], name=op.f('products_business_id_fkey')),
    sa.ForeignKeyConstraint(['tax_class_id'], ['tax_classes.id'], name=op.f('products_tax_class_id_fkey')),
    sa.ForeignKeyConstraint(['unit_code'], ['units.code'], name=op.f('products_unit_code_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('products_pkey'))
    )
    op.create_index(op.f('products_business_id_idx'), 'products', ['business_id'], unique=False)
    op.create_index(op.f('products_tax_class_id_idx'), 'products', ['tax_class_id'], unique=False)
    op.create_index(op.f('products_unit_code_idx'), 'products', ['unit_code'], unique=False)
    op.create_table('shifts',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('shift', sa.Text(), nullable=False),
    sa.Column('starts', sa.Time(), nullable=False),
    sa.Column('ends', sa.Time(), nullable=False),
    sa.Column('cutoff', sa.Time(), nullable=False),
    sa.Column('cutoff_days_before', sa.SmallInteger(), server_default='1', nullable=False),
    sa.CheckConstraint("shift IN ('morning', 'evening')", name=op.f('shifts_shift_check')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('shifts_site_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('shifts_pkey')),
    sa.UniqueConstraint('site_id', 'shift', name=op.f('shifts_site_id_shift_key'))
    )
    op.create_table('step_residue',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('step_id', sa.Uuid(), nullable=False),
    sa.Column('run_id', sa.Uuid(), nullable=False),
    sa.Column('table_name', sa.Text(), nullable=False),
    sa.Column('batch', sa.BigInteger(), nullable=False),
    sa.Column('verb', sa.Text(), nullable=False),
    sa.Column('ids', postgresql.ARRAY(sa.Uuid()), nullable=False),
    sa.Column('before', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('made_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['run_id'], ['step_runs.id'], name=op.f('step_residue_run_id_fkey')),
    sa.ForeignKeyConstraint(['step_id'], ['steps.id'], name=op.f('step_residue_step_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('step_residue_pkey')),
    sa.UniqueConstraint('step_id', 'table_name', 'batch', 'verb', name=op.f('step_residue_step_id_table_name_batch_verb_key'))
    )
    op.create_index(op.f('step_residue_run_id_idx'), 'step_residue', ['run_id'], unique=False)
    op.create_table('tax_rates',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('tax_class_id', sa.Uuid(), nullable=False),
    sa.Column('component', sa.Text(), nullable=False),
    sa.Column('rate', sa.Numeric(precision=7, scale=4), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.CheckConstraint("component IN ('CGST', 'SGST', 'IGST', 'GST', 'HST', 'PST')", name=op.f('tax_rates_component_check')),
    sa.CheckConstraint('rate >= 0 AND rate < 1', name=op.f('tax_rates_rate_check')),
    sa.ForeignKeyConstraint(['tax_class_id'], ['tax_classes.id'], name=op.f('tax_rates_tax_class_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('tax_rates_pkey')),
    sa.UniqueConstraint('tax_class_id', 'component', 'valid_from', name=op.f('tax_rates_tax_class_id_component_valid_from_key'))
    )
    op.create_table('area_drivers',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('area_id', sa.Uuid(), nullable=False),
    sa.Column('shift', sa.Text(), nullable=False),
    sa.Column('weekday', sa.SmallInteger(), nullable=True),
    sa.Column('driver_id', sa.Uuid(), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.CheckConstraint("shift IN ('morning', 'evening')", name=op.f('area_drivers_shift_check')),
    sa.ForeignKeyConstraint(['area_id'], ['areas.id'], name=op.f('area_drivers_area_id_fkey')),
    sa.ForeignKeyConstraint(['driver_id'], ['users.id'], name=op.f('area_drivers_driver_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('area_drivers_pkey')),
    sa.UniqueConstraint('area_id', 'shift', 'weekday', 'valid_from', name=op.f('area_drivers_area_id_shift_weekday_valid_from_key'), postgresql_nulls_not_distinct=True)
    )
    op.create_index(op.f('area_drivers_driver_id_idx'), 'area_drivers', ['driver_id'], unique=False)
    op.create_table('area_keys',
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('area_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['area_id'], ['areas.id'], name=op.f('area_keys_area_id_fkey')),
    sa.PrimaryKeyConstraint('source', 'kind', 'key', name=op.f('area_keys_pkey'))
    )
    op.create_index(op.f('area_keys_area_id_idx'), 'area_keys', ['area_id'], unique=False)
    op.create_table('customers',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('business_id', sa.Uuid(), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), server_default='household', nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('phone', sa.Text(), nullable=True),
    sa.Column('phone_as_given', sa.Text(), nullable=True),
    sa.Column('email', sa.Text(), nullable=True),
    sa.Column('language', sa.Text(), server_default='en', nullable=False),
    sa.Column('area_id', sa.Uuid(), nullable=True),
    sa.Column('driver_id', sa.Uuid(), nullable=True),
    sa.Column('bill_to_id', sa.Uuid(), nullable=True),
    sa.Column('billing_cycle', sa.Text(), server_default='monthly', nullable=False),
    sa.Column('state', sa.Text(), server_default='trial', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('state_from', sa.Date(), nullable=True),
    sa.Column('trial_from', sa.Date(), nullable=True),
    sa.Column('notes', sa.Text(), nullable=True),
    sa.Column('delivery_instructions', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind IN ('household', 'business')", name=op.f('customers_kind_check')),
    sa.CheckConstraint("state IN ('trial', 'active', 'paused', 'stopped')", name=op.f('customers_state_check')),
    sa.ForeignKeyConstraint(['area_id'], ['areas.id'], name=op.f('customers_area_id_fkey')),
    sa.ForeignKeyConstraint(['bill_to_id'], ['customers.id'], name=op.f('customers_bill_to_id_fkey')),
    sa.ForeignKeyConstraint(['business_id'], ['businesses.id'], name=op.f('customers_business_id_fkey')),
    sa.ForeignKeyConstraint(['driver_id'], ['users.id'], name=op.f('customers_driver_id_fkey')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('customers_site_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('customers_pkey'))
    )
    op.create_index(op.f('customers_area_id_idx'), 'customers', ['area_id'], unique=False)
    op.create_index(op.f('customers_bill_to_id_idx'), 'customers', ['bill_to_id'], unique=False)
    op.create_index(op.f('customers_business_id_idx'), 'customers', ['business_id'], unique=False)
    op.create_index('customers_code_key', 'customers', ['code'], unique=True)
    op.create_index(op.f('customers_driver_id_idx'), 'customers', ['driver_id'], unique=False)
    op.create_index(op.f('customers_email_idx'), 'customers', ['email'], unique=False)
    op.create_index(op.f('customers_phone_idx'), 'customers', ['phone'], unique=False)
    op.create_index(op.f('customers_site_id_idx'), 'customers', ['site_id'], unique=False)
    op.create_table('product_keys',
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('product_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['product_id'], ['products.id'], name=op.f('product_keys_product_id_fkey')),
    sa.PrimaryKeyConstraint('source', 'kind', 'key', name=op.f('product_keys_pkey'))
    )
    op.create_index(op.f('product_keys_product_id_idx'), 'product_keys', ['product_id'], unique=False)
    op.create_table('addresses',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('label', sa.Text(), nullable=True),
    sa.Column('line1', sa.Text(), nullable=False),
    sa.Column('line2', sa.Text(), nullable=True),
    sa.Column('city', sa.Text(), nullable=True),
    sa.Column('region', sa.Text(), nullable=True),
    sa.Column('postal_code', sa.Text(), nullable=True),
    sa.Column('latitude', sa.Numeric(precision=9, scale=6), nullable=True),
    sa.Column('longitude', sa.Numeric(precision=9, scale=6), nullable=True),
    sa.Column('map_url', sa.Text(), nullable=True),
    sa.Column('is_default', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('addresses_customer_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('addresses_pkey'))
    )
    op.create_index(op.f('addresses_customer_id_idx'), 'addresses', ['customer_id'], unique=False)
    op.create_index('addresses_default_key', 'addresses', ['customer_id'], unique=True, postgresql_where='is_default AND archived_at IS NULL')
    op.create_table('adjustments',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('business_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('effective_on', sa.Date(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), server_default='proposed', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('approver', sa.Text(), nullable=True),
    sa.Column('made_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("kind IN ('fee', 'discount', 'deposit', 'goodwill', 'recovery', 'legacy_difference', 'opening_balance', 'credit')", name=op.f('adjustments_kind_check')),
    sa.CheckConstraint("state IN ('proposed', 'approved', 'waived')", name=op.f('adjustments_state_check')),
    sa.ForeignKeyConstraint(['business_id'], ['businesses.id'], name=op.f('adjustments_business_id_fkey')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('adjustments_customer_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('adjustments_pkey'))
    )
    op.create_index(op.f('adjustments_business_id_idx'), 'adjustments', ['business_id'], unique=False)
    op.create_index(op.f('adjustments_customer_id_idx'), 'adjustments', ['customer_id'], unique=False)
    op.create_index('adjustments_opening_key', 'adjustments', ['customer_id'], unique=True, postgresql_where="kind = 'opening_balance'")
    op.create_table('customer_keys',
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('customer_keys_customer_id_fkey')),
    sa.PrimaryKeyConstraint('source', 'kind', 'key', name=op.f('customer_keys_pkey'))
    )
    op.create_index(op.f('customer_keys_customer_id_idx'), 'customer_keys', ['customer_id'], unique=False)
    op.create_table('invoices',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('business_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('series', sa.Text(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=True),
    sa.Column('state', sa.Text(), server_default='draft', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('period_from', sa.Date(), nullable=False),
    sa.Column('period_to', sa.Date(), nullable=False),
    sa.Column('issued_on', sa.Date(), nullable=True),
    sa.Column('issued_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('due_on', sa.Date(), nullable=True),
    sa.Column('subtotal_minor', sa.BigInteger(), nullable=False),
    sa.Column('tax_minor', sa.BigInteger(), nullable=False),
    sa.Column('rounding_minor', sa.BigInteger(), nullable=False),
    sa.Column('total_minor', sa.BigInteger(), nullable=False),
    sa.Column('carried_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('corrects_id', sa.Uuid(), nullable=True),
    sa.Column('journal_id', sa.Uuid(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.CheckConstraint("(state = 'draft') = (number IS NULL)", name=op.f('invoices_number_check')),
    sa.CheckConstraint("kind IN ('invoice', 'credit_note', 'legacy', 'opening')", name=op.f('invoices_kind_check')),
    sa.CheckConstraint("state IN ('draft', 'issued', 'void')", name=op.f('invoices_state_check')),
    sa.ForeignKeyConstraint(['business_id'], ['businesses.id'], name=op.f('invoices_business_id_fkey')),
    sa.ForeignKeyConstraint(['corrects_id'], ['invoices.id'], name=op.f('invoices_corrects_id_fkey')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('invoices_customer_id_fkey')),
    sa.ForeignKeyConstraint(['journal_id'], ['journals.id'], name=op.f('invoices_journal_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('invoices_pkey')),
    sa.UniqueConstraint('business_id', 'series', 'number', name=op.f('invoices_business_id_series_number_key'))
    )
    op.create_index(op.f('invoices_corrects_id_idx'), 'invoices', ['corrects_id'], unique=False)
    op.create_index(op.f('invoices_customer_id_issued_on_idx'), 'invoices', ['customer_id', 'issued_on'], unique=False)
    op.create_index(op.f('invoices_journal_id_idx'), 'invoices', ['journal_id'], unique=False)
    op.create_index('invoices_opening_key', 'invoices', ['customer_id'], unique=True, postgresql_where="kind = 'opening'")
    op.create_table('legacy_accounts',
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('account', sa.Text(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=True),
    sa.Column('verdict', sa.Text(), nullable=False),
    sa.Column('candidates', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('legacy_accounts_customer_id_fkey')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('legacy_accounts_user_id_fkey')),
    sa.PrimaryKeyConstraint('source', 'account', name=op.f('legacy_accounts_pkey'))
    )
    op.create_index(op.f('legacy_accounts_customer_id_idx'), 'legacy_accounts', ['customer_id'], unique=False)
    op.create_index(op.f('legacy_accounts_user_id_idx'), 'legacy_accounts', ['user_id'], unique=False)
    op.create_table('legacy_bills',
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('party', sa.Text(), nullable=False),
    sa.Column('month', sa.Text(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=True),
    sa.Column('delivered_minor', sa.BigInteger(), nullable=False),
    sa.Column('one_time_minor', sa.BigInteger(), nullable=False),
    sa.Column('first_view_minor', sa.BigInteger(), nullable=False),
    sa.Column('second_view_minor', sa.BigInteger(), nullable=False),
    sa.Column('paid_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('legacy_bills_customer_id_fkey')),
    sa.PrimaryKeyConstraint('source', 'party', 'month', name=op.f('legacy_bills_pkey'))
    )
    op.create_index(op.f('legacy_bills_customer_id_idx'), 'legacy_bills', ['customer_id'], unique=False)
    op.create_table('legacy_deliveries',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('collection', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=True),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('customer_key', sa.Text(), nullable=True),
    sa.Column('order_key', sa.Text(), nullable=True),
    sa.Column('driver_key', sa.Text(), nullable=True),
    sa.Column('driver_id', sa.Uuid(), nullable=True),
    sa.Column('service_on', sa.Date(), nullable=True),
    sa.Column('status', sa.Text(), nullable=True),
    sa.Column('told_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('line', sa.Integer(), nullable=False),
    sa.Column('visit', sa.Text(), nullable=True),
    sa.Column('is_early', sa.Boolean(), nullable=False),
    sa.Column('speaks_morning', sa.Boolean(), nullable=False),
    sa.Column('speaks_evening', sa.Boolean(), nullable=False),
    sa.Column('method', sa.Text(), nullable=True),
    sa.Column('products', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('verdict', sa.Text(), server_default='fact', nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=True),
    sa.Column('candidates', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('made_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('legacy_deliveries_customer_id_fkey')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('legacy_deliveries_user_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('legacy_deliveries_pkey')),
    sa.UniqueConstraint('source', 'collection', 'key', name=op.f('legacy_deliveries_source_collection_key_key'))
    )
    op.create_index('legacy_deliveries_customer_id_service_on_idx', 'legacy_deliveries', ['customer_id', 'service_on'], unique=False)
    op.create_index('legacy_deliveries_order_id_idx', 'legacy_deliveries', ['order_id'], unique=False, postgresql_where='order_id IS NOT NULL')
    op.create_index('legacy_deliveries_user_id_idx', 'legacy_deliveries', ['user_id'], unique=False, postgresql_where='user_id IS NOT NULL')
    op.create_table('legacy_parties',
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('party', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.CheckConstraint("kind IN ('customer', 'account', 'deleted')", name=op.f('legacy_parties_kind_check')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('legacy_parties_customer_id_fkey')),
    sa.PrimaryKeyConstraint('source', 'party', name=op.f('legacy_parties_pkey')),
    sa.UniqueConstraint('customer_id', name=op.f('legacy_parties_customer_id_key'))
    )
    op.create_table('memberships',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=True),
    sa.Column('customer_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("role IN ('admin', 'support', 'customer', 'driver', 'merchant', 'warehouse', 'marketing', 'supplier')", name=op.f('memberships_role_check')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('memberships_customer_id_fkey')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('memberships_site_id_fkey')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('memberships_user_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('memberships_pkey'))
    )
    op.create_index('memberships_current_key', 'memberships', ['user_id', 'role', 'site_id', 'customer_id'], unique=True, postgresql_where='ended_at IS NULL', postgresql_nulls_not_distinct=True)
    op.create_index(op.f('memberships_customer_id_idx'), 'memberships', ['customer_id'], unique=False)
    op.create_index(op.f('memberships_site_id_idx'), 'memberships', ['site_id'], unique=False)
    op.create_index(op.f('memberships_user_id_idx'), 'memberships', ['user_id'], unique=False)
    op.create_table('payments',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('business_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=True),
    sa.Column('client_id', sa.Text(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('method', sa.Text(), nullable=False),
    sa.Column('received_on', sa.Date(), nullable=False),
    sa.Column('reference', sa.Text(), nullable=True),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('for_month', sa.Text(), nullable=True),
    sa.Column('state', sa.Text(), server_default='recorded', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('journal_id', sa.Uuid(), nullable=True),
    sa.Column('source', sa.Text(), nullable=True),
    sa.CheckConstraint("state IN ('recorded', 'reversed')", name=op.f('payments_state_check')),
    sa.ForeignKeyConstraint(['business_id'], ['businesses.id'], name=op.f('payments_business_id_fkey')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('payments_customer_id_fkey')),
    sa.ForeignKeyConstraint(['journal_id'], ['journals.id'], name=op.f('payments_journal_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('payments_pkey')),
    sa.UniqueConstraint('client_id', name=op.f('payments_client_id_key'))
    )
    op.create_index(op.f('payments_business_id_idx'), 'payments', ['business_id'], unique=False)
    op.create_index(op.f('payments_customer_id_received_on_idx'), 'payments', ['customer_id', 'received_on'], unique=False)
    op.create_index(op.f('payments_journal_id_idx'), 'payments', ['journal_id'], unique=False)
    op.create_table('postings',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('journal_id', sa.Uuid(), nullable=False),
    sa.Column('account', sa.Text(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=True),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('posted_on', sa.Date(), nullable=False),
    sa.CheckConstraint("account IN ('receivable', 'customer_advance', 'sales', 'tax_payable', 'driver_cash', 'depot_cash', 'bank', 'rounding', 'opening_equity', 'driver_payable', 'merchant_payable', 'deposits', 'adjustments')", name=op.f('postings_account_check')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('postings_customer_id_fkey')),
    sa.ForeignKeyConstraint(['journal_id'], ['journals.id'], name=op.f('postings_journal_id_fkey')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('postings_user_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('postings_pkey'))
    )
    op.create_index(op.f('postings_customer_id_account_idx'), 'postings', ['customer_id', 'account'], unique=False)
    op.create_index(op.f('postings_journal_id_idx'), 'postings', ['journal_id'], unique=False)
    op.create_index(op.f('postings_user_id_idx'), 'postings', ['user_id'], unique=False)
    op.create_table('prices',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('product_id', sa.Uuid(), nullable=False),
    sa.Column('scope', sa.Text(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=True),
    sa.Column('unit_price', sa.Numeric(precision=14, scale=4), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.CheckConstraint("(scope = 'customer') = (customer_id IS NOT NULL)", name=op.f('prices_scope_customer_check')),
    sa.CheckConstraint("scope IN ('list', 'customer')", name=op.f('prices_scope_check')),
    sa.CheckConstraint('unit_price >= 0', name=op.f('prices_unit_price_check')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('prices_customer_id_fkey')),
    sa.ForeignKeyConstraint(['product_id'], ['products.id'], name=op.f('prices_product_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('prices_pkey')),
    sa.UniqueConstraint('product_id', 'customer_id', 'valid_from', name=op.f('prices_product_id_customer_id_valid_from_key'), postgresql_nulls_not_distinct=True)
    )
    op.create_index(op.f('prices_customer_id_idx'), 'prices', ['customer_id'], unique=False, postgresql_where='customer_id IS NOT NULL')
    op.create_table('invoice_taxes',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('invoice_id', sa.Uuid(), nullable=False),
    sa.Column('component', sa.Text(), nullable=False),
    sa.Column('rate', sa.Numeric(precision=7, scale=4), nullable=False),
    sa.Column('base_minor', sa.BigInteger(), nullable=False),
    sa.Column('tax_minor', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoices.id'], name=op.f('invoice_taxes_invoice_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('invoice_taxes_pkey')),
    sa.UniqueConstraint('invoice_id', 'component', 'rate', name=op.f('invoice_taxes_invoice_id_component_rate_key'))
    )
    op.create_table('orders',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('seller_id', sa.Uuid(), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('address_id', sa.Uuid(), nullable=True),
    sa.Column('address', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('code', sa.Text(), nullable=True),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('service_on', sa.Date(), nullable=True),
    sa.Column('shift', sa.Text(), nullable=True),
    sa.Column('driver_id', sa.Uuid(), nullable=True),
    sa.Column('state', sa.Text(), server_default='placed', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('placed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('placed_by_id', sa.Uuid(), nullable=True),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('paid_upstream', sa.Boolean(), server_default='false', nullable=False),
    sa.CheckConstraint("shift IN ('morning', 'evening')", name=op.f('orders_shift_check')),
    sa.CheckConstraint("source <> 'subscription' OR (service_on IS NOT NULL AND shift IS NOT NULL)", name=op.f('orders_standing_check')),
    sa.CheckConstraint("source IN ('one_time', 'subscription')", name=op.f('orders_source_check')),
    sa.CheckConstraint("state IN ('placed', 'planned', 'out', 'delivered', 'partially_delivered', 'not_delivered', 'cancelled')", name=op.f('orders_state_check')),
    sa.ForeignKeyConstraint(['address_id'], ['addresses.id'], name=op.f('orders_address_id_fkey')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('orders_customer_id_fkey')),
    sa.ForeignKeyConstraint(['driver_id'], ['users.id'], name=op.f('orders_driver_id_fkey')),
    sa.ForeignKeyConstraint(['placed_by_id'], ['users.id'], name=op.f('orders_placed_by_id_fkey')),
    sa.ForeignKeyConstraint(['seller_id'], ['businesses.id'], name=op.f('orders_seller_id_fkey')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('orders_site_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('orders_pkey')),
    postgresql_with={'fillfactor': 75}
    )
    op.create_index('orders_code_idx', 'orders', ['code'], unique=False, postgresql_where='code IS NOT NULL')
    op.create_index(op.f('orders_customer_id_idx'), 'orders', ['customer_id'], unique=False)
    op.create_index(op.f('orders_service_on_idx'), 'orders', ['service_on'], unique=False)
    op.create_index('orders_standing_key', 'orders', ['customer_id', 'service_on', 'shift', 'address_id'], unique=True, postgresql_where="source = 'subscription'", postgresql_nulls_not_distinct=True)
    op.create_table('payment_allocations',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('payment_id', sa.Uuid(), nullable=False),
    sa.Column('invoice_id', sa.Uuid(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('amount_minor <> 0', name=op.f('payment_allocations_amount_minor_check')),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoices.id'], name=op.f('payment_allocations_invoice_id_fkey')),
    sa.ForeignKeyConstraint(['payment_id'], ['payments.id'], name=op.f('payment_allocations_payment_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('payment_allocations_pkey'))
    )
    op.create_index(op.f('payment_allocations_invoice_id_idx'), 'payment_allocations', ['invoice_id'], unique=False)
    op.create_index(op.f('payment_allocations_payment_id_idx'), 'payment_allocations', ['payment_id'], unique=False)
    op.create_table('subscriptions',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('address_id', sa.Uuid(), nullable=True),
    sa.Column('starts_on', sa.Date(), nullable=False),
    sa.Column('stops_on', sa.Date(), nullable=True),
    sa.Column('state', sa.Text(), server_default='draft', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('stop_reason', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("state IN ('draft', 'active', 'stopped')", name=op.f('subscriptions_state_check')),
    sa.ForeignKeyConstraint(['address_id'], ['addresses.id'], name=op.f('subscriptions_address_id_fkey')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('subscriptions_customer_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('subscriptions_pkey'))
    )
    op.create_index(op.f('subscriptions_address_id_idx'), 'subscriptions', ['address_id'], unique=False)
    op.create_index(op.f('subscriptions_customer_id_idx'), 'subscriptions', ['customer_id'], unique=False)
    op.create_table('deliveries',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('planned_on', sa.Date(), nullable=False),
    sa.Column('shift', sa.Text(), nullable=True),
    sa.Column('driver_id', sa.Uuid(), nullable=True),
    sa.Column('attempt', sa.SmallInteger(), server_default='1', nullable=False),
    sa.Column('state', sa.Text(), server_default='planned', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("shift IN ('morning', 'evening')", name=op.f('deliveries_shift_check')),
    sa.CheckConstraint("state IN ('planned', 'out', 'delivered', 'partially_delivered', 'not_delivered', 'cancelled')", name=op.f('deliveries_state_check')),
    sa.CheckConstraint('attempt >= 1', name=op.f('deliveries_attempt_check')),
    sa.ForeignKeyConstraint(['driver_id'], ['users.id'], name=op.f('deliveries_driver_id_fkey')),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('deliveries_order_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('deliveries_pkey')),
    sa.UniqueConstraint('order_id', 'attempt', name=op.f('deliveries_order_id_attempt_key')),
    postgresql_with={'fillfactor': 75}
    )
    op.create_index(op.f('deliveries_customer_id_idx'), 'deliveries', ['customer_id'], unique=False)
    op.create_index('deliveries_round_idx', 'deliveries', ['planned_on', 'driver_id', 'shift'], unique=False)
    op.create_table('order_keys',
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=False),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('order_keys_order_id_fkey')),
    sa.PrimaryKeyConstraint('source', 'kind', 'key', name=op.f('order_keys_pkey'))
    )
    op.create_index(op.f('order_keys_order_id_idx'), 'order_keys', ['order_id'], unique=False)
    op.create_table('order_lines',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=False),
    sa.Column('position', sa.SmallInteger(), server_default='1', nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('service_on', sa.Date(), nullable=True),
    sa.Column('shift', sa.Text(), nullable=True),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('subscription_id', sa.Uuid(), nullable=True),
    sa.Column('subscription_version_id', sa.Uuid(), nullable=True),
    sa.Column('override_id', sa.Uuid(), nullable=True),
    sa.Column('price_id', sa.Uuid(), nullable=True),
    sa.Column('rule', sa.Text(), nullable=True),
    sa.Column('product_id', sa.Uuid(), nullable=False),
    sa.Column('product_name', sa.Text(), nullable=False),
    sa.Column('unit', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=14, scale=3), nullable=False),
    sa.Column('base_quantity', sa.Numeric(precision=14, scale=3), nullable=False),
    sa.Column('unit_price', sa.Numeric(precision=14, scale=4), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('tax_class_id', sa.Uuid(), nullable=True),
    sa.Column('cancelled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('cancelled_by', sa.Text(), nullable=True),
    sa.Column('planned_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("cancelled_by IN ('plan', 'person')", name=op.f('order_lines_cancelled_by_check')),
    sa.CheckConstraint("shift IN ('morning', 'evening')", name=op.f('order_lines_shift_check')),
    sa.CheckConstraint("source <> 'subscription' OR (service_on IS NOT NULL AND shift IS NOT NULL)", name=op.f('order_lines_standing_check')),
    sa.CheckConstraint("source IN ('one_time', 'subscription')", name=op.f('order_lines_source_check')),
    sa.CheckConstraint('quantity >= 0', name=op.f('order_lines_quantity_check')),
    sa.CheckConstraint('unit_price >= 0', name=op.f('order_lines_unit_price_check')),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('order_lines_order_id_fkey')),
    sa.ForeignKeyConstraint(['product_id'], ['products.id'], name=op.f('order_lines_product_id_fkey')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscriptions.id'], name=op.f('order_lines_subscription_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('order_lines_pkey')),
    sa.UniqueConstraint('subscription_id', 'service_on', 'shift', name=op.f('order_lines_subscription_id_service_on_shift_key'))
    )
    op.create_index(op.f('order_lines_order_id_idx'), 'order_lines', ['order_id'], unique=False)
    op.create_table('package_orders',
    sa.Column('package_id', sa.Uuid(), nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('package_orders_order_id_fkey')),
    sa.ForeignKeyConstraint(['package_id'], ['packages.id'], name=op.f('package_orders_package_id_fkey')),
    sa.PrimaryKeyConstraint('package_id', 'order_id', name=op.f('package_orders_pkey'))
    )
    op.create_index(op.f('package_orders_order_id_idx'), 'package_orders', ['order_id'], unique=False)
    op.create_table('subscription_keys',
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('subscription_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscriptions.id'], name=op.f('subscription_keys_subscription_id_fkey')),
    sa.PrimaryKeyConstraint('source', 'kind', 'key', name=op.f('subscription_keys_pkey'))
    )
    op.create_index(op.f('subscription_keys_subscription_id_idx'), 'subscription_keys', ['subscription_id'], unique=False)
    op.create_table('subscription_overrides',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('subscription_id', sa.Uuid(), nullable=False),
    sa.Column('service_on', sa.Date(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=14, scale=3), nullable=True),
    sa.Column('shift', sa.Text(), nullable=True),
    sa.Column('driver_id', sa.Uuid(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('made_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('made_by', sa.Text(), nullable=True),
    sa.Column('via', sa.Text(), nullable=True),
    sa.Column('cutoff_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('superseded_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind IN ('irregular', 'override')", name=op.f('subscription_overrides_kind_check')),
    sa.CheckConstraint("shift IN ('morning', 'evening')", name=op.f('subscription_overrides_shift_check')),
    sa.CheckConstraint('quantity >= 0', name=op.f('subscription_overrides_quantity_check')),
    sa.ForeignKeyConstraint(['driver_id'], ['users.id'], name=op.f('subscription_overrides_driver_id_fkey')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscriptions.id'], name=op.f('subscription_overrides_subscription_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('subscription_overrides_pkey'))
    )
    op.create_index('subscription_overrides_current_key', 'subscription_overrides', ['subscription_id', 'service_on', 'kind'], unique=True, postgresql_where='superseded_at IS NULL')
    op.create_index(op.f('subscription_overrides_driver_id_idx'), 'subscription_overrides', ['driver_id'], unique=False)
    op.create_index(op.f('subscription_overrides_subscription_id_idx'), 'subscription_overrides', ['subscription_id'], unique=False)
    op.create_table('subscription_pauses',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('subscription_id', sa.Uuid(), nullable=False),
    sa.Column('starts_on', sa.Date(), nullable=False),
    sa.Column('ends_on', sa.Date(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('made_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('made_by', sa.Text(), nullable=True),
    sa.Column('via', sa.Text(), nullable=True),
    sa.Column('cutoff_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('cancelled_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('ends_on >= starts_on', name=op.f('subscription_pauses_order_check')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscriptions.id'], name=op.f('subscription_pauses_subscription_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('subscription_pauses_pkey'))
    )
    op.create_index(op.f('subscription_pauses_subscription_id_idx'), 'subscription_pauses', ['subscription_id'], unique=False)
    op.create_table('subscription_versions',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('subscription_id', sa.Uuid(), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('product_id', sa.Uuid(), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=14, scale=3), nullable=False),
    sa.Column('pattern', sa.Text(), nullable=False),
    sa.Column('weekdays', postgresql.ARRAY(sa.SmallInteger()), nullable=True),
    sa.Column('every_n', sa.Integer(), nullable=True),
    sa.Column('until_on', sa.Date(), nullable=True),
    sa.Column('agreed_price', sa.Numeric(precision=14, scale=4), nullable=True),
    sa.Column('shift', sa.Text(), nullable=False),
    sa.Column('driver_id', sa.Uuid(), nullable=True),
    sa.Column('made_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('made_by', sa.Text(), nullable=True),
    sa.Column('via', sa.Text(), nullable=True),
    sa.CheckConstraint("pattern <> 'every_nth' OR every_n >= 1", name=op.f('subscription_versions_every_nth_check')),
    sa.CheckConstraint("pattern <> 'weekly' OR weekdays IS NOT NULL", name=op.f('subscription_versions_weekly_check')),
    sa.CheckConstraint("pattern IN ('daily', 'weekly', 'every_nth', 'one_time', 'irregular')", name=op.f('subscription_versions_pattern_check')),
    sa.CheckConstraint("shift IN ('morning', 'evening', 'both')", name=op.f('subscription_versions_shift_check')),
    sa.CheckConstraint('agreed_price >= 0', name=op.f('subscription_versions_agreed_price_check')),
    sa.CheckConstraint('quantity >= 0', name=op.f('subscription_versions_quantity_check')),
    sa.ForeignKeyConstraint(['driver_id'], ['users.id'], name=op.f('subscription_versions_driver_id_fkey')),
    sa.ForeignKeyConstraint(['product_id'], ['products.id'], name=op.f('subscription_versions_product_id_fkey')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscriptions.id'], name=op.f('subscription_versions_subscription_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('subscription_versions_pkey')),
    sa.UniqueConstraint('subscription_id', 'valid_from', name=op.f('subscription_versions_subscription_id_valid_from_key'))
    )
    op.create_index(op.f('subscription_versions_driver_id_idx'), 'subscription_versions', ['driver_id'], unique=False)
    op.create_index(op.f('subscription_versions_product_id_idx'), 'subscription_versions', ['product_id'], unique=False)
    op.create_table('delivery_events',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('client_id', sa.Text(), nullable=False),
    sa.Column('delivery_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('service_on', sa.Date(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('device', sa.Text(), nullable=True),
    sa.Column('device_seq', sa.Integer(), nullable=True),
    sa.Column('device_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor_kind', sa.Text(), nullable=False),
    sa.Column('actor_id', sa.Uuid(), nullable=True),
    sa.Column('actor_name', sa.Text(), nullable=False),
    sa.Column('authority', sa.SmallInteger(), nullable=False),
    sa.Column('via', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('place', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('legacy_delivery_id', sa.Uuid(), nullable=True),
    sa.Column('told', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.CheckConstraint("kind IN ('confirm', 'correct', 'return')", name=op.f('delivery_events_kind_check')),
    sa.CheckConstraint("via IN ('driver_app', 'link', 'console', 'api', 'file', 'import')", name=op.f('delivery_events_via_check')),
    sa.ForeignKeyConstraint(['delivery_id'], ['deliveries.id'], name=op.f('delivery_events_delivery_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('delivery_events_pkey')),
    sa.UniqueConstraint('client_id', name=op.f('delivery_events_client_id_key'))
    )
    op.create_index(op.f('delivery_events_delivery_id_idx'), 'delivery_events', ['delivery_id'], unique=False)
    op.create_index(op.f('delivery_events_legacy_delivery_id_idx'), 'delivery_events', ['legacy_delivery_id'], unique=False, postgresql_where='legacy_delivery_id IS NOT NULL')
    op.create_table('delivery_lines',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('delivery_id', sa.Uuid(), nullable=False),
    sa.Column('order_line_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('service_on', sa.Date(), nullable=False),
    sa.Column('ordered_quantity', sa.Numeric(precision=14, scale=3), nullable=False),
    sa.Column('delivered_quantity', sa.Numeric(precision=14, scale=3), server_default='0', nullable=False),
    sa.CheckConstraint('delivered_quantity >= 0 AND delivered_quantity <= ordered_quantity', name=op.f('delivery_lines_delivered_quantity_check')),
    sa.CheckConstraint('ordered_quantity >= 0', name=op.f('delivery_lines_ordered_quantity_check')),
    sa.ForeignKeyConstraint(['delivery_id'], ['deliveries.id'], name=op.f('delivery_lines_delivery_id_fkey')),
    sa.ForeignKeyConstraint(['order_line_id'], ['order_lines.id'], name=op.f('delivery_lines_order_line_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('delivery_lines_pkey')),
    sa.UniqueConstraint('delivery_id', 'order_line_id', name=op.f('delivery_lines_delivery_id_order_line_id_key')),
    postgresql_with={'fillfactor': 85}
    )
    op.create_index(op.f('delivery_lines_order_line_id_idx'), 'delivery_lines', ['order_line_id'], unique=False)
    op.create_table('package_lines',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('package_id', sa.Uuid(), nullable=False),
    sa.Column('order_line_id', sa.Uuid(), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=14, scale=3), nullable=False),
    sa.CheckConstraint('quantity > 0', name=op.f('package_lines_quantity_check')),
    sa.ForeignKeyConstraint(['order_line_id'], ['order_lines.id'], name=op.f('package_lines_order_line_id_fkey')),
    sa.ForeignKeyConstraint(['package_id'], ['packages.id'], name=op.f('package_lines_package_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('package_lines_pkey')),
    sa.UniqueConstraint('package_id', 'order_line_id', name=op.f('package_lines_package_id_order_line_id_key'))
    )
    op.create_index(op.f('package_lines_order_line_id_idx'), 'package_lines', ['order_line_id'], unique=False)
    op.create_table('container_movements',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('container', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('event_id', sa.Uuid(), nullable=True),
    sa.Column('moved_on', sa.Date(), nullable=False),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('container_movements_customer_id_fkey')),
    sa.ForeignKeyConstraint(['event_id'], ['delivery_events.id'], name=op.f('container_movements_event_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('container_movements_pkey'))
    )
    op.create_index(op.f('container_movements_customer_id_idx'), 'container_movements', ['customer_id'], unique=False)
    op.create_index(op.f('container_movements_event_id_idx'), 'container_movements', ['event_id'], unique=False)
    op.create_table('delivery_event_lines',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('event_id', sa.Uuid(), nullable=False),
    sa.Column('delivery_line_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('service_on', sa.Date(), nullable=False),
    sa.Column('revision', sa.SmallInteger(), nullable=False),
    sa.Column('delta_quantity', sa.Numeric(precision=14, scale=3), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.CheckConstraint('revision >= 1', name=op.f('delivery_event_lines_revision_check')),
    sa.ForeignKeyConstraint(['delivery_line_id'], ['delivery_lines.id'], name=op.f('delivery_event_lines_delivery_line_id_fkey')),
    sa.ForeignKeyConstraint(['event_id'], ['delivery_events.id'], name=op.f('delivery_event_lines_event_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('delivery_event_lines_pkey')),
    sa.UniqueConstraint('delivery_line_id', 'revision', name=op.f('delivery_event_lines_delivery_line_id_revision_key'))
    )
    op.create_index(op.f('delivery_event_lines_event_id_idx'), 'delivery_event_lines', ['event_id'], unique=False)
    op.create_table('charges',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('event_line_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('service_on', sa.Date(), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=14, scale=3), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('tax_class_id', sa.Uuid(), nullable=True),
    sa.Column('charged_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['event_line_id'], ['delivery_event_lines.id'], name=op.f('charges_event_line_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('charges_pkey')),
    sa.UniqueConstraint('event_line_id', name=op.f('charges_event_line_id_key'))
    )
    op.create_index(op.f('charges_customer_id_service_on_idx'), 'charges', ['customer_id', 'service_on'], unique=False)
    op.create_table('invoice_lines',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('invoice_id', sa.Uuid(), nullable=False),
    sa.Column('charge_id', sa.Uuid(), nullable=True),
    sa.Column('adjustment_id', sa.Uuid(), nullable=True),
    sa.Column('service_on', sa.Date(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=14, scale=3), nullable=True),
    sa.Column('unit', sa.Text(), nullable=True),
    sa.Column('unit_price', sa.Numeric(precision=14, scale=4), nullable=True),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('tax_minor', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('num_nonnulls(charge_id, adjustment_id) = 1', name=op.f('invoice_lines_source_check')),
    sa.ForeignKeyConstraint(['adjustment_id'], ['adjustments.id'], name=op.f('invoice_lines_adjustment_id_fkey')),
    sa.ForeignKeyConstraint(['charge_id'], ['charges.id'], name=op.f('invoice_lines_charge_id_fkey')),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoices.id'], name=op.f('invoice_lines_invoice_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('invoice_lines_pkey'))
    )
    op.create_index('invoice_lines_adjustment_id_key', 'invoice_lines', ['adjustment_id'], unique=True, postgresql_where='adjustment_id IS NOT NULL')
    op.create_index('invoice_lines_charge_id_key', 'invoice_lines', ['charge_id'], unique=True, postgresql_where='charge_id IS NOT NULL')
    op.create_index(op.f('invoice_lines_invoice_id_idx'), 'invoice_lines', ['invoice_id'], unique=False)
    op.create_table('waivers',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('charge_id', sa.Uuid(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('approver', sa.Text(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['charge_id'], ['charges.id'], name=op.f('waivers_charge_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('waivers_pkey')),
    sa.UniqueConstraint('charge_id', name=op.f('waivers_charge_id_key'))
    )
    op.create_foreign_key("users_customer_id_fkey", "users", "customers", ["customer_id"], ["id"])
    execute_script(GUARDS.read_text(encoding="utf-8"))


def downgrade() -> None:
    execute_script("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    op.execute("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY)")
    op.execute("INSERT INTO alembic_version VALUES ('0001')")
