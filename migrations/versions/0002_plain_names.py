"""Plain names, the rooms that were there before one was asked for, tries of events"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.rename_table("standing", "memberrecord")
    op.rename_table("befriended", "becamefriend")
    if op.get_bind().dialect.name == "postgresql":  # PostgreSQL keeps the constraint names of the old tables
        op.execute("ALTER TABLE memberrecord RENAME CONSTRAINT standing_number_fkey TO memberrecord_number_fkey")
        op.execute("ALTER TABLE memberrecord RENAME CONSTRAINT standing_pkey TO memberrecord_pkey")
        op.execute("ALTER TABLE becamefriend RENAME CONSTRAINT befriended_pkey TO becamefriend_pkey")
    with op.batch_alter_table("outboxitem", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outboxitem_lane"))
        batch_op.alter_column("lane", new_column_name="queue")
    with op.batch_alter_table("outboxitem", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outboxitem_queue"), ["queue"], unique=False)
    with op.batch_alter_table("inboxevent", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("inboxevent", schema=None) as batch_op:
        batch_op.alter_column("tries", server_default=None)
        parked = sa.text("state = 'parked'")
        batch_op.create_index("ix_inbox_parked", ["state"], sqlite_where=parked, postgresql_where=parked)
    with op.batch_alter_table("qunroom", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seen_before", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("qunroom", schema=None) as batch_op:
        batch_op.alter_column("seen_before", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("inboxevent", schema=None) as batch_op:
        batch_op.drop_index("ix_inbox_parked")
        batch_op.drop_column("tries")
    with op.batch_alter_table("qunroom", schema=None) as batch_op:
        batch_op.drop_column("seen_before")
    with op.batch_alter_table("outboxitem", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outboxitem_queue"))
        batch_op.alter_column("queue", new_column_name="lane")
    with op.batch_alter_table("outboxitem", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outboxitem_lane"), ["lane"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE becamefriend RENAME CONSTRAINT becamefriend_pkey TO befriended_pkey")
        op.execute("ALTER TABLE memberrecord RENAME CONSTRAINT memberrecord_pkey TO standing_pkey")
        op.execute("ALTER TABLE memberrecord RENAME CONSTRAINT memberrecord_number_fkey TO standing_number_fkey")
    op.rename_table("becamefriend", "befriended")
    op.rename_table("memberrecord", "standing")
