"""Applies a new configuration to the running parts."""

from __future__ import annotations

from app.container import Container
from config import Config
from services.support.faq import load
from services.support.keywords import check_files
from services.support.matching import PlacedRules
from services.upkeep.reload import Prepared


def prepare(container: Container, config: Config) -> Prepared:
    """Check the files of a config and compile its rules; raise ConfigError."""
    service = config.customer_service
    check_files(service.keywords)
    rules, entries = PlacedRules(service.keywords), load(service.faq)

    def apply() -> None:
        container.config.adopt(config)
        container.accounts.configure_admins(config.admins)
        container.webhook_events.configure(config.webhooks)
        container.webhooks.configure(config.webhooks)
        container.keywords.configure(rules)
        container.faq.configure(entries)
        container.staff_rooms.topic = service.handoff.staff_room
        container.blocked_words.configure(config.groups.blocked_words)
        container.moderator.configure(config.groups.own_hosts)
        container.flows.configure(config.flows)
        container.system_caller.configure(config.systems)
        container.retention.configure(config.keep_days)
        container.pruning.configure(config.keep_days)
        for webhook in config.webhooks:
            container.outbox.retry_now(f"hook:{webhook.name}")

    return Prepared(apply, () if entries == container.faq.entries else ("customer_service.faq",))


def check(config: Config) -> None:
    """Raise ConfigError if a file named in the config is invalid."""
    check_files(config.customer_service.keywords)
    load(config.customer_service.faq)
