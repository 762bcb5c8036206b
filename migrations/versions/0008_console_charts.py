"""The console: daily totals, peaks of the pace, and canned replies that people add"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

TEXT = sa.String


def upgrade() -> None:
    op.create_table(
        "daytotal",
        sa.Column("day", TEXT(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("joins", sa.Integer(), nullable=False),
        sa.Column("leaves", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("tickets", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("first_answer", sa.Float(), nullable=True),
        sa.Column("marks", sa.Integer(), nullable=False),
        sa.Column("mark_sum", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "pacepeak",
        sa.Column("day", TEXT(), nullable=False),
        sa.Column("account", TEXT(), nullable=False),
        sa.Column("kind", TEXT(), nullable=False),
        sa.Column("ratio", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("day", "account", "kind"),
    )
    op.create_table(
        "cannedreply",
        sa.Column("name", TEXT(), nullable=False),
        sa.Column("text", TEXT(), nullable=False),
        sa.Column("by", TEXT(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("ix_dailycount_day", "dailycount", ["day"])
    op.create_index("ix_ticket_opened", "ticket", ["opened_at", "answered_at", "mark"])


def downgrade() -> None:
    op.drop_index("ix_ticket_opened", "ticket")
    op.drop_index("ix_dailycount_day", "dailycount")
    op.drop_table("cannedreply")
    op.drop_table("pacepeak")
    op.drop_table("daytotal")
