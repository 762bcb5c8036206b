"""The official channel: cursors, tokens, and what may be said to each customer"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "wecomaccountrow",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("cursor", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("token_until", sa.Float(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "wecomcustomer",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("heard_at", sa.Float(), nullable=False),
        sa.Column("sent", sa.JSON(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("code_until", sa.Float(), nullable=False),
        sa.Column("code_for", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("account", "contact_id"),
    )


def downgrade() -> None:
    op.drop_table("wecomcustomer")
    op.drop_table("wecomaccountrow")
