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
    op.add_column('customers', sa.Column('marketer_id', sa.Uuid(), nullable=True))
    op.add_column('customers', sa.Column('merged_into_id', sa.Uuid(), nullable=True))
    op.create_index(op.f('customers_marketer_id_idx'), 'customers', ['marketer_id'], unique=False)
    op.create_index(op.f('customers_merged_into_id_idx'), 'customers', ['merged_into_id'], unique=False)
    op.create_foreign_key(op.f('customers_merged_into_id_fkey'), 'customers', 'customers', ['merged_into_id'], ['id'])
    op.create_foreign_key(op.f('customers_marketer_id_fkey'), 'customers', 'users', ['marketer_id'], ['id'])
    op.add_column('sessions', sa.Column('kind', sa.Text(), server_default='browser', nullable=False))
    op.add_column('sessions', sa.Column('revoked_reason', sa.Text(), nullable=True))
    execute_script(GUARDS)


def downgrade() -> None:
    execute_script(UNGUARD)
    op.drop_column('sessions', 'revoked_reason')
    op.drop_column('sessions', 'kind')
    op.drop_constraint(op.f('customers_marketer_id_fkey'), 'customers', type_='foreignkey')
    op.drop_constraint(op.f('customers_merged_into_id_fkey'), 'customers', type_='foreignkey')
    op.drop_index(op.f('customers_merged_into_id_idx'), table_name='customers')
    op.drop_index(op.f('customers_marketer_id_idx'), table_name='customers')
    op.drop_column('customers', 'merged_into_id')
    op.drop_column('customers', 'marketer_id')
    op.drop_index('customer_merges_standing_key', table_name='customer_merges', postgresql_where='undone_at IS NULL')
    op.drop_index(op.f('customer_merges_into_id_idx'), table_name='customer_merges')
    op.drop_index(op.f('customer_merges_customer_id_idx'), table_name='customer_merges')
    op.drop_table('customer_merges')
    op.drop_index(op.f('api_keys_site_id_idx'), table_name='api_keys')
    op.drop_index(op.f('api_keys_customer_id_idx'), table_name='api_keys')
    op.drop_index(op.f('api_keys_created_by_id_idx'), table_name='api_keys')
    op.drop_table('api_keys')
    op.drop_index(op.f('refresh_tokens_session_id_idx'), table_name='refresh_tokens')
    op.drop_table('refresh_tokens')
    op.drop_index(op.f('kept_answers_made_at_idx'), table_name='kept_answers')
    op.drop_table('kept_answers')
