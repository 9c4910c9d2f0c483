"""Keep what evaluate jobs find out.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

Json = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')


def upgrade() -> None:
    op.create_table(
        'evaluations',
        sa.Column('id', sa.String(length=40), nullable=False),
        sa.Column('job_id', sa.String(length=40), nullable=False),
        sa.Column('model_id', sa.String(length=40), nullable=False),
        sa.Column('dataset_id', sa.String(length=40), nullable=True),
        sa.Column('sentence', sa.String(length=2000), nullable=False),
        sa.Column('metrics', Json, nullable=False),
        sa.Column('report', Json, nullable=False),
        sa.Column('files', Json, nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('metadata', Json, nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_evaluations')),
        sa.UniqueConstraint('job_id', name=op.f('uq_evaluations_job_id')),
    )
    op.create_index('ix_evaluations_model_id', 'evaluations', ['model_id'])
    op.create_index('ix_evaluations_dataset_id', 'evaluations', ['dataset_id'])
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.add_column(sa.Column('evaluation_id', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('evaluate', Json, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.drop_column('evaluate')
        batch_op.drop_column('evaluation_id')
    op.drop_table('evaluations')
