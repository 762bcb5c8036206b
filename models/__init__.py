"""The tables and the storage. Importing this package registers every table, which the migrations need."""

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
