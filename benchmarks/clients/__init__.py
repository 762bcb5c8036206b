"""The processes that are measured beside wxbot."""
