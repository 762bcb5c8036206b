"""What accounts of the official channel can do."""

from __future__ import annotations

from typing import Final

from config.settings import AssistantSettings
from wechat.interface import Capability

CAPABILITIES: Final = frozenset(
    {
        Capability.MENU,
        Capability.LINK,
        Capability.MINI_PROGRAM,
        Capability.MEDIA,
        Capability.SEND_ONCE,
        Capability.CATCH_UP,
        Capability.SESSIONS,
    }
)
GROUP_CAPABILITIES: Final = frozenset({Capability.CREATE_ROOM, Capability.JOIN_BY_CODE, Capability.GROUP_TASKS})


def capabilities_of(settings: AssistantSettings) -> frozenset[Capability]:
    """Return the capabilities of an account by its settings."""
    groups = GROUP_CAPABILITIES if settings.groups.pool else frozenset()
    return CAPABILITIES | groups | ({Capability.STAFF_CLIENT} if settings.handoff == "client" else frozenset())
