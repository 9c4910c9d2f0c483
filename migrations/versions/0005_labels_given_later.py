"""Keep labels that are given to a dataset later, and which of them a job works with.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

Json = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')


def upgrade() -> None:
    with op.batch_alter_table('datasets', schema=None) as batch_op:
        batch_op.add_column(sa.Column('label_file', Json, nullable=True))
        batch_op.add_column(sa.Column('label_files_kept', Json, nullable=True))
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.add_column(sa.Column('labels', Json, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.drop_column('labels')
    with op.batch_alter_table('datasets', schema=None) as batch_op:
        batch_op.drop_column('label_files_kept')
        batch_op.drop_column('label_file')
