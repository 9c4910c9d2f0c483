"""Metadata for everything, aliases of models, chores of workers, and indexes for what lists are narrowed by.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None

Json = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')
NOTED = {'api_keys': 'metadata', 'members': 'metadata', 'projects': 'metadata', 'uploads': 'notes'}
JOBS_BY = ('state', 'kind', 'task', 'created_at')
TASK = {'sqlite': "json_extract(spec, '$.task.name')", 'postgresql': "spec -> 'task' ->> 'name'"}


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    op.create_table(
        'model_aliases',
        sa.Column('id', sa.String(length=40), nullable=False),
        sa.Column('name', sa.String(length=64), nullable=False),
        sa.Column('model_id', sa.String(length=40), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('project_id', sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(['model_id'], ['models.id'], name=op.f('fk_model_aliases_model_id_models')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_model_aliases')),
        sa.UniqueConstraint('project_id', 'name', name='uq_model_aliases_project_id'),
    )
    op.create_index('ix_model_aliases_model_id', 'model_aliases', ['model_id'])
    op.create_table(
        'chores',
        sa.Column('name', sa.String(length=40), nullable=False),
        sa.Column('holder', sa.String(length=40), nullable=True),
        sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
        sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_chores')),
    )
    for table, column in NOTED.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column(column, Json, server_default='{}', nullable=False))
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column(column, server_default=None)
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.add_column(sa.Column('task', sa.String(length=40), nullable=True))
    op.execute(f'UPDATE jobs SET task = {TASK[dialect]}')
    op.drop_index('ix_jobs_dataset_id', 'jobs')
    op.create_index('ix_jobs_dataset_id', 'jobs', ['dataset_id', 'id'])
    op.create_index('ix_jobs_model_id', 'jobs', ['model_id', 'id'])
    for column in JOBS_BY:
        op.create_index(f'ix_jobs_project_id_{column}', 'jobs', ['project_id', column, 'id'])


def downgrade() -> None:
    for column in JOBS_BY:
        op.drop_index(f'ix_jobs_project_id_{column}', 'jobs')
    op.drop_index('ix_jobs_model_id', 'jobs')
    op.drop_index('ix_jobs_dataset_id', 'jobs')
    op.create_index('ix_jobs_dataset_id', 'jobs', ['dataset_id'])
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.drop_column('task')
    for table, column in NOTED.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column(column)
    op.drop_table('chores')
    op.drop_table('model_aliases')
