"""Several processes: members, leases, versions of what is shared; the account that promised work belongs to"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

OPEN_EVENTS = sa.text("state = 'new'")
OPEN_WORK = sa.text("state in ('queued', 'sending')")


def upgrade() -> None:
    op.create_table(
        "member",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("advertise", sa.String(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("draining", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "accountlease",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("member", sa.String(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_index("ix_accountlease_member", "accountlease", ["member"])
    op.create_table(
        "sharedversion",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind"),
    )
    op.add_column("outboxitem", sa.Column("account", sa.String(), nullable=False, server_default=""))
    _tell_accounts()
    _index("outboxitem", "ix_outbox_open", OPEN_WORK)
    _index("inboxevent", "ix_inbox_open", OPEN_EVENTS)


def _tell_accounts() -> None:
    """Of open work only: what is done is never taken up again."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    told = "json_extract(body, '$.data.assistant')" if sqlite else "body::json -> 'data' ->> 'assistant'"
    op.execute(f"update outboxitem set account = coalesce({told}, '') where {OPEN_WORK} and queue like 'hook:%'")
    rest = "substr(queue, instr(queue, ':') + 1)" if sqlite else "substr(queue, position(':' in queue) + 1)"
    op.execute(f"update outboxitem set account = {rest} where {OPEN_WORK} and queue not like 'hook:%'")


def _index(table: str, name: str, condition: sa.TextClause) -> None:
    op.drop_index(name, table_name=table)
    op.create_index(name, table, ["account"], sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    for table, name, condition in (
        ("inboxevent", "ix_inbox_open", OPEN_EVENTS),
        ("outboxitem", "ix_outbox_open", OPEN_WORK),
    ):
        op.drop_index(name, table_name=table)
        op.create_index(name, table, ["state"], sqlite_where=condition, postgresql_where=condition)
    op.drop_column("outboxitem", "account")
    op.drop_table("sharedversion")
    op.drop_index("ix_accountlease_member", table_name="accountlease")
    op.drop_table("accountlease")
    op.drop_table("member")
