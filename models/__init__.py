"""The tables and the storage. Importing this knows every table, which is what migrations need."""

from models import (
    accounts,
    cluster,
    console,
    conversations,
    durable,
    faq,
    flows,
    groups,
    keywords,
    rules,
    support,
    wecom,
)

__all__ = [
    "accounts",
    "cluster",
    "console",
    "conversations",
    "durable",
    "faq",
    "flows",
    "groups",
    "keywords",
    "rules",
    "support",
    "wecom",
]
