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
    op.create_table('unbooked_cash',
    sa.Column('cash_id', sa.Uuid(), nullable=False),
    sa.PrimaryKeyConstraint('cash_id', name=op.f('unbooked_cash_pkey'))
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
    op.create_table('rounds',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('site_id', sa.Uuid(), nullable=False),
    sa.Column('service_on', sa.Date(), nullable=False),
    sa.Column('shift', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('driver_id', sa.Uuid(), nullable=True),
    sa.Column('substitute_id', sa.Uuid(), nullable=True),
    sa.Column('standing_round_id', sa.Uuid(), nullable=True),
    sa.Column('state', sa.Text(), server_default='planned', nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("shift IN ('morning', 'evening')", name=op.f('rounds_shift_check')),
    sa.CheckConstraint("state IN ('planned', 'out', 'done', 'cancelled')", name=op.f('rounds_state_check')),
    sa.ForeignKeyConstraint(['driver_id'], ['users.id'], name=op.f('rounds_driver_id_fkey')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('rounds_site_id_fkey')),
    sa.ForeignKeyConstraint(['substitute_id'], ['users.id'], name=op.f('rounds_substitute_id_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('rounds_pkey'))
    )
    op.create_index('rounds_day_idx', 'rounds', ['service_on', 'site_id'], unique=False)
    op.create_index('rounds_driver_id_service_on_idx', 'rounds', ['driver_id', 'service_on'], unique=False)
    op.create_index(op.f('rounds_site_id_idx'), 'rounds', ['site_id'], unique=False)
    op.create_index(op.f('rounds_standing_round_id_idx'), 'rounds', ['standing_round_id'], unique=False)
    op.create_index(op.f('rounds_substitute_id_idx'), 'rounds', ['substitute_id'], unique=False)
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
    op.create_table('round_stops',
    sa.Column('delivery_id', sa.Uuid(), nullable=False),
    sa.Column('round_id', sa.Uuid(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('is_locked', sa.Boolean(), server_default='false', nullable=False),
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
    op.create_table('delivery_event_photos',
    sa.Column('event_id', sa.Uuid(), nullable=False),
    sa.Column('photo', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['event_id'], ['delivery_events.id'], name=op.f('delivery_event_photos_event_id_fkey')),
    sa.PrimaryKeyConstraint('event_id', 'photo', name=op.f('delivery_event_photos_pkey'))
    )
    op.create_index(op.f('delivery_event_photos_photo_idx'), 'delivery_event_photos', ['photo'], unique=False)
    op.create_index('delivery_events_photos_idx', 'delivery_events', ['delivery_id'], unique=False, postgresql_where="(told -> 'photos' -> 0) IS NOT NULL")
    op.add_column('payments', sa.Column('delivery_id', sa.Uuid(), nullable=True))
    op.add_column('payments', sa.Column('holder_id', sa.Uuid(), nullable=True))
    op.create_index('payments_delivery_id_key', 'payments', ['delivery_id'], unique=True, postgresql_where="state = 'recorded' AND delivery_id IS NOT NULL")
    execute_script(GUARDS)


def downgrade() -> None:
    execute_script(UNGUARD)
    op.drop_index('payments_delivery_id_key', table_name='payments', postgresql_where="state = 'recorded' AND delivery_id IS NOT NULL")
    op.drop_column('payments', 'holder_id')
    op.drop_column('payments', 'delivery_id')
    op.drop_index('delivery_events_photos_idx', table_name='delivery_events', postgresql_where="(told -> 'photos' -> 0) IS NOT NULL")
    op.drop_index(op.f('delivery_event_photos_photo_idx'), table_name='delivery_event_photos')
    op.drop_table('delivery_event_photos')
    op.drop_index(op.f('delivery_cash_event_id_idx'), table_name='delivery_cash')
    op.drop_table('delivery_cash')
    op.drop_table('round_stops')
    op.drop_index('delivery_photos_owner_idx', table_name='delivery_photos', postgresql_where='client_id IS NULL')
    op.drop_index(op.f('delivery_photos_file_id_idx'), table_name='delivery_photos')
    op.drop_table('delivery_photos')
    op.drop_index(op.f('rounds_substitute_id_idx'), table_name='rounds')
    op.drop_index(op.f('rounds_standing_round_id_idx'), table_name='rounds')
    op.drop_index(op.f('rounds_site_id_idx'), table_name='rounds')
    op.drop_index('rounds_driver_id_service_on_idx', table_name='rounds')
    op.drop_index('rounds_day_idx', table_name='rounds')
    op.drop_table('rounds')
    op.drop_index(op.f('cash_settlements_journal_id_idx'), table_name='cash_settlements')
    op.drop_index(op.f('cash_settlements_driver_id_idx'), table_name='cash_settlements')
    op.drop_index(op.f('cash_settlements_business_id_idx'), table_name='cash_settlements')
    op.drop_table('cash_settlements')
    op.drop_table('unbooked_cash')
    op.drop_table('files')
    op.drop_table('device_sequences')
