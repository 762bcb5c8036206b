"""Whether the admin who sent a broadcast was told how it went"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("broadcast", sa.Column("reported", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(sa.text("update broadcast set reported = true"))
