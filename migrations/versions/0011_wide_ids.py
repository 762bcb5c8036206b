"""64-bit ids of what grows with every message: events, work, the audit log, what was said

On PostgreSQL only: SQLite's integers have 64 bits. The tables are rewritten, which takes about a second for a million
rows, during which nothing is written to them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

IDS = ("inboxevent", "outboxitem", "action", "said")
REFERENCES = (("broadcasttarget", "message"), ("ticket", "told"))


def upgrade() -> None:
    _retype("BIGINT")


def downgrade() -> None:
    _retype("INTEGER")


def _retype(kind: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table, column in (*((table, "id") for table in IDS), *REFERENCES):
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}")
    for table in IDS:
        sequence = connection.execute(sa.text("SELECT pg_get_serial_sequence(:table, 'id')"), {"table": table}).scalar()
        op.execute(f"ALTER SEQUENCE {sequence} AS {kind}")
