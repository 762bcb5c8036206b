"""The SDK's PuppetService, mended: each method is one RPC of the protocol, sent over a Wire.

The names are the SDK's where it has the method. Its own versions lose arguments or read the wrong fields (a topic that
is set becomes a topic that is read), know no deadline, and speak neither TLS nor token.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue
from grpclib.client import Channel

from errors import WeChatNotDone, WeChatOffline
from protocol import puppet_pb2 as pb
from wechat.compat import PuppetOptions, PuppetService, PuppetStub
from wechat.events import Link, MiniProgram
from wechat.wire import CALL_SECONDS, Wire


class MendedPuppet(PuppetService):  # type: ignore[misc] # the SDK has no types
    """The RPCs of one account. `wechat.connection` gives it a wire while there is a connection."""

    def __init__(self, account: str) -> None:
        # The SDK wants an endpoint and warns of environment variables; the connection is made elsewhere.
        super().__init__(PuppetOptions(end_point=f"{account}.invalid:1", token=None), name=account)
        self.wire: Wire | None = None
        self.channel: Channel | None = None
        self.login_user_id: str | None = None

    # ---- the life of the connection, which is not the SDK's business ----

    def attach(self, wire: Wire) -> None:
        """Use this connection from now on; the SDK's own stub works over it too."""
        self.wire = wire
        self.channel = wire.channel
        self._puppet_stub = PuppetStub(wire.channel, metadata=wire.metadata)

    def detach(self) -> None:
        """There is no connection any more."""
        self.wire = self.channel = self._puppet_stub = None
        self.login_user_id = None

    async def start(self) -> None:
        """Do nothing: the SDK would stop the account's session on the gateway first."""

    async def stop(self) -> None:
        """Do nothing: the SDK would stop the account's session on the gateway."""

    async def call(self, name: str, request: Message, timeout: float = CALL_SECONDS) -> Any:
        """One call of a logged-in account; WeChatOffline when it is not."""
        if self.wire is None or not self.login_user_id:
            raise WeChatOffline(name, "not connected" if self.wire is None else "not logged in")
        return await self.wire.call(name, request, timeout)

    def online_wire(self, name: str) -> Wire:
        """The connection, for calls that stream; WeChatOffline when there is none."""
        if self.wire is None:
            raise WeChatOffline(name, "not connected")
        return self.wire

    async def dirty_payload(self, payload_type: int, payload_id: str) -> None:
        """Make the gateway forget what it cached: the next read is fresh."""
        await self.call("DirtyPayload", pb.DirtyPayloadRequest(type=payload_type, id=payload_id))

    # ---- people ----

    async def contact_list(self) -> list[str]:
        """The ids of everybody the account has as a contact."""
        return list((await self.call("ContactList", pb.Empty())).ids)

    async def contact_payload(self, contact_id: str) -> pb.ContactPayloadResponse:
        """What the gateway knows of a person."""
        return await self.call("ContactPayload", pb.Id(id=contact_id))  # type: ignore[no-any-return]

    async def contact_alias(self, contact_id: str, alias: str | None = None) -> str:
        """Read the remark, or set it ("" clears it)."""
        request = pb.ContactAliasRequest(id=contact_id, alias=alias, alias_wrapped=_wrapped(alias))
        answer = await self.call("ContactAlias", request)
        return answer.alias or answer.alias_wrapped.value or ""

    async def log_out(self) -> None:
        """End the account's login; the gateway shows a code for the next one."""
        await self.call("Logout", pb.Empty())

    async def contact_self_qr_code(self) -> str:
        """The content of the account's own QR code."""
        return str((await self.call("ContactSelfQRCode", pb.Empty())).qrcode)

    async def friendship_payload(self, friendship_id: str, payload: Any = None) -> pb.FriendshipPayloadResponse:
        """Who asks to become a friend, and with what words."""
        return await self.call(  # type: ignore[no-any-return]
            "FriendshipPayload", pb.FriendshipPayloadRequest(id=friendship_id)
        )

    async def friendship_accept(self, friendship_id: str) -> None:
        """Accept a friend request."""
        await self.call("FriendshipAccept", pb.Id(id=friendship_id))

    # ---- groups ----

    async def room_list(self) -> list[str]:
        """The ids of all groups the account is in."""
        return list((await self.call("RoomList", pb.Empty())).ids)

    async def room_payload(self, room_id: str) -> pb.RoomPayloadResponse:
        """A group's topic, owner and members."""
        return await self.call("RoomPayload", pb.Id(id=room_id))  # type: ignore[no-any-return]

    async def room_members(self, room_id: str) -> list[str]:
        """The ids of a group's members."""
        return list((await self.call("RoomMemberList", pb.Id(id=room_id))).member_ids)

    async def room_member_payload(self, room_id: str, contact_id: str) -> pb.RoomMemberPayloadResponse:
        """A member's name and the name they have in this group."""
        return await self.call(  # type: ignore[no-any-return]
            "RoomMemberPayload", pb.RoomMemberPayloadRequest(id=room_id, member_id=contact_id)
        )

    async def room_create(self, contact_ids: Sequence[str], topic: str = "", timeout: float = 20.0) -> str:
        """Make a group; returns its id."""
        answer = await self.call("RoomCreate", pb.RoomCreateRequest(contact_ids=contact_ids, topic=topic), timeout)
        if not answer.id:
            raise WeChatNotDone("RoomCreate", "the gateway returned no group")
        return str(answer.id)

    async def room_add(self, room_id: str, contact_id: str) -> None:
        """Add a person, or invite them where WeChat wants that."""
        await self.call("RoomAdd", pb.RoomAddRequest(id=room_id, contact_id=contact_id))

    async def room_delete(self, room_id: str, contact_id: str) -> None:
        """Take a person out."""
        await self.call("RoomDel", pb.RoomDelRequest(id=room_id, contact_id=contact_id))

    async def room_topic(self, room_id: str, new_topic: str | None = None) -> str:
        """Read the topic, or set it."""
        request = pb.RoomTopicRequest(id=room_id, topic=new_topic, topic_wrapped=_wrapped(new_topic))
        answer = await self.call("RoomTopic", request)
        return answer.topic or answer.topic_wrapped.value or ""

    async def room_announce(self, room_id: str, announcement: str | None = None) -> str:
        """Read the announcement, or set it."""
        request = pb.RoomAnnounceRequest(id=room_id, text=announcement, text_wrapped=_wrapped(announcement))
        answer = await self.call("RoomAnnounce", request)
        return answer.text or answer.text_wrapped.value or ""

    async def room_invitation_payload(self, room_invitation_id: str, payload: Any = None) -> Any:
        """Who invites the account into which group."""
        return await self.call("RoomInvitationPayload", pb.RoomInvitationPayloadRequest(id=room_invitation_id))

    async def room_invitation_accept(self, room_invitation_id: str) -> None:
        """Follow an invitation into a group."""
        await self.call("RoomInvitationAccept", pb.Id(id=room_invitation_id))

    # ---- messages ----

    async def message_payload(self, message_id: str) -> pb.MessagePayloadResponse:
        """Who said what, where."""
        return await self.call("MessagePayload", pb.Id(id=message_id))  # type: ignore[no-any-return]

    async def message_send_text(self, conversation_id: str, message: str, mention_ids: Sequence[str] = ()) -> str:
        """Say a text; `mention_ids` are the members it is addressed to."""
        request = pb.MessageSendTextRequest(conversation_id=conversation_id, text=message, mentional_ids=mention_ids)
        return _sent_id(await self.call("MessageSendText", request))

    async def message_send_box(self, conversation_id: str, box: str, timeout: float) -> str:
        """Send a file; `box` is a FileBox as JSON."""
        request = pb.MessageSendFileRequest(conversation_id=conversation_id, file_box=box)
        return _sent_id(await self.call("MessageSendFile", request, timeout))

    async def message_send_contact(self, conversation_id: str, contact_id: str) -> str:
        """Send a person's card."""
        request = pb.MessageSendContactRequest(conversation_id=conversation_id, contact_id=contact_id)
        return _sent_id(await self.call("MessageSendContact", request))

    async def message_send_link(self, conversation_id: str, link: Link) -> str:
        """Send a link card, in the layout of now and that of gateways before 1.0."""
        payload = pb.UrlLinkPayload(
            title=link.title, url=link.url, description=link.description, thumbnail_url=link.thumbnail
        )
        request = pb.MessageSendUrlRequest(conversation_id=conversation_id, url_link=payload)
        request.url_link_json = _json(
            title=link.title, url=link.url, description=link.description, thumbnailUrl=link.thumbnail
        )
        return _sent_id(await self.call("MessageSendUrl", request))

    async def message_send_program(self, conversation_id: str, program: MiniProgram) -> str:
        """Send a mini-program card, in both layouts."""
        payload = pb.MiniProgramPayload(
            appid=program.appid,
            title=program.title,
            username=program.username,
            page_path=program.page_path,
            description=program.description,
        )
        request = pb.MessageSendMiniProgramRequest(conversation_id=conversation_id, mini_program=payload)
        request.mini_program_json = _json(
            appid=program.appid,
            title=program.title,
            username=program.username,
            pagePath=program.page_path,
            description=program.description,
        )
        return _sent_id(await self.call("MessageSendMiniProgram", request))

    async def message_box(self, message_id: str) -> str:
        """The file of a message, as the JSON of a FileBox."""
        return str((await self.call("MessageFile", pb.Id(id=message_id), 60.0)).file_box)

    async def message_image_box(self, message_id: str, size: int) -> str:
        """A picture, as the JSON of a FileBox; size: 1 thumbnail, 2 HD, 3 as sent."""
        return str((await self.call("MessageImage", pb.MessageImageRequest(id=message_id, type=size), 60.0)).file_box)

    async def message_contact(self, message_id: str) -> str:
        """Whose card a message is."""
        return str((await self.call("MessageContact", pb.Id(id=message_id))).id)

    async def message_link(self, message_id: str) -> pb.MessageUrlResponse:
        """The link card a message is."""
        return await self.call("MessageUrl", pb.Id(id=message_id))  # type: ignore[no-any-return]

    async def message_program(self, message_id: str) -> pb.MessageMiniProgramResponse:
        """The mini-program card a message is."""
        return await self.call("MessageMiniProgram", pb.Id(id=message_id))  # type: ignore[no-any-return]

    async def message_place(self, message_id: str) -> pb.LocationPayload:
        """The place a message is."""
        return (await self.call("MessageLocation", pb.Id(id=message_id))).location  # type: ignore[no-any-return]


def _sent_id(answer: Any) -> str:
    return answer.id or answer.id_wrapped.value or ""


def _wrapped(value: str | None) -> StringValue | None:
    """The value for gateways before 1.0, which read it from another field."""
    return None if value is None else StringValue(value=value)


def _json(**values: str) -> str:
    return json.dumps({key: value for key, value in values.items() if value}, ensure_ascii=False)
