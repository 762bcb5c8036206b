"""Applies a new configuration to the running parts."""

from __future__ import annotations

from app.container import Container
from config import Config
from services.support.faq import load
from services.support.knowledge import load as load_knowledge
from services.support.matching import RulesByPlace
from services.upkeep.reload import PreparedChange


def prepare(container: Container, config: Config) -> PreparedChange:
    """Check the files of a config and compile its rules; raise ConfigError."""
    service = config.customer_service
    rules, entries, passages = RulesByPlace(service.keywords), load(service.faq), load_knowledge(service.knowledge)

    def apply() -> None:
        container.config.adopt(config)
        container.accounts.configure_admins(config.admins)
        container.webhook_events.configure(config.webhooks)
        container.webhooks.configure(config.webhooks)
        container.keywords.configure(rules)
        container.faq_entries.configure(entries, passages)
        container.similar_questions.prepare()
        container.staff_rooms.topic = service.handoff.staff_room
        container.blocked_words.configure(config.groups.blocked_words)
        container.moderator.configure(config.groups.own_hosts)
        container.flows.configure(config.flows)
        container.system_caller.configure(config.systems)
        container.retention.configure(config.keep_days)
        container.pruning.configure(config.keep_days)
        for webhook in config.webhooks:
            container.outbox.retry_now(f"hook:{webhook.name}")

    files = {
        "customer_service.faq": entries != container.faq_entries.entries,
        "customer_service.knowledge": passages != container.faq_entries.passages,
    }
    return PreparedChange(apply, [key for key, is_changed in files.items() if is_changed])


def check(config: Config) -> None:
    """Raise ConfigError if a file named in the config is invalid."""
    load(config.customer_service.faq)
    load_knowledge(config.customer_service.knowledge)
