"""Sessions of the console, and the key under which a ticket's answer stands in the outbox"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0004"
down_revision = "0003"

TEXT = sqlmodel.sql.sqltypes.AutoString


def upgrade() -> None:
    op.create_table(
        "loginlink",
        sa.Column("id", TEXT(), nullable=False),
        sa.Column("contact_id", TEXT(), nullable=False),
        sa.Column("account", TEXT(), nullable=False),
        sa.Column("name", TEXT(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_loginlink_contact_id", "loginlink", ["contact_id"])
    op.create_table(
        "consolesession",
        sa.Column("id", TEXT(), nullable=False),
        sa.Column("contact_id", TEXT(), nullable=False),
        sa.Column("account", TEXT(), nullable=False),
        sa.Column("name", TEXT(), nullable=False),
        sa.Column("csrf", TEXT(), nullable=False),
        sa.Column("address", TEXT(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_consolesession_contact_id", "consolesession", ["contact_id"])
    op.create_index("ix_consolesession_seen_at", "consolesession", ["seen_at"])
    op.add_column("said", sa.Column("outbox_key", TEXT(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("said", "outbox_key")
    op.drop_table("consolesession")
    op.drop_table("loginlink")
