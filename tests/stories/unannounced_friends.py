"""Friendships without an event, and memberships read by REST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.stories.conftest import BotEnvironment

LOST = {"lost": 1.0}


@pytest.fixture(autouse=True)
def no_caching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the lists of members read again whenever they are needed."""
    for name in ("LIST_MAX_AGE", "EVENT_MAX_AGE"):
        monkeypatch.setattr(f"services.groups.roster_refresh.{name}", timedelta(0))


async def membership_at(env: BotEnvironment, path: str) -> dict[str, Any]:
    status, answer, _ = await env.call("GET", path)
    assert status == 200, answer
    row: dict[str, Any] = answer["membership"]
    return row


async def befriend_without_event(env: BotEnvironment, who: str) -> None:
    await env.wait_idle()
    env.world.faults.event("*", **LOST)
    env.world.people.befriend(env.id(who), env.id("bot"))
