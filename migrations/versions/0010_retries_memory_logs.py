"""Keep what a job was tried again for, the memory of jobs and workers, past trainings' speed and memory, and logs.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.add_column(sa.Column('retry_of', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('memory_bytes', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('passed_over_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_jobs_retry_of', 'jobs', ['retry_of'])
    with op.batch_alter_table('workers', schema=None) as batch_op:
        batch_op.add_column(sa.Column('device_name', sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column('memory_bytes', sa.BigInteger(), nullable=True))
    op.create_table(
        'job_logs',
        sa.Column('job_id', sa.String(length=40), nullable=False),
        sa.Column('start', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('end', sa.BigInteger(), nullable=False),
        sa.Column('text', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_job_logs_job_id_jobs'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('job_id', 'start', name=op.f('pk_job_logs')),
    )
    op.create_table(
        'measurements',
        sa.Column('id', sa.String(length=64), nullable=False),
        sa.Column('device_name', sa.String(length=200), nullable=False),
        sa.Column('encoder', sa.String(length=64), nullable=False),
        sa.Column('stem', sa.String(length=16), nullable=False),
        sa.Column('task', sa.String(length=64), nullable=False),
        sa.Column('image_size', sa.Integer(), nullable=False),
        sa.Column('clip_frames', sa.Integer(), nullable=True),
        sa.Column('batch_size', sa.Integer(), nullable=False),
        sa.Column('precision', sa.String(length=8), nullable=False),
        sa.Column('trainings', sa.Integer(), nullable=False),
        sa.Column('samples', sa.BigInteger(), nullable=False),
        sa.Column('seconds', sa.Double(), nullable=False),
        sa.Column('flops', sa.Double(), nullable=False),
        sa.Column('memory_bytes', sa.BigInteger(), nullable=False),
        sa.Column('measured_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_measurements')),
    )
    op.create_index('ix_measurements_device_name', 'measurements', ['device_name'])


def downgrade() -> None:
    op.drop_index('ix_measurements_device_name', 'measurements')
    op.drop_table('measurements')
    op.drop_table('job_logs')
    with op.batch_alter_table('workers', schema=None) as batch_op:
        batch_op.drop_column('memory_bytes')
        batch_op.drop_column('device_name')
    op.drop_index('ix_jobs_retry_of', 'jobs')
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        for name in ('passed_over_at', 'memory_bytes', 'retry_of'):
            batch_op.drop_column(name)
