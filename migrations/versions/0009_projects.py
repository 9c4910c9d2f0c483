"""Give everything a project; members, scopes of keys, quotas, usage and the audit log.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

Json = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')
DEFAULT = 'proj_default'
OWNED = ('api_keys', 'datasets', 'embeddings', 'evaluations', 'jobs', 'models', 'uploads')
REPEATABLE = ('datasets', 'jobs', 'models')


def upgrade() -> None:
    projects = op.create_table(
        'projects',
        sa.Column('id', sa.String(length=40), nullable=False),
        sa.Column('name', sa.String(length=200), nullable=False),
        sa.Column('operator', sa.Boolean(), nullable=False),
        sa.Column('most_bytes', sa.BigInteger(), nullable=True),
        sa.Column('most_running', sa.Integer(), nullable=True),
        sa.Column('most_gpu_seconds', sa.BigInteger(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_projects')),
    )
    op.bulk_insert(
        projects,
        [{'id': DEFAULT, 'name': 'default', 'operator': True, 'created_at': sa.func.current_timestamp()}],
        multiinsert=False,
    )
    op.create_table(
        'members',
        sa.Column('id', sa.String(length=40), nullable=False),
        sa.Column('name', sa.String(length=200), nullable=False),
        sa.Column('email', sa.String(length=320), nullable=True),
        sa.Column('role', sa.String(length=8), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('project_id', sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_members')),
    )
    op.create_table(
        'usage',
        sa.Column('project_id', sa.String(length=40), nullable=False),
        sa.Column('day', sa.String(length=10), nullable=False),
        sa.Column('device', sa.String(length=8), nullable=False),
        sa.Column('seconds', sa.Double(), nullable=False),
        sa.Column('jobs', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_usage_project_id_projects'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('project_id', 'day', 'device', name=op.f('pk_usage')),
    )
    op.create_table(
        'audit_entries',
        sa.Column('id', sa.String(length=40), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('key_id', sa.String(length=40), nullable=True),
        sa.Column('action', sa.String(length=64), nullable=False),
        sa.Column('outcome', sa.String(length=16), nullable=False),
        sa.Column('subjects', Json, nullable=False),
        sa.Column('request_id', sa.String(length=64), nullable=True),
        sa.Column('address', sa.String(length=64), nullable=True),
        sa.Column('project_id', sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_entries')),
    )
    op.create_index('ix_audit_entries_project_id_id', 'audit_entries', ['project_id', 'id'])
    for table in OWNED:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column('project_id', sa.String(length=40), server_default=DEFAULT, nullable=False))
            if table in REPEATABLE:
                batch_op.drop_constraint(f'uq_{table}_idempotency_key', type_='unique')
                batch_op.create_unique_constraint(f'uq_{table}_project_id', ['project_id', 'idempotency_key'])
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column('project_id', server_default=None)
        op.create_index(f'ix_{table}_project_id_id', table, ['project_id', 'id'])
    with op.batch_alter_table('api_keys', schema=None) as batch_op:
        batch_op.add_column(sa.Column('prefix', sa.String(length=20), server_default='', nullable=False))
        batch_op.add_column(sa.Column('scope', sa.String(length=8), server_default='admin', nullable=False))
        batch_op.add_column(sa.Column('member_id', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_foreign_key(op.f('fk_api_keys_member_id_members'), 'members', ['member_id'], ['id'], ondelete='CASCADE')
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.add_column(sa.Column('claimed_at', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.drop_column('claimed_at')
    with op.batch_alter_table('api_keys', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('fk_api_keys_member_id_members'), type_='foreignkey')
        for name in ('last_used_at', 'expires_at', 'member_id', 'scope', 'prefix'):
            batch_op.drop_column(name)
    for table in OWNED:
        op.drop_index(f'ix_{table}_project_id_id', table)
        with op.batch_alter_table(table, schema=None) as batch_op:
            if table in REPEATABLE:
                batch_op.drop_constraint(f'uq_{table}_project_id', type_='unique')
                batch_op.create_unique_constraint(f'uq_{table}_idempotency_key', ['idempotency_key'])
            batch_op.drop_column('project_id')
    for table in ('audit_entries', 'usage', 'members', 'projects'):
        op.drop_table(table)
