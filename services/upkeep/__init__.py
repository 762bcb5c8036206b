"""The job log, and the removal of old rows."""
