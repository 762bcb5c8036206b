"""The tables and the storage. Importing this knows every table, which is what migrations need."""

from models import (
    accounts,
    console,
    conversations,
    durable,
    faq,
    flows,
    groups,
    keywords,
    rules,
    statistics,
    support,
    wecom,
)

__all__ = [
    "accounts",
    "console",
    "conversations",
    "durable",
    "faq",
    "flows",
    "groups",
    "keywords",
    "rules",
    "statistics",
    "support",
    "wecom",
]
