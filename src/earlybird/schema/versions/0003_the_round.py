"""The round: who drives what in which order, what links open, what was photographed, wished for and told.

Why: from tonight's plan to the last doorstep nothing may fall out, with and without signal.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

GUARDS = Path(__file__).parent.parent / "the_round.sql"
UNGUARD = Path(__file__).parent.parent / "the_round_down.sql"


def execute_script(path: Path) -> None:
    """Run several statements at once, as the driver allows without parameters."""
    op.get_bind().connection.driver_connection.execute(path.read_text(encoding="utf-8"))


def upgrade() -> None:
    op.create_table('device_sequences',
    sa.Column('owner', sa.Text(), nullable=False),
    sa.Column('device', sa.Text(), nullable=False),
    sa.Column('seen', postgresql.INT8MULTIRANGE(), nullable=False),
    sa.Column('heard_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('owner', 'device', name=op.f('device_sequences_pkey'))
    )
    op.create_table('files',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('served_digest', sa.Text(), nullable=False),
    sa.Column('object_name', sa.Text(), nullable=False),
    sa.Column('thumbnail_name', sa.Text(), nullable=False),
    sa.Column('media_type', sa.Text(), nullable=False),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('height', sa.Integer(), nullable=False),
    sa.Column('byte_count', sa.Integer(), nullable=False),
    sa.Column('taken_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('taken_by', sa.Text(), nullable=True),
    sa.Column('place', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('device', sa.Text(), nullable=True),
    sa.Column('uploaded_by_kind', sa.Text(), nullable=False),
    sa.Column('uploaded_by_id', sa.Uuid(), nullable=True),
    sa.Column('uploaded_by_name', sa.Text(), nullable=False),
    sa.Column('via', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('uploaded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('original', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind IN ('photo', 'signature')", name=op.f('files_kind_check')),
    sa.CheckConstraint('pg_column_size(original) < 8192', name=op.f('files_original_check')),
    sa.CheckConstraint('width > 0 AND height > 0 AND byte_count > 0', name=op.f('files_size_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('files_pkey')),
    sa.UniqueConstraint('object_name', name=op.f('files_object_name_key')),
    sa.UniqueConstraint('thumbnail_name', name=op.f('files_thumbnail_name_key'))
    )
    op.create_table('job_clocks',
    sa.Column('job', sa.Text(), nullable=False),
    sa.Column('covered_until_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('job', name=op.f('job_clocks_pkey'))
    )
    op.create_table('job_runs',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('job', sa.Text(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('outcome', sa.Text(), server_default='running', nullable=False),
    sa.Column('tries', sa.SmallInteger(), server_default='1', nullable=False),
    sa.Column('row_count', sa.Integer(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.CheckConstraint("outcome IN ('running', 'done', 'failed', 'died')", name=op.f('job_runs_outcome_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('job_runs_pkey'))
    )
    op.create_index('job_runs_job_due_at_key', 'job_runs', ['job', 'due_at'], unique=True)
    op.create_index(op.f('job_runs_started_at_idx'), 'job_runs', ['started_at'], unique=False)
    op.create_table('message_facts',
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('transaction_no', sa.BigInteger(), server_default=sa.text('pg_current_xact_id()::text::bigint'), autoincrement=False, nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('noted_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("kind IN ('order', 'round', 'delivery', 'pause', 'pause_changed', 'customer', 'invoice', 'payment')", name=op.f('message_facts_kind_check')),
    sa.PrimaryKeyConstraint('kind', 'transaction_no', 'subject_id', name=op.f('message_facts_pkey'))
    )
    op.create_table('unbooked_cash',
    sa.Column('cash_id', sa.Uuid(), nullable=False),
    sa.PrimaryKeyConstraint('cash_id', name=op.f('unbooked_cash_pkey'))
    )
    op.create_table('driver_shifts',
    sa.Column('driver_id', sa.Uuid(), nullable=False),
    sa.Column('shift', sa.Text(), nullable=False),
    sa.CheckConstraint("shift IN ('morning', 'evening')", name=op.f('driver_shifts_shift_check')),
    sa.ForeignKeyConstraint(['driver_id'], ['users.id'], name=op.f('driver_shifts_driver_id_fkey')),
    sa.PrimaryKeyConstraint('driver_id', 'shift', name=op.f('driver_shifts_pkey'))
    )
    op.create_table('cash_settlements',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('business_id', sa.Uuid(), nullable=False),
    sa.Column('driver_id', sa.Uuid(), nullable=False),
    sa.Column('counted_minor', sa.BigInteger(), nullable=False),
    sa.Column('expected_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('settled_by', sa.Text(), nullable=False),
    sa.Column('journal_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint('counted_minor >= 0', name=op.f('cash_settlements_counted_minor_check')),
    sa.ForeignKeyConstraint(['business_id'], ['businesses.id'], name=op.f('cash_settlements_business_id_fkey')),
    sa.ForeignKeyConstraint(['driver_id'], ['users.id'], name=op.f('cash_settlements_driver_id_fkey')),
    sa.ForeignKeyConstraint(['journal_id'], ['journals.id'], name=op.f('cash_settlements_journal_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('cash_settlements_pkey'))
    )
    op.create_index(op.f('cash_settlements_business_id_idx'), 'cash_settlements', ['business_id'], unique=False)
    op.create_index(op.f('cash_settlements_driver_id_idx'), 'cash_settlements', ['driver_id'], unique=False)
    op.create_index(op.f('cash_settlements_journal_id_idx'), 'cash_settlements', ['journal_id'], unique=False)
    op.create_table('replan_requests',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('service_on', sa.Date(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('replan_requests_site_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('replan_requests_pkey'))
    )
    op.create_index(op.f('replan_requests_site_id_service_on_idx'), 'replan_requests', ['site_id', 'service_on'], unique=False)
    op.create_table('rounds',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('service_on', sa.Date(), nullable=False),
    sa.Column('shift', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('driver_id', sa.Uuid(), nullable=True),
    sa.Column('substitute_id', sa.Uuid(), nullable=True),
    sa.Column('usual_driver_id', sa.Uuid(), nullable=True),
    sa.Column('is_cut', sa.Boolean(), server_default='true', nullable=False),
    sa.Column('merged_into_id', sa.Uuid(), nullable=True),
    sa.Column('standing_round_id', sa.Uuid(), nullable=True),
    sa.Column('state', sa.Text(), server_default='planned', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("shift IN ('morning', 'evening')", name=op.f('rounds_shift_check')),
    sa.CheckConstraint("state IN ('planned', 'out', 'done', 'cancelled')", name=op.f('rounds_state_check')),
    sa.ForeignKeyConstraint(['driver_id'], ['users.id'], name=op.f('rounds_driver_id_fkey')),
    sa.ForeignKeyConstraint(['merged_into_id'], ['rounds.id'], name=op.f('rounds_merged_into_id_fkey')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('rounds_site_id_fkey')),
    sa.ForeignKeyConstraint(['substitute_id'], ['users.id'], name=op.f('rounds_substitute_id_fkey')),
    sa.ForeignKeyConstraint(['usual_driver_id'], ['users.id'], name=op.f('rounds_usual_driver_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('rounds_pkey'))
    )
    op.create_index('rounds_cut_key', 'rounds', ['site_id', 'service_on', 'shift', 'usual_driver_id'], unique=True, postgresql_where='is_cut', postgresql_nulls_not_distinct=True)
    op.create_index('rounds_day_idx', 'rounds', ['service_on', 'site_id'], unique=False)
    op.create_index('rounds_driver_id_service_on_idx', 'rounds', ['driver_id', 'service_on'], unique=False)
    op.create_index(op.f('rounds_merged_into_id_idx'), 'rounds', ['merged_into_id'], unique=False)
    op.create_index(op.f('rounds_site_id_idx'), 'rounds', ['site_id'], unique=False)
    op.create_index(op.f('rounds_standing_round_id_idx'), 'rounds', ['standing_round_id'], unique=False)
    op.create_index(op.f('rounds_substitute_id_idx'), 'rounds', ['substitute_id'], unique=False)
    op.create_index(op.f('rounds_usual_driver_id_idx'), 'rounds', ['usual_driver_id'], unique=False)
    op.create_table('standing_rounds',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('shift', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('driver_id', sa.Uuid(), nullable=False),
    sa.Column('capacity', sa.Numeric(precision=14, scale=3), nullable=True),
    sa.Column('service_minutes', sa.SmallInteger(), server_default='2', nullable=False),
    sa.Column('remembered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('made_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("shift IN ('morning', 'evening')", name=op.f('standing_rounds_shift_check')),
    sa.CheckConstraint('capacity > 0', name=op.f('standing_rounds_capacity_check')),
    sa.CheckConstraint('service_minutes BETWEEN 0 AND 240', name=op.f('standing_rounds_service_minutes_check')),
    sa.ForeignKeyConstraint(['driver_id'], ['users.id'], name=op.f('standing_rounds_driver_id_fkey')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('standing_rounds_site_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('standing_rounds_pkey'))
    )
    op.create_index(op.f('standing_rounds_driver_id_idx'), 'standing_rounds', ['driver_id'], unique=False)
    op.create_index('standing_rounds_driver_key', 'standing_rounds', ['site_id', 'shift', 'driver_id'], unique=True, postgresql_where='archived_at IS NULL')
    op.create_table('message_preferences',
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=True),
    sa.Column('is_silent', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('is_at_once', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('opted_out', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('set_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("channel IN ('email', 'sms', 'whatsapp')", name=op.f('message_preferences_channel_check')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('message_preferences_customer_id_fkey')),
    sa.PrimaryKeyConstraint('customer_id', name=op.f('message_preferences_pkey'))
    )
    op.create_table('door_windows',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('address_id', sa.Uuid(), nullable=True),
    sa.Column('opens', sa.Time(), nullable=True),
    sa.Column('closes', sa.Time(), nullable=True),
    sa.Column('service_minutes', sa.SmallInteger(), nullable=True),
    sa.CheckConstraint('opens < closes', name=op.f('door_windows_opens_closes_check')),
    sa.CheckConstraint('service_minutes BETWEEN 0 AND 240', name=op.f('door_windows_service_minutes_check')),
    sa.ForeignKeyConstraint(['address_id'], ['addresses.id'], name=op.f('door_windows_address_id_fkey')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('door_windows_customer_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('door_windows_pkey')),
    sa.UniqueConstraint('customer_id', 'address_id', name=op.f('door_windows_customer_id_address_id_key'), postgresql_nulls_not_distinct=True)
    )
    op.create_index(op.f('door_windows_address_id_idx'), 'door_windows', ['address_id'], unique=False)
    op.create_table('standing_stops',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('standing_round_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('address_id', sa.Uuid(), nullable=True),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.CheckConstraint('position >= 1', name=op.f('standing_stops_position_check')),
    sa.ForeignKeyConstraint(['address_id'], ['addresses.id'], name=op.f('standing_stops_address_id_fkey')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('standing_stops_customer_id_fkey')),
    sa.ForeignKeyConstraint(['standing_round_id'], ['standing_rounds.id'], name=op.f('standing_stops_standing_round_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('standing_stops_pkey')),
    sa.UniqueConstraint('standing_round_id', 'customer_id', 'address_id', name=op.f('standing_stops_standing_round_id_customer_id_address_id_key'), postgresql_nulls_not_distinct=True),
    sa.UniqueConstraint('standing_round_id', 'position', deferrable=True, initially='DEFERRED', name=op.f('standing_stops_standing_round_id_position_key'))
    )
    op.create_index(op.f('standing_stops_address_id_idx'), 'standing_stops', ['address_id'], unique=False)
    op.create_index(op.f('standing_stops_customer_id_idx'), 'standing_stops', ['customer_id'], unique=False)
    op.create_table('shared_links',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('first_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('round_id', sa.Uuid(), nullable=True),
    sa.Column('order_id', sa.Uuid(), nullable=True),
    sa.Column('first_on', sa.Date(), nullable=False),
    sa.Column('last_on', sa.Date(), nullable=False),
    sa.Column('actions', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('shows_phones', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('token_hash', sa.Text(), nullable=False),
    sa.Column('pin_mac', sa.Text(), nullable=True),
    sa.Column('wrong_pin_count', sa.Integer(), server_default='0', nullable=False),
    sa.Column('max_uses', sa.Integer(), nullable=True),
    sa.Column('use_count', sa.Integer(), server_default='0', nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_reason', sa.Text(), nullable=True),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('made_by', sa.Text(), nullable=False),
    sa.CheckConstraint('(round_id IS NULL) <> (order_id IS NULL)', name=op.f('shared_links_scope_check')),
    sa.CheckConstraint('first_on <= last_on', name=op.f('shared_links_days_check')),
    sa.CheckConstraint('max_uses >= 1', name=op.f('shared_links_max_uses_check')),
    sa.CheckConstraint('use_count >= 0 AND use_count <= coalesce(max_uses, use_count)', name=op.f('shared_links_use_count_check')),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('shared_links_order_id_fkey')),
    sa.ForeignKeyConstraint(['round_id'], ['rounds.id'], name=op.f('shared_links_round_id_fkey')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('shared_links_site_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('shared_links_pkey')),
    sa.UniqueConstraint('token_hash', name=op.f('shared_links_token_hash_key'))
    )
    op.create_index(op.f('shared_links_first_id_idx'), 'shared_links', ['first_id'], unique=False)
    op.create_index(op.f('shared_links_order_id_idx'), 'shared_links', ['order_id'], unique=False)
    op.create_index(op.f('shared_links_round_id_idx'), 'shared_links', ['round_id'], unique=False)
    op.create_index(op.f('shared_links_site_id_idx'), 'shared_links', ['site_id'], unique=False)
    op.create_table('delivery_photos',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('delivery_id', sa.Uuid(), nullable=False),
    sa.Column('file_id', sa.Uuid(), nullable=False),
    sa.Column('client_id', sa.Text(), nullable=True),
    sa.Column('bound_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['delivery_id'], ['deliveries.id'], name=op.f('delivery_photos_delivery_id_fkey')),
    sa.ForeignKeyConstraint(['file_id'], ['files.id'], name=op.f('delivery_photos_file_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('delivery_photos_pkey')),
    sa.UniqueConstraint('delivery_id', 'file_id', 'client_id', name=op.f('delivery_photos_delivery_id_file_id_client_id_key'), postgresql_nulls_not_distinct=True)
    )
    op.create_index(op.f('delivery_photos_file_id_idx'), 'delivery_photos', ['file_id'], unique=False)
    op.create_index('delivery_photos_owner_idx', 'delivery_photos', ['file_id'], unique=True, postgresql_where='client_id IS NULL')
    op.create_table('link_uses',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('link_id', sa.Uuid(), nullable=False),
    sa.Column('device_hash', sa.Text(), nullable=False),
    sa.Column('access_hash', sa.Text(), nullable=False),
    sa.Column('access_ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('open_count', sa.Integer(), server_default='1', nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('device', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['link_id'], ['shared_links.id'], name=op.f('link_uses_link_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('link_uses_pkey')),
    sa.UniqueConstraint('access_hash', name=op.f('link_uses_access_hash_key')),
    sa.UniqueConstraint('device_hash', name=op.f('link_uses_device_hash_key'))
    )
    op.create_index(op.f('link_uses_link_id_idx'), 'link_uses', ['link_id'], unique=False)
    op.create_table('requests',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('client_id', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('delivery_id', sa.Uuid(), nullable=True),
    sa.Column('subscription_id', sa.Uuid(), nullable=True),
    sa.Column('service_on', sa.Date(), nullable=False),
    sa.Column('ends_on', sa.Date(), nullable=True),
    sa.Column('product_id', sa.Uuid(), nullable=True),
    sa.Column('quantity', sa.Numeric(precision=14, scale=3), nullable=True),
    sa.Column('shift', sa.Text(), nullable=True),
    sa.Column('driver_id', sa.Uuid(), nullable=True),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('asked_by_kind', sa.Text(), nullable=False),
    sa.Column('asked_by_id', sa.Uuid(), nullable=True),
    sa.Column('asked_by', sa.Text(), nullable=False),
    sa.Column('via', sa.Text(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('cutoff_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('is_in_time', sa.Boolean(), nullable=False),
    sa.Column('state', sa.Text(), server_default='waiting', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('decided_by', sa.Text(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('effective_on', sa.Date(), nullable=True),
    sa.Column('is_after_cutoff', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('order_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("kind IN ('pause', 'stop', 'extra_product', 'quantity', 'shift', 'driver')", name=op.f('requests_kind_check')),
    sa.CheckConstraint("shift IN ('morning', 'evening')", name=op.f('requests_shift_check')),
    sa.CheckConstraint("state IN ('waiting', 'approved', 'rejected', 'withdrawn', 'expired')", name=op.f('requests_state_check')),
    sa.CheckConstraint('ends_on >= service_on', name=op.f('requests_days_check')),
    sa.CheckConstraint('quantity >= 0', name=op.f('requests_quantity_check')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('requests_customer_id_fkey')),
    sa.ForeignKeyConstraint(['delivery_id'], ['deliveries.id'], name=op.f('requests_delivery_id_fkey')),
    sa.ForeignKeyConstraint(['driver_id'], ['users.id'], name=op.f('requests_driver_id_fkey')),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('requests_order_id_fkey')),
    sa.ForeignKeyConstraint(['product_id'], ['products.id'], name=op.f('requests_product_id_fkey')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('requests_site_id_fkey')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscriptions.id'], name=op.f('requests_subscription_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('requests_pkey')),
    sa.UniqueConstraint('asked_by_kind', 'asked_by_id', 'client_id', name=op.f('requests_asked_by_kind_asked_by_id_client_id_key'), postgresql_nulls_not_distinct=True)
    )
    op.create_index(op.f('requests_customer_id_idx'), 'requests', ['customer_id'], unique=False)
    op.create_index(op.f('requests_delivery_id_idx'), 'requests', ['delivery_id'], unique=False)
    op.create_index(op.f('requests_driver_id_idx'), 'requests', ['driver_id'], unique=False)
    op.create_index(op.f('requests_order_id_idx'), 'requests', ['order_id'], unique=False)
    op.create_index(op.f('requests_product_id_idx'), 'requests', ['product_id'], unique=False)
    op.create_index(op.f('requests_site_id_idx'), 'requests', ['site_id'], unique=False)
    op.create_index(op.f('requests_subscription_id_idx'), 'requests', ['subscription_id'], unique=False)
    op.create_index('requests_waiting_idx', 'requests', ['service_on'], unique=False, postgresql_where="state = 'waiting'")
    op.create_table('round_stops',
    sa.Column('delivery_id', sa.Uuid(), nullable=False),
    sa.Column('round_id', sa.Uuid(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('is_locked', sa.Boolean(), server_default='false', nullable=False),
    sa.Column('is_held', sa.Boolean(), server_default='false', nullable=False),
    sa.CheckConstraint('position >= 1', name=op.f('round_stops_position_check')),
    sa.ForeignKeyConstraint(['delivery_id'], ['deliveries.id'], name=op.f('round_stops_delivery_id_fkey')),
    sa.ForeignKeyConstraint(['round_id'], ['rounds.id'], name=op.f('round_stops_round_id_fkey')),
    sa.PrimaryKeyConstraint('delivery_id', name=op.f('round_stops_pkey')),
    sa.UniqueConstraint('round_id', 'position', deferrable=True, initially='DEFERRED', name=op.f('round_stops_round_id_position_key'))
    )
    op.create_table('delivery_cash',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('event_id', sa.Uuid(), nullable=False),
    sa.Column('delivery_id', sa.Uuid(), nullable=False),
    sa.Column('customer_id', sa.Uuid(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('holder_id', sa.Uuid(), nullable=True),
    sa.Column('taken_on', sa.Date(), nullable=False),
    sa.CheckConstraint('amount_minor >= 0', name=op.f('delivery_cash_amount_minor_check')),
    sa.CheckConstraint('revision >= 1', name=op.f('delivery_cash_revision_check')),
    sa.ForeignKeyConstraint(['delivery_id'], ['deliveries.id'], name=op.f('delivery_cash_delivery_id_fkey')),
    sa.ForeignKeyConstraint(['event_id'], ['delivery_events.id'], name=op.f('delivery_cash_event_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('delivery_cash_pkey')),
    sa.UniqueConstraint('delivery_id', 'revision', name=op.f('delivery_cash_delivery_id_revision_key'))
    )
    op.create_index(op.f('delivery_cash_event_id_idx'), 'delivery_cash', ['event_id'], unique=False)
    op.create_index('delivery_events_photos_idx', 'delivery_events', ['delivery_id'], unique=False, postgresql_where="(told -> 'photos' -> 0) IS NOT NULL")
    op.add_column('messages', sa.Column('about', sa.Text(), nullable=True))
    op.add_column('messages', sa.Column('subject_id', sa.Uuid(), nullable=True))
    op.add_column('messages', sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_index('messages_about_key', 'messages', ['about'], unique=True, postgresql_where='about IS NOT NULL')
    op.create_index('messages_subject_id_idx', 'messages', ['subject_id', 'id'], unique=False, postgresql_where='subject_id IS NOT NULL')
    op.add_column('payments', sa.Column('delivery_id', sa.Uuid(), nullable=True))
    op.add_column('payments', sa.Column('holder_id', sa.Uuid(), nullable=True))
    op.create_index('payments_delivery_id_key', 'payments', ['delivery_id'], unique=True, postgresql_where="state = 'recorded' AND delivery_id IS NOT NULL")
    op.add_column('sites', sa.Column('latitude', sa.Numeric(precision=9, scale=6), nullable=True))
    op.add_column('sites', sa.Column('longitude', sa.Numeric(precision=9, scale=6), nullable=True))
    execute_script(GUARDS)


def downgrade() -> None:
    execute_script(UNGUARD)
    op.drop_column('sites', 'longitude')
    op.drop_column('sites', 'latitude')
    op.drop_index('payments_delivery_id_key', table_name='payments', postgresql_where="state = 'recorded' AND delivery_id IS NOT NULL")
    op.drop_column('payments', 'holder_id')
    op.drop_column('payments', 'delivery_id')
    op.drop_index('messages_subject_id_idx', table_name='messages', postgresql_where='subject_id IS NOT NULL')
    op.drop_index('messages_about_key', table_name='messages', postgresql_where='about IS NOT NULL')
    op.drop_column('messages', 'facts')
    op.drop_column('messages', 'subject_id')
    op.drop_column('messages', 'about')
    op.drop_index('delivery_events_photos_idx', table_name='delivery_events', postgresql_where="(told -> 'photos' -> 0) IS NOT NULL")
    op.drop_index(op.f('delivery_cash_event_id_idx'), table_name='delivery_cash')
    op.drop_table('delivery_cash')
    op.drop_table('round_stops')
    op.drop_index('requests_waiting_idx', table_name='requests', postgresql_where="state = 'waiting'")
    op.drop_index(op.f('requests_subscription_id_idx'), table_name='requests')
    op.drop_index(op.f('requests_site_id_idx'), table_name='requests')
    op.drop_index(op.f('requests_product_id_idx'), table_name='requests')
    op.drop_index(op.f('requests_order_id_idx'), table_name='requests')
    op.drop_index(op.f('requests_driver_id_idx'), table_name='requests')
    op.drop_index(op.f('requests_delivery_id_idx'), table_name='requests')
    op.drop_index(op.f('requests_customer_id_idx'), table_name='requests')
    op.drop_table('requests')
    op.drop_index(op.f('link_uses_link_id_idx'), table_name='link_uses')
    op.drop_table('link_uses')
    op.drop_index('delivery_photos_owner_idx', table_name='delivery_photos', postgresql_where='client_id IS NULL')
    op.drop_index(op.f('delivery_photos_file_id_idx'), table_name='delivery_photos')
    op.drop_table('delivery_photos')
    op.drop_index(op.f('shared_links_site_id_idx'), table_name='shared_links')
    op.drop_index(op.f('shared_links_round_id_idx'), table_name='shared_links')
    op.drop_index(op.f('shared_links_order_id_idx'), table_name='shared_links')
    op.drop_index(op.f('shared_links_first_id_idx'), table_name='shared_links')
    op.drop_table('shared_links')
    op.drop_index(op.f('standing_stops_customer_id_idx'), table_name='standing_stops')
    op.drop_index(op.f('standing_stops_address_id_idx'), table_name='standing_stops')
    op.drop_table('standing_stops')
    op.drop_index(op.f('door_windows_address_id_idx'), table_name='door_windows')
    op.drop_table('door_windows')
    op.drop_table('message_preferences')
    op.drop_index('standing_rounds_driver_key', table_name='standing_rounds', postgresql_where='archived_at IS NULL')
    op.drop_index(op.f('standing_rounds_driver_id_idx'), table_name='standing_rounds')
    op.drop_table('standing_rounds')
    op.drop_index(op.f('rounds_usual_driver_id_idx'), table_name='rounds')
    op.drop_index(op.f('rounds_substitute_id_idx'), table_name='rounds')
    op.drop_index(op.f('rounds_standing_round_id_idx'), table_name='rounds')
    op.drop_index(op.f('rounds_site_id_idx'), table_name='rounds')
    op.drop_index(op.f('rounds_merged_into_id_idx'), table_name='rounds')
    op.drop_index('rounds_driver_id_service_on_idx', table_name='rounds')
    op.drop_index('rounds_day_idx', table_name='rounds')
    op.drop_index('rounds_cut_key', table_name='rounds', postgresql_where='is_cut', postgresql_nulls_not_distinct=True)
    op.drop_table('rounds')
    op.drop_index(op.f('replan_requests_site_id_service_on_idx'), table_name='replan_requests')
    op.drop_table('replan_requests')
    op.drop_index(op.f('cash_settlements_journal_id_idx'), table_name='cash_settlements')
    op.drop_index(op.f('cash_settlements_driver_id_idx'), table_name='cash_settlements')
    op.drop_index(op.f('cash_settlements_business_id_idx'), table_name='cash_settlements')
    op.drop_table('cash_settlements')
    op.drop_table('driver_shifts')
    op.drop_table('unbooked_cash')
    op.drop_table('message_facts')
    op.drop_index(op.f('job_runs_started_at_idx'), table_name='job_runs')
    op.drop_index('job_runs_job_due_at_key', table_name='job_runs')
    op.drop_table('job_runs')
    op.drop_table('job_clocks')
    op.drop_table('files')
    op.drop_table('device_sequences')
