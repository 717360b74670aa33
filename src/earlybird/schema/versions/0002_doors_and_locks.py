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
    op.add_column('sessions', sa.Column('kind', sa.Text(), server_default='browser', nullable=False))
    op.add_column('sessions', sa.Column('revoked_reason', sa.Text(), nullable=True))
    execute_script(GUARDS)


def downgrade() -> None:
    execute_script(UNGUARD)
    op.drop_column('sessions', 'revoked_reason')
    op.drop_column('sessions', 'kind')
    op.drop_index(op.f('api_keys_site_id_idx'), table_name='api_keys')
    op.drop_index(op.f('api_keys_customer_id_idx'), table_name='api_keys')
    op.drop_index(op.f('api_keys_created_by_id_idx'), table_name='api_keys')
    op.drop_table('api_keys')
    op.drop_index(op.f('refresh_tokens_session_id_idx'), table_name='refresh_tokens')
    op.drop_table('refresh_tokens')
    op.drop_table('import_rejections')
    op.drop_index(op.f('kept_answers_made_at_idx'), table_name='kept_answers')
    op.drop_table('kept_answers')
