"""The tables and the storage. Importing this knows every table, which is what migrations need."""

from models import durable, groups

__all__ = ["durable", "groups"]
