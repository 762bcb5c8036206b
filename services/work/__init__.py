"""Durable work: inbox, outbox and their queues."""
