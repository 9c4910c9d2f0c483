"""Keep uploads that arrive over several requests.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'uploads',
        sa.Column('id', sa.String(length=40), nullable=False),
        sa.Column('filename', sa.String(length=500), nullable=False),
        sa.Column('bytes', sa.BigInteger(), nullable=False),
        sa.Column('metadata', sa.String(length=4096), nullable=False),
        sa.Column('unverified_from', sa.BigInteger(), nullable=True),
        sa.Column('wanted_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('dataset_id', sa.String(length=40), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_uploads')),
    )
    op.create_index('ix_uploads_expires_at', 'uploads', ['expires_at'])
    with op.batch_alter_table('datasets', schema=None) as batch_op:
        batch_op.add_column(sa.Column('upload_id', sa.String(length=40), nullable=True))
        batch_op.alter_column('upload_sha256', existing_type=sa.String(length=64), nullable=True)


def downgrade() -> None:
    op.execute("UPDATE datasets SET upload_sha256 = '' WHERE upload_sha256 IS NULL")
    with op.batch_alter_table('datasets', schema=None) as batch_op:
        batch_op.alter_column('upload_sha256', existing_type=sa.String(length=64), nullable=False)
        batch_op.drop_column('upload_id')
    op.drop_table('uploads')
