"""The daily reports that a person got."""

from __future__ import annotations

from tests.stories.conftest import BotEnvironment

DAY = 86400.0


def reports(env: BotEnvironment, who: str) -> list[str]:
    return [m.text for m in env.seen(who) if "【日报】" in m.text]
