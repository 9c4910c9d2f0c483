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
NOTED_BEFORE = tuple((table, 'metadata') for table in ('jobs', 'datasets', 'models', 'evaluations', 'embeddings', 'webhooks'))
OF_PROJECT = ['project_id', 'id']
INDEXES = [
    ('jobs', 'ix_jobs_project_id_id', [*OF_PROJECT, 'created_at'], OF_PROJECT),
    ('audit_entries', 'ix_audit_entries_project_id_id', [*OF_PROJECT, 'at'], OF_PROJECT),
    *(('jobs', f'ix_jobs_project_id_{column}', ['project_id', column, 'id'], None) for column in ('state', 'kind', 'task')),
    ('jobs', 'ix_jobs_dataset_id', ['dataset_id', *OF_PROJECT], ['dataset_id']),
    ('jobs', 'ix_jobs_model_id', ['model_id', *OF_PROJECT], None),
    ('jobs', 'ix_jobs_retry_of', ['retry_of', *OF_PROJECT], ['retry_of']),
    *(('models', f'ix_models_project_id_{column}', ['project_id', column, 'id'], None) for column in ('task', 'name')),
    *(('models', f'ix_models_{column}', [column, *OF_PROJECT], None) for column in ('dataset_id', 'made_from')),
    *(('datasets', f'ix_datasets_project_id_{column}', ['project_id', column, 'id'], None) for column in ('state', 'name')),
    *(
        (table, f'ix_{table}_{column}', [column, *OF_PROJECT], [column])
        for table in ('evaluations', 'embeddings')
        for column in ('model_id', 'dataset_id')
    ),
]
"""Each with its table, its columns, and those that it had before."""
ENTRIES = {
    'sqlite': (
        'INSERT INTO notes (record_id, key, kind, value, project_id) '
        "SELECT {table}.id, entry.key, '{table}', entry.value, {table}.project_id FROM {table}, json_each({table}.{column}) AS entry "
        'WHERE length(entry.key) <= 40 AND length(entry.value) <= 500'
    ),
    'postgresql': (
        'INSERT INTO notes (record_id, key, kind, value, project_id) '
        "SELECT {table}.id, entry.key, '{table}', entry.value, {table}.project_id FROM {table}, jsonb_each_text({table}.{column}) AS entry "
        'WHERE length(entry.key) <= 40 AND length(entry.value) <= 500'
    ),
}
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
    for table, name, columns, before in INDEXES:
        if before:
            op.drop_index(name, table)
        op.create_index(name, table, columns)
    op.create_table(
        'notes',
        sa.Column('record_id', sa.String(length=40), nullable=False),
        sa.Column('key', sa.String(length=40), nullable=False),
        sa.Column('kind', sa.String(length=40), nullable=False),
        sa.Column('value', sa.String(length=500), nullable=False),
        sa.Column('project_id', sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint('record_id', 'key', name=op.f('pk_notes')),
    )
    for table, column in NOTED_BEFORE:
        op.execute(ENTRIES[dialect].format(table=table, column=column))
    op.create_index('ix_notes_project_id', 'notes', ['project_id', 'kind', 'key', 'value', 'record_id'])


def downgrade() -> None:
    op.drop_table('notes')
    for table, name, _, before in reversed(INDEXES):
        op.drop_index(name, table)
        if before:
            op.create_index(name, table, before)
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.drop_column('task')
    for table, column in NOTED.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column(column)
    op.drop_table('chores')
    op.drop_table('model_aliases')
