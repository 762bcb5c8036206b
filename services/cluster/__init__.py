"""Several processes on one PostgreSQL: who serves which account, and how the others hear of changes."""
