"""Durable work: the inbox, the outbox and their queues."""
