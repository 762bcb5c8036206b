"""Several processes on one PostgreSQL: leases on accounts, and notifications of changes."""
