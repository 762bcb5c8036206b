"""The tables and the storage. Importing this knows every table, which is what migrations need."""

from models import conversations, durable, faq, groups, keywords, support

__all__ = ["conversations", "durable", "faq", "groups", "keywords", "support"]
