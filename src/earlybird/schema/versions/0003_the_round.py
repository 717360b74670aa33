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
    op.add_column('messages', sa.Column('about', sa.Text(), nullable=True))
    op.add_column('messages', sa.Column('subject_id', sa.Uuid(), nullable=True))
    op.add_column('messages', sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_index('messages_about_key', 'messages', ['about'], unique=True, postgresql_where='about IS NOT NULL')
    op.create_index('messages_subject_id_idx', 'messages', ['subject_id', 'id'], unique=False, postgresql_where='subject_id IS NOT NULL')
    execute_script(GUARDS)


def downgrade() -> None:
    execute_script(UNGUARD)
    op.drop_index('messages_subject_id_idx', table_name='messages', postgresql_where='subject_id IS NOT NULL')
    op.drop_index('messages_about_key', table_name='messages', postgresql_where='about IS NOT NULL')
    op.drop_column('messages', 'facts')
    op.drop_column('messages', 'subject_id')
    op.drop_column('messages', 'about')
    op.drop_table('round_stops')
    op.drop_table('message_preferences')
    op.drop_index(op.f('rounds_substitute_id_idx'), table_name='rounds')
    op.drop_index(op.f('rounds_standing_round_id_idx'), table_name='rounds')
    op.drop_index(op.f('rounds_site_id_idx'), table_name='rounds')
    op.drop_index('rounds_driver_id_service_on_idx', table_name='rounds')
    op.drop_index('rounds_day_idx', table_name='rounds')
    op.drop_table('rounds')
    op.drop_table('message_facts')
    op.drop_index(op.f('job_runs_started_at_idx'), table_name='job_runs')
    op.drop_index('job_runs_job_due_at_key', table_name='job_runs')
    op.drop_table('job_runs')
    op.drop_table('job_clocks')
