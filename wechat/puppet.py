"""A corrected version of the SDK's PuppetService: each method is one RPC, sent over a Wire.

Method names are those of the SDK. Its own methods lose arguments or read the wrong fields (setting a topic only reads
it), and support neither deadlines nor TLS nor tokens.
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
from wechat.entities import Link, MiniProgram
from wechat.wire import CALL_SECONDS, Wire


class PatchedPuppet(PuppetService):  # type: ignore[misc]  # the SDK is untyped
    """The RPCs of an account. `wechat.connection` attaches a wire while there is a connection."""

    def __init__(self, account: str) -> None:
        # The SDK requires an endpoint and warns about environment variables; the connection is made elsewhere.
        super().__init__(PuppetOptions(end_point=f"{account}.invalid:1", token=None), name=account)
        self.wire: Wire | None = None
        self.channel: Channel | None = None
        self.login_user_id: str | None = None

    # ---- connection ----

    def attach(self, wire: Wire) -> None:
        """Use this connection, also for the SDK's stub."""
        self.wire = wire
        self.channel = wire.channel
        self._puppet_stub = PuppetStub(wire.channel, metadata=wire.metadata)

    def detach(self) -> None:
        """Remove the connection."""
        self.wire = self.channel = self._puppet_stub = None
        self.login_user_id = None

    async def start(self) -> None:
        """Do nothing: the SDK would first stop the account's session on the gateway."""

    async def stop(self) -> None:
        """Do nothing: the SDK would stop the account's session on the gateway."""

    async def call(self, name: str, request: Message, timeout: float = CALL_SECONDS) -> Any:
        """Make a call of a logged-in account; raise WeChatOffline if it is not."""
        if self.wire is None or not self.login_user_id:
            raise WeChatOffline(name, "not connected" if self.wire is None else "not logged in")
        return await self.wire.call(name, request, timeout)

    def online_wire(self, name: str) -> Wire:
        """Return the connection for streaming calls; raise WeChatOffline if there is none."""
        if self.wire is None:
            raise WeChatOffline(name, "not connected")
        return self.wire

    async def dirty_payload(self, payload_type: int, payload_id: str) -> None:
        """Make the gateway drop a cached payload."""
        await self.call("DirtyPayload", pb.DirtyPayloadRequest(type=payload_type, id=payload_id))

    # ---- contacts ----

    async def contact_list(self) -> list[str]:
        """Return the ids of the account's contacts."""
        return list((await self.call("ContactList", pb.Empty())).ids)

    async def contact_payload(self, contact_id: str) -> pb.ContactPayloadResponse:
        """Return a contact's payload."""
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
        """Return the content of the account's QR code."""
        return str((await self.call("ContactSelfQRCode", pb.Empty())).qrcode)

    async def friendship_payload(self, friendship_id: str, payload: Any = None) -> pb.FriendshipPayloadResponse:
        """Return a friend request's payload."""
        return await self.call(  # type: ignore[no-any-return]
            "FriendshipPayload", pb.FriendshipPayloadRequest(id=friendship_id)
        )

    async def friendship_accept(self, friendship_id: str) -> None:
        """Accept a friend request."""
        await self.call("FriendshipAccept", pb.Id(id=friendship_id))

    # ---- groups ----

    async def room_list(self) -> list[str]:
        """Return the ids of the account's groups."""
        return list((await self.call("RoomList", pb.Empty())).ids)

    async def room_payload(self, room_id: str) -> pb.RoomPayloadResponse:
        """Return a group's payload."""
        return await self.call("RoomPayload", pb.Id(id=room_id))  # type: ignore[no-any-return]

    async def room_members(self, room_id: str) -> list[str]:
        """Return the ids of a group's members."""
        return list((await self.call("RoomMemberList", pb.Id(id=room_id))).member_ids)

    async def room_member_payload(self, room_id: str, contact_id: str) -> pb.RoomMemberPayloadResponse:
        """Return a member's nickname and group alias."""
        return await self.call(  # type: ignore[no-any-return]
            "RoomMemberPayload", pb.RoomMemberPayloadRequest(id=room_id, member_id=contact_id)
        )

    async def room_create(self, contact_ids: Sequence[str], topic: str = "", timeout: float = 20.0) -> str:
        """Create a group; return its id."""
        answer = await self.call("RoomCreate", pb.RoomCreateRequest(contact_ids=contact_ids, topic=topic), timeout)
        if not answer.id:
            raise WeChatNotDone("RoomCreate", "the gateway returned no group")
        return str(answer.id)

    async def room_add(self, room_id: str, contact_id: str) -> None:
        """Add a person, or invite them where WeChat requires that."""
        await self.call("RoomAdd", pb.RoomAddRequest(id=room_id, contact_id=contact_id))

    async def room_delete(self, room_id: str, contact_id: str) -> None:
        """Remove a member."""
        await self.call("RoomDel", pb.RoomDelRequest(id=room_id, contact_id=contact_id))

    async def room_quit(self, room_id: str) -> None:
        """Leave a group."""
        await self.call("RoomQuit", pb.Id(id=room_id))

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
        """Return an invitation's payload."""
        return await self.call("RoomInvitationPayload", pb.RoomInvitationPayloadRequest(id=room_invitation_id))

    async def room_invitation_accept(self, room_invitation_id: str) -> None:
        """Accept an invitation to a group."""
        await self.call("RoomInvitationAccept", pb.Id(id=room_invitation_id))

    # ---- messages ----

    async def message_payload(self, message_id: str) -> pb.MessagePayloadResponse:
        """Return a message's payload."""
        return await self.call("MessagePayload", pb.Id(id=message_id))  # type: ignore[no-any-return]

    async def message_send_text(self, conversation_id: str, message: str, mention_ids: Sequence[str] = ()) -> str:
        """Send a text; `mention_ids` are members to mention."""
        request = pb.MessageSendTextRequest(conversation_id=conversation_id, text=message, mentional_ids=mention_ids)
        return _sent_id(await self.call("MessageSendText", request))

    async def message_send_box(self, conversation_id: str, box: str, timeout: float) -> str:
        """Send a file, as FileBox JSON."""
        request = pb.MessageSendFileRequest(conversation_id=conversation_id, file_box=box)
        return _sent_id(await self.call("MessageSendFile", request, timeout))

    async def message_send_contact(self, conversation_id: str, contact_id: str) -> str:
        """Send a contact card."""
        request = pb.MessageSendContactRequest(conversation_id=conversation_id, contact_id=contact_id)
        return _sent_id(await self.call("MessageSendContact", request))

    async def message_send_link(self, conversation_id: str, link: Link) -> str:
        """Send a link card, in the current format and in that of gateways before 1.0."""
        payload = pb.UrlLinkPayload(
            title=link.title, url=link.url, description=link.description, thumbnail_url=link.thumbnail
        )
        request = pb.MessageSendUrlRequest(conversation_id=conversation_id, url_link=payload)
        request.url_link_json = _json(
            title=link.title, url=link.url, description=link.description, thumbnailUrl=link.thumbnail
        )
        return _sent_id(await self.call("MessageSendUrl", request))

    async def message_send_program(self, conversation_id: str, program: MiniProgram) -> str:
        """Send a mini-program card, in both formats."""
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
        """Return the file of a message as FileBox JSON."""
        return str((await self.call("MessageFile", pb.Id(id=message_id), 60.0)).file_box)

    async def message_image_box(self, message_id: str, size: int) -> str:
        """Return an image as FileBox JSON; size: 1 thumbnail, 2 HD, 3 original."""
        return str((await self.call("MessageImage", pb.MessageImageRequest(id=message_id, type=size), 60.0)).file_box)

    async def message_contact(self, message_id: str) -> str:
        """Return the contact id of a card message."""
        return str((await self.call("MessageContact", pb.Id(id=message_id))).id)

    async def message_link(self, message_id: str) -> pb.MessageUrlResponse:
        """Return the link card of a message."""
        return await self.call("MessageUrl", pb.Id(id=message_id))  # type: ignore[no-any-return]

    async def message_program(self, message_id: str) -> pb.MessageMiniProgramResponse:
        """Return the mini-program card of a message."""
        return await self.call("MessageMiniProgram", pb.Id(id=message_id))  # type: ignore[no-any-return]

    async def message_place(self, message_id: str) -> pb.LocationPayload:
        """Return the location of a message."""
        return (await self.call("MessageLocation", pb.Id(id=message_id))).location  # type: ignore[no-any-return]


def _sent_id(answer: Any) -> str:
    return answer.id or answer.id_wrapped.value or ""


def _wrapped(value: str | None) -> StringValue | None:
    """Wrap a value for gateways before 1.0, which read it from another field."""
    return None if value is None else StringValue(value=value)


def _json(**values: str) -> str:
    return json.dumps({key: value for key, value in values.items() if value}, ensure_ascii=False)
