"""Keep where an exported encoder ends, and what it was made from.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('models', schema=None) as batch_op:
        batch_op.add_column(sa.Column('ends_at', sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column('made_from', sa.String(length=40), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('models', schema=None) as batch_op:
        batch_op.drop_column('made_from')
        batch_op.drop_column('ends_at')
