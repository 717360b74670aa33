"""Reversible steps: what a step keeps to take itself back, decisions by hand, backups, stopped writing.

Why: live data is changed without fear only when every change can be undone without loss.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

GUARDS = Path(__file__).parent.parent / "reversible_steps.sql"
UNGUARD = Path(__file__).parent.parent / "reversible_steps_down.sql"


def execute_script(path: Path) -> None:
    """Run several statements at once, as the driver allows without parameters."""
    op.get_bind().connection.driver_connection.execute(path.read_text(encoding="utf-8"))


def upgrade() -> None:
    op.create_table('backups',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('place', sa.Text(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('schema_version', sa.Text(), nullable=False),
    sa.Column('byte_count', sa.BigInteger(), nullable=False),
    sa.Column('is_encrypted', sa.Boolean(), nullable=False),
    sa.Column('manifest_digest', sa.Text(), nullable=False),
    sa.Column('drilled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('is_proven', sa.Boolean(), nullable=True),
    sa.Column('proof', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('removed_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('backups_pkey')),
    sa.UniqueConstraint('name', name=op.f('backups_name_key'))
    )
    op.create_table('worklist_choices',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('subject_id', sa.Uuid(), nullable=False),
    sa.Column('choice', sa.Text(), nullable=False),
    sa.Column('target_id', sa.Uuid(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('before', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('after', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('made_by', sa.Text(), nullable=False),
    sa.Column('undone_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('undone_by', sa.Text(), nullable=True),
    sa.Column('undone_reason', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('worklist_choices_pkey'))
    )
    op.create_index('worklist_choices_standing_key', 'worklist_choices', ['subject_id'], unique=True, postgresql_where='undone_at IS NULL')
    op.create_table('write_stops',
    sa.Column('id', sa.Uuid(), server_default=sa.text('new_id()'), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('actor_name', sa.Text(), nullable=False),
    sa.Column('stopped_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('lifted_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('write_stops_pkey'))
    )
    op.create_index(op.f('deliveries_driver_id_idx'), 'deliveries', ['driver_id'], unique=False, postgresql_where='driver_id IS NOT NULL')
    op.create_index('legacy_deliveries_undecided_idx', 'legacy_deliveries', ['id'], unique=False, postgresql_where="verdict IN ('ambiguous', 'contradictory')")
    op.create_index(op.f('orders_driver_id_idx'), 'orders', ['driver_id'], unique=False, postgresql_where='driver_id IS NOT NULL')
    op.create_index(op.f('orders_placed_by_id_idx'), 'orders', ['placed_by_id'], unique=False, postgresql_where='placed_by_id IS NOT NULL')
    op.add_column('step_residue', sa.Column('position', sa.Integer(), server_default='0', nullable=False))
    op.add_column('step_residue', sa.Column('keys', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True))
    op.add_column('step_residue', sa.Column('after', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True))
    op.add_column('step_residue', sa.Column('reverted_at', sa.DateTime(timezone=True), nullable=True))
    op.alter_column('step_residue', 'ids',
               existing_type=postgresql.ARRAY(sa.UUID()),
               nullable=True)
    op.add_column('steps', sa.Column('wish', sa.Text(), nullable=True))
    execute_script(GUARDS)


def downgrade() -> None:
    execute_script(UNGUARD)
    op.drop_column('steps', 'wish')
    op.alter_column('step_residue', 'ids',
               existing_type=postgresql.ARRAY(sa.UUID()),
               nullable=False)
    op.drop_column('step_residue', 'reverted_at')
    op.drop_column('step_residue', 'after')
    op.drop_column('step_residue', 'keys')
    op.drop_column('step_residue', 'position')
    op.drop_index(op.f('orders_placed_by_id_idx'), table_name='orders', postgresql_where='placed_by_id IS NOT NULL')
    op.drop_index(op.f('orders_driver_id_idx'), table_name='orders', postgresql_where='driver_id IS NOT NULL')
    op.drop_index('legacy_deliveries_undecided_idx', table_name='legacy_deliveries', postgresql_where="verdict IN ('ambiguous', 'contradictory')")
    op.drop_index(op.f('deliveries_driver_id_idx'), table_name='deliveries', postgresql_where='driver_id IS NOT NULL')
    op.drop_table('write_stops')
    op.drop_index('worklist_choices_standing_key', table_name='worklist_choices', postgresql_where='undone_at IS NULL')
    op.drop_table('worklist_choices')
    op.drop_table('backups')
