"""Operations that the official API does not support. Services check `capabilities` first."""

from __future__ import annotations

from collections.abc import Sequence

from errors import WeChatUnsupported


class UnsupportedCalls:
    """Methods that raise WeChatUnsupported or return an empty result."""

    async def send_contact(self, to: str, contact_id: str, *, key: str = "") -> str:
        """Contact cards cannot be sent."""
        raise WeChatUnsupported("send_contact")

    async def accept_friend(self, friendship_id: str) -> None:
        """Customers need not be accepted."""
        raise WeChatUnsupported("accept_friend")

    async def set_alias(self, contact_id: str, alias: str) -> None:
        """Customers of 微信客服 have no remark."""
        raise WeChatUnsupported("set_alias")

    async def log_out(self) -> None:
        """The account is a service of the platform and has no login."""
        raise WeChatUnsupported("log_out")

    async def create_room(self, contact_ids: Sequence[str], topic: str) -> str:
        """Only staff can create groups, in their own client."""
        raise WeChatUnsupported("create_room")

    async def add_member(self, room_id: str, contact_id: str) -> None:
        """Members cannot be added."""
        raise WeChatUnsupported("add_member")

    async def remove_member(self, room_id: str, contact_id: str) -> None:
        """Members cannot be removed."""
        raise WeChatUnsupported("remove_member")

    async def set_topic(self, room_id: str, topic: str) -> None:
        """Topics cannot be changed."""
        raise WeChatUnsupported("set_topic")

    async def set_announcement(self, room_id: str, text: str) -> bool:
        """PendingNotifications cannot be changed."""
        raise WeChatUnsupported("set_announcement")

    async def accept_invitation(self, invitation_id: str) -> None:
        """The account receives no invitations."""
        raise WeChatUnsupported("accept_invitation")

    async def card(self, message_id: str) -> str:
        """Cards refer to staff members, who cannot be looked up."""
        raise WeChatUnsupported("card")
