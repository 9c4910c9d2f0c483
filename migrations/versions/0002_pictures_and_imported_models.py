"""Keep pictures of trainings, and take models that no job has made.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('job_pictures',
    sa.Column('job_id', sa.String(length=40), nullable=False),
    sa.Column('epoch', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('step', sa.BigInteger(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=200), nullable=False),
    sa.Column('bytes', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('height', sa.Integer(), nullable=False),
    sa.Column('caption', sa.String(length=1000), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_job_pictures_job_id_jobs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('job_id', 'epoch', name=op.f('pk_job_pictures'))
    )
    with op.batch_alter_table('models', schema=None) as batch_op:
        batch_op.alter_column('job_id', existing_type=sa.String(length=40), nullable=True)
        batch_op.add_column(sa.Column('idempotency_key', sa.String(length=255), nullable=True))
        batch_op.create_unique_constraint(op.f('uq_models_idempotency_key'), ['idempotency_key'])


def downgrade() -> None:
    op.execute("DELETE FROM model_files WHERE model_id IN (SELECT id FROM models WHERE job_id IS NULL)")
    op.execute("DELETE FROM models WHERE job_id IS NULL")
    with op.batch_alter_table('models', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('uq_models_idempotency_key'), type_='unique')
        batch_op.drop_column('idempotency_key')
        batch_op.alter_column('job_id', existing_type=sa.String(length=40), nullable=False)
    op.drop_table('job_pictures')
