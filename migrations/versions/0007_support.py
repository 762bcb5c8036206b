"""Failed flows can be taken up again; a person is offered help a second time"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    text = sqlmodel.sql.sqltypes.AutoString()
    op.add_column("flowrun", sa.Column("call_key", text, nullable=False, server_default=""))
    op.add_column("flowrun", sa.Column("retry_until", sa.Float(), nullable=True))
    op.add_column("fallbacksaid", sa.Column("times", sa.Integer(), nullable=False, server_default="1"))
    op.create_index("ix_flowrun_retry_until", "flowrun", ["retry_until"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_flowrun_retry_until", "flowrun")
    op.drop_column("fallbacksaid", "times")
    op.drop_column("flowrun", "retry_until")
    op.drop_column("flowrun", "call_key")
