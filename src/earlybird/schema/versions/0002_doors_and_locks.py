"""Doors and locks: how people come in, what seals the trail, what is said to the outside.

Why: who comes in is known, may do only what is theirs, and leaves a trace that cannot be rubbed out.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

GUARDS = Path(__file__).parent.parent / "doors_and_locks.sql"
UNGUARD = Path(__file__).parent.parent / "doors_and_locks_down.sql"


def execute_script(path: Path) -> None:
    """Run several statements at once, as the driver allows without parameters."""
    op.get_bind().connection.driver_connection.execute(path.read_text(encoding="utf-8"))


def upgrade() -> None:
    op.create_table('audit_seal_rows',
    sa.Column('audit_id', sa.Uuid(), nullable=False),
    sa.Column('seal_no', sa.BigInteger(), nullable=False),
    sa.Column('position', sa.BigInteger(), nullable=False),
    sa.Column('digest', sa.LargeBinary(), nullable=False),
    sa.Column('mark', sa.LargeBinary(), nullable=False),
    sa.Column('salt', sa.LargeBinary(), nullable=True),
    sa.Column('personal', sa.LargeBinary(), nullable=True),
    sa.Column('erased_by_id', sa.Uuid(), nullable=True),
    sa.PrimaryKeyConstraint('audit_id', name=op.f('audit_seal_rows_pkey'))
    )
    op.create_index('audit_seal_rows_position_key', 'audit_seal_rows', ['position'], unique=True)
    op.create_table('audit_seals',
    sa.Column('seal_no', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('sealed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('row_count', sa.Integer(), nullable=False),
    sa.Column('last_position', sa.BigInteger(), nullable=False),
    sa.Column('digest', sa.LargeBinary(), nullable=False),
    sa.Column('signature', sa.LargeBinary(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('seal_no', name=op.f('audit_seals_pkey'))
    )
    op.create_table('kept_answers',
    sa.Column('caller', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('fingerprint', sa.Text(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('status', sa.SmallInteger(), nullable=True),
    sa.Column('headers', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('body', sa.LargeBinary(), nullable=True),
    sa.PrimaryKeyConstraint('caller', 'key', name=op.f('kept_answers_pkey'))
    )
    op.create_index(op.f('kept_answers_made_at_idx'), 'kept_answers', ['made_at'], unique=False)
    op.create_table('one_time_codes',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('phone', sa.Text(), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('code_mac', sa.Text(), nullable=False),
    sa.Column('requested_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('tries', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("purpose IN ('sign_in', 'invitation', 'reset')", name=op.f('one_time_codes_purpose_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('one_time_codes_pkey'))
    )
    op.create_index(op.f('one_time_codes_phone_idx'), 'one_time_codes', ['phone'], unique=False)
    op.create_table('sign_in_throttles',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('failures', sa.Integer(), server_default='0', nullable=False),
    sa.Column('since_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('blocked_until', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind IN ('known', 'place', 'account', 'address', 'sending')", name=op.f('sign_in_throttles_kind_check')),
    sa.PrimaryKeyConstraint('key', name=op.f('sign_in_throttles_pkey'))
    )
    op.create_index(op.f('sign_in_throttles_kind_last_at_idx'), 'sign_in_throttles', ['kind', 'last_at'], unique=False)
    op.create_table('unsealed_entries',
    sa.Column('audit_id', sa.Uuid(), nullable=False),
    sa.PrimaryKeyConstraint('audit_id', name=op.f('unsealed_entries_pkey'))
    )
    op.create_table('webhook_changes',
    sa.Column('transaction_no', sa.BigInteger(), server_default=sa.text('pg_current_xact_id()::text::bigint'), autoincrement=False, nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('noted_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("kind IN ('order.placed', 'order.changed', 'order.cancelled', 'delivery.confirmed', 'delivery.corrected', 'delivery.returned', 'invoice.issued', 'invoice.voided', 'credit_note.issued', 'payment.recorded', 'payment.reversed')", name=op.f('webhook_changes_kind_check')),
    sa.PrimaryKeyConstraint('transaction_no', 'subject_id', 'kind', name=op.f('webhook_changes_pkey'))
    )
    op.create_table('webhook_endpoints',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('events', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.Column('old_secret', sa.LargeBinary(), nullable=True),
    sa.Column('old_secret_until_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('state', sa.Text(), server_default='active', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('failing_since_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('active', 'disabled')", name=op.f('webhook_endpoints_state_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('webhook_endpoints_pkey'))
    )
    op.create_table('webhook_events',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('occurred_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('webhook_events_pkey'))
    )
    op.create_index(op.f('webhook_events_made_at_idx'), 'webhook_events', ['made_at'], unique=False)
    op.create_table('import_rejections',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('run_id', sa.Uuid(), nullable=False),
    sa.Column('line', sa.Integer(), nullable=False),
    sa.Column('verdict', sa.Text(), nullable=False),
    sa.Column('field', sa.Text(), nullable=True),
    sa.Column('rule', sa.Text(), nullable=False),
    sa.Column('cells', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=True),
    sa.Column('rejected_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("verdict IN ('refused', 'kept')", name=op.f('import_rejections_verdict_check')),
    sa.ForeignKeyConstraint(['run_id'], ['import_runs.id'], name=op.f('import_rejections_run_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('import_rejections_pkey')),
    sa.UniqueConstraint('run_id', 'line', name=op.f('import_rejections_run_id_line_key'))
    )
    op.create_table('recovery_codes',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('code_mac', sa.Text(), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('recovery_codes_user_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('recovery_codes_pkey')),
    sa.UniqueConstraint('code_mac', name=op.f('recovery_codes_code_mac_key'))
    )
    op.create_index(op.f('recovery_codes_user_id_idx'), 'recovery_codes', ['user_id'], unique=False)
    op.create_table('second_factors',
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('secret_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_step', sa.BigInteger(), server_default='0', nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('second_factors_user_id_fkey')),
    sa.PrimaryKeyConstraint('user_id', name=op.f('second_factors_pkey'))
    )
    op.create_table('webhook_deliveries',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('event_id', sa.Uuid(), nullable=False),
    sa.Column('endpoint_id', sa.Uuid(), nullable=False),
    sa.Column('state', sa.Text(), server_default='waiting', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('tries', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("state IN ('waiting', 'delivered', 'failed')", name=op.f('webhook_deliveries_state_check')),
    sa.ForeignKeyConstraint(['endpoint_id'], ['webhook_endpoints.id'], name=op.f('webhook_deliveries_endpoint_id_fkey')),
    sa.ForeignKeyConstraint(['event_id'], ['webhook_events.id'], name=op.f('webhook_deliveries_event_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('webhook_deliveries_pkey')),
    sa.UniqueConstraint('event_id', 'endpoint_id', name=op.f('webhook_deliveries_event_id_endpoint_id_key'))
    )
    op.create_index(op.f('webhook_deliveries_endpoint_id_idx'), 'webhook_deliveries', ['endpoint_id'], unique=False)
    op.create_index('webhook_deliveries_waiting_idx', 'webhook_deliveries', ['endpoint_id', 'next_try_at'], unique=False, postgresql_where="state = 'waiting'")
    op.create_table('refresh_tokens',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('session_id', sa.Uuid(), nullable=False),
    sa.Column('token_hash', sa.Text(), nullable=False),
    sa.Column('issued_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], name=op.f('refresh_tokens_session_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('refresh_tokens_pkey')),
    sa.UniqueConstraint('token_hash', name=op.f('refresh_tokens_token_hash_key'))
    )
    op.create_index(op.f('refresh_tokens_session_id_idx'), 'refresh_tokens', ['session_id'], unique=False)
    op.create_table('webhook_attempts',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('delivery_id', sa.Uuid(), nullable=False),
    sa.Column('tried_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('status', sa.SmallInteger(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('took_ms', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['delivery_id'], ['webhook_deliveries.id'], name=op.f('webhook_attempts_delivery_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('webhook_attempts_pkey'))
    )
    op.create_index(op.f('webhook_attempts_delivery_id_idx'), 'webhook_attempts', ['delivery_id'], unique=False)
    op.create_table('api_keys',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('prefix', sa.Text(), nullable=False),
    sa.Column('key_hash', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('actions', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=True),
    sa.Column('customer_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_by_id', sa.Uuid(), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("role IN ('admin', 'support', 'customer', 'driver', 'merchant', 'warehouse', 'marketing', 'supplier')", name=op.f('api_keys_role_check')),
    sa.ForeignKeyConstraint(['created_by_id'], ['users.id'], name=op.f('api_keys_created_by_id_fkey')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('api_keys_customer_id_fkey')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('api_keys_site_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('api_keys_pkey')),
    sa.UniqueConstraint('key_hash', name=op.f('api_keys_key_hash_key'))
    )
    op.create_index(op.f('api_keys_created_by_id_idx'), 'api_keys', ['created_by_id'], unique=False)
    op.create_index(op.f('api_keys_customer_id_idx'), 'api_keys', ['customer_id'], unique=False)
    op.create_index(op.f('api_keys_site_id_idx'), 'api_keys', ['site_id'], unique=False)
    op.create_table('customer_merges',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('into_id', sa.Uuid(), nullable=False),
    sa.Column('carried', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('undone_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('customer_merges_customer_id_fkey')),
    sa.ForeignKeyConstraint(['into_id'], ['customers.id'], name=op.f('customer_merges_into_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('customer_merges_pkey'))
    )
    op.create_index(op.f('customer_merges_customer_id_idx'), 'customer_merges', ['customer_id'], unique=False)
    op.create_index(op.f('customer_merges_into_id_idx'), 'customer_merges', ['into_id'], unique=False)
    op.create_index('customer_merges_standing_key', 'customer_merges', ['customer_id'], unique=True, postgresql_where='undone_at IS NULL')
    op.create_table('messages',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), nullable=False),
    sa.Column('language', sa.Text(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('customer_id', sa.Uuid(), nullable=True),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=True),
    sa.Column('state', sa.Text(), server_default='queued', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('queued_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('next_try_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('tries', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.CheckConstraint("channel IN ('email', 'sms')", name=op.f('messages_channel_check')),
    sa.CheckConstraint("kind IN ('one_time_code', 'invitation', 'sign_in_link', 'password_reset', 'password_changed')", name=op.f('messages_kind_check')),
    sa.CheckConstraint("state IN ('queued', 'sent', 'failed', 'suppressed')", name=op.f('messages_state_check')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('messages_customer_id_fkey')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('messages_user_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('messages_pkey'))
    )
    op.create_index(op.f('messages_customer_id_idx'), 'messages', ['customer_id'], unique=False)
    op.create_index(op.f('messages_user_id_idx'), 'messages', ['user_id'], unique=False)
    op.create_index('messages_waiting_idx', 'messages', ['next_try_at'], unique=False, postgresql_where="state = 'queued'")
    op.create_index(op.f('adjustments_kind_id_idx'), 'adjustments', ['kind', 'id'], unique=False)
    op.create_index('adjustments_undecided_idx', 'adjustments', ['state', 'id'], unique=False, postgresql_where="state <> 'approved'")
    op.create_index(op.f('audit_entries_action_id_idx'), 'audit_entries', ['action', 'id'], unique=False)
    op.create_index(op.f('audit_entries_actor_id_id_idx'), 'audit_entries', ['actor_id', 'id'], unique=False)
    op.add_column('customers', sa.Column('marketer_id', sa.Uuid(), nullable=True))
    op.add_column('customers', sa.Column('merged_into_id', sa.Uuid(), nullable=True))
    op.create_index(op.f('customers_marketer_id_idx'), 'customers', ['marketer_id'], unique=False)
    op.create_index(op.f('customers_merged_into_id_idx'), 'customers', ['merged_into_id'], unique=False)
    op.create_index('customers_name_folded_idx', 'customers', [sa.literal_column("lower(regexp_replace(name, '\\W+', ' ', 'g'))")], unique=False)
    op.create_index('customers_phone_digits_idx', 'customers', [sa.literal_column("right(regexp_replace(phone, '[^0-9]', '', 'g'), 10)")], unique=False)
    op.create_foreign_key(op.f('customers_marketer_id_fkey'), 'customers', 'users', ['marketer_id'], ['id'])
    op.create_foreign_key(op.f('customers_merged_into_id_fkey'), 'customers', 'customers', ['merged_into_id'], ['id'])
    op.create_index('invoices_not_issued_idx', 'invoices', ['state', 'id'], unique=False, postgresql_where="state <> 'issued'")
    op.create_index('invoices_other_kinds_idx', 'invoices', ['kind', 'id'], unique=False, postgresql_where="kind <> 'invoice'")
    op.create_index(op.f('invoices_period_to_id_idx'), 'invoices', ['period_to', 'id'], unique=False)
    op.create_index('payments_reversed_idx', 'payments', ['id'], unique=False, postgresql_where="state = 'reversed'")
    op.drop_index(op.f('products_business_id_idx'), table_name='products')
    op.create_index(op.f('products_business_id_name_idx'), 'products', ['business_id', 'name'], unique=False)
    op.add_column('sessions', sa.Column('kind', sa.Text(), server_default='browser', nullable=False))
    op.add_column('sessions', sa.Column('revoked_reason', sa.Text(), nullable=True))
    op.add_column('sessions', sa.Column('method', sa.Text(), server_default='link', nullable=False))
    op.add_column('sign_in_links', sa.Column('purpose', sa.Text(), server_default='sign_in', nullable=False))
    op.create_index(op.f('subscriptions_state_id_idx'), 'subscriptions', ['state', 'id'], unique=False)
    op.add_column('users', sa.Column('language', sa.Text(), server_default='en', nullable=False))
    op.create_index('users_phone_digits_idx', 'users', [sa.literal_column("right(regexp_replace(phone, '[^0-9]', '', 'g'), 10)")], unique=False)
    execute_script(GUARDS)


def downgrade() -> None:
    execute_script(UNGUARD)
    op.drop_index('users_phone_digits_idx', table_name='users')
    op.drop_column('users', 'language')
    op.drop_index(op.f('subscriptions_state_id_idx'), table_name='subscriptions')
    op.drop_column('sign_in_links', 'purpose')
    op.drop_column('sessions', 'method')
    op.drop_column('sessions', 'revoked_reason')
    op.drop_column('sessions', 'kind')
    op.drop_index(op.f('products_business_id_name_idx'), table_name='products')
    op.create_index(op.f('products_business_id_idx'), 'products', ['business_id'], unique=False)
    op.drop_index('payments_reversed_idx', table_name='payments', postgresql_where="state = 'reversed'")
    op.drop_index(op.f('invoices_period_to_id_idx'), table_name='invoices')
    op.drop_index('invoices_other_kinds_idx', table_name='invoices', postgresql_where="kind <> 'invoice'")
    op.drop_index('invoices_not_issued_idx', table_name='invoices', postgresql_where="state <> 'issued'")
    op.drop_constraint(op.f('customers_merged_into_id_fkey'), 'customers', type_='foreignkey')
    op.drop_constraint(op.f('customers_marketer_id_fkey'), 'customers', type_='foreignkey')
    op.drop_index('customers_phone_digits_idx', table_name='customers')
    op.drop_index('customers_name_folded_idx', table_name='customers')
    op.drop_index(op.f('customers_merged_into_id_idx'), table_name='customers')
    op.drop_index(op.f('customers_marketer_id_idx'), table_name='customers')
    op.drop_column('customers', 'merged_into_id')
    op.drop_column('customers', 'marketer_id')
    op.drop_index(op.f('audit_entries_actor_id_id_idx'), table_name='audit_entries')
    op.drop_index(op.f('audit_entries_action_id_idx'), table_name='audit_entries')
    op.drop_index('adjustments_undecided_idx', table_name='adjustments', postgresql_where="state <> 'approved'")
    op.drop_index(op.f('adjustments_kind_id_idx'), table_name='adjustments')
    op.drop_index('messages_waiting_idx', table_name='messages', postgresql_where="state = 'queued'")
    op.drop_index(op.f('messages_user_id_idx'), table_name='messages')
    op.drop_index(op.f('messages_customer_id_idx'), table_name='messages')
    op.drop_table('messages')
    op.drop_index('customer_merges_standing_key', table_name='customer_merges', postgresql_where='undone_at IS NULL')
    op.drop_index(op.f('customer_merges_into_id_idx'), table_name='customer_merges')
    op.drop_index(op.f('customer_merges_customer_id_idx'), table_name='customer_merges')
    op.drop_table('customer_merges')
    op.drop_index(op.f('api_keys_site_id_idx'), table_name='api_keys')
    op.drop_index(op.f('api_keys_customer_id_idx'), table_name='api_keys')
    op.drop_index(op.f('api_keys_created_by_id_idx'), table_name='api_keys')
    op.drop_table('api_keys')
    op.drop_index(op.f('webhook_attempts_delivery_id_idx'), table_name='webhook_attempts')
    op.drop_table('webhook_attempts')
    op.drop_index(op.f('refresh_tokens_session_id_idx'), table_name='refresh_tokens')
    op.drop_table('refresh_tokens')
    op.drop_index('webhook_deliveries_waiting_idx', table_name='webhook_deliveries', postgresql_where="state = 'waiting'")
    op.drop_index(op.f('webhook_deliveries_endpoint_id_idx'), table_name='webhook_deliveries')
    op.drop_table('webhook_deliveries')
    op.drop_table('second_factors')
    op.drop_index(op.f('recovery_codes_user_id_idx'), table_name='recovery_codes')
    op.drop_table('recovery_codes')
    op.drop_table('import_rejections')
    op.drop_index(op.f('webhook_events_made_at_idx'), table_name='webhook_events')
    op.drop_table('webhook_events')
    op.drop_table('webhook_endpoints')
    op.drop_table('webhook_changes')
    op.drop_table('unsealed_entries')
    op.drop_index(op.f('sign_in_throttles_kind_last_at_idx'), table_name='sign_in_throttles')
    op.drop_table('sign_in_throttles')
    op.drop_index(op.f('one_time_codes_phone_idx'), table_name='one_time_codes')
    op.drop_table('one_time_codes')
    op.drop_index(op.f('kept_answers_made_at_idx'), table_name='kept_answers')
    op.drop_table('kept_answers')
    op.drop_table('audit_seals')
    op.drop_index('audit_seal_rows_position_key', table_name='audit_seal_rows')
    op.drop_table('audit_seal_rows')
