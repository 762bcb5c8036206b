"""The types of outgoing messages."""

from __future__ import annotations

from enum import StrEnum


class BodyType(StrEnum):
    """Types of outgoing messages, and other actions that must happen in the order of the messages."""

    TEXT = "text"
    FILE = "file"
    LINK = "link"
    CONTACT = "contact"
    MINI_PROGRAM = "mini_program"
    LEAVE = "leave"  # leave the group
    HAND_OVER = "hand_over"  # hand the customer to staff in their own client
    END_SESSION = "end_session"
