"""The tables and the storage. Importing this knows every table, which is what migrations need."""

from models import accounts, conversations, durable, faq, flows, groups, keywords, rules, support

__all__ = ["accounts", "conversations", "durable", "faq", "flows", "groups", "keywords", "rules", "support"]
