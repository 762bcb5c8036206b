"""Processes that are measured beside wxbot."""
