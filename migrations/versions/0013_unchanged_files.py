"""Let an upload leave out the files that an earlier dataset has.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('datasets', schema=None) as batch_op:
        batch_op.add_column(sa.Column('base_dataset_id', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('files_key', sa.String(length=200), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('datasets', schema=None) as batch_op:
        batch_op.drop_column('files_key')
        batch_op.drop_column('base_dataset_id')
