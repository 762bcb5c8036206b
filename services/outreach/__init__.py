"""Outgoing messages at scale: broadcasts, timed messages, reports, and messages requested by REST."""
