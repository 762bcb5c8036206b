"""Tickets know when they were shown, answered and reminded of; embeddings of listed texts"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0005"
down_revision = "0004"

_FLOATS = ("announced_at", "reminded_at", "quiet_seconds", "not_before")


def upgrade() -> None:
    with op.batch_alter_table("ticket") as ticket:
        ticket.add_column(sa.Column("answered_at", sa.Float(), nullable=True))
        for name in _FLOATS:
            ticket.add_column(sa.Column(name, sa.Float(), nullable=False, server_default="0"))
        for name in ("reminders", "refusals"):
            ticket.add_column(sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("ticket") as ticket:
        for name in (*_FLOATS, "reminders", "refusals"):
            ticket.alter_column(name, server_default=None)
    # tickets with an assignee have been answered
    op.execute("update ticket set answered_at = last_at where staff_id != ''")
    op.create_table(
        "textembedding",
        sa.Column("key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
