"""A bot whose webhooks retry quickly, and its failed deliveries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.stories.business import Receiver, receiving
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.waiting import until

FAST = (0.05, 0.05)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


async def open_env(make_env: MakeEnv, *webhooks: dict[str, Any], **config: Any) -> BotEnvironment:
    """A bot that retries failed deliveries immediately."""
    env = await make_env(webhooks=list(webhooks), **config)
    env.bot.container.webhooks.waits = FAST
    return env


async def failed(env: BotEnvironment, count: int) -> list[dict[str, Any]]:
    """Return the failed events by REST, once there are `count`."""
    found: list[dict[str, Any]] = []

    async def are_enough() -> bool:
        status, answer, _ = await env.call("GET", "/wxbot/webhook", params={"state": "failed"})
        assert status == 200
        found[:] = answer["webhooks"]
        return len(found) >= count

    await until(are_enough, f"{count} events have failed")
    return found
