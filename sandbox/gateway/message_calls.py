"""Protocol calls about messages."""

from __future__ import annotations

import json
from typing import Any, Final, TypeVar

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message as ProtoMessage
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import StringValue

from protocol import puppet_pb2 as pb
from sandbox.gateway.calls import CallHandlers
from sandbox.gateway.files import kind_of
from sandbox.world.model import MEDIA_KINDS, ChatMessage, Kind, MediaFile, ObjectNotFound, Refused

P = TypeVar("P", bound=ProtoMessage)

# The wire uses the MessageType of wechaty-puppet (TypeScript), not the enum of the proto file.
WIRE_TYPES: Final = {
    Kind.FILE: 1,
    Kind.AUDIO: 2,
    Kind.CARD: 3,
    Kind.EMOTICON: 5,
    Kind.IMAGE: 6,
    Kind.TEXT: 7,
    Kind.LOCATION: 8,
    Kind.MINI_PROGRAM: 9,
    Kind.RECALLED: 13,
    Kind.LINK: 14,
    Kind.VIDEO: 15,
}


class MessageCallHandlers(CallHandlers):
    """Message calls of one account."""

    # ---- reading ----

    def MessagePayload(self, request: pb.Id) -> pb.MessagePayloadResponse:
        """Return a message."""
        message = self._message(request.id)
        timestamp = Timestamp()
        timestamp.FromMilliseconds(int(message.at * 1000))
        return pb.MessagePayloadResponse(
            id=request.id,
            filename=message.filename,
            text=self._text(message),
            timestamp_deprecated=int(message.at * 1000),
            type=WIRE_TYPES[message.kind],
            talker_id=message.sender,
            room_id=message.to if message.in_room else "",
            listener_id="" if message.in_room else message.to,
            mention_ids=message.mentions,
            receive_time=timestamp,
        )

    def MessageFile(self, request: pb.Id) -> pb.FileBoxResponse:
        """Return the file of a message."""
        media = self.media(request.id)
        return pb.FileBoxResponse(file_box=self._uploads.box(media.name, media.data))

    def MessageImage(self, request: pb.MessageImageRequest) -> pb.FileBoxResponse:
        """Return the image of a message, the same for every size."""
        return self.MessageFile(pb.Id(id=request.id))

    def MessageContact(self, request: pb.Id) -> pb.Id:
        """Return the contact id of a card message."""
        return pb.Id(id=self._message(request.id, Kind.CARD).data["contact_id"])

    def MessageUrl(self, request: pb.Id) -> pb.MessageUrlResponse:
        """Return the link of a message."""
        data = self._message(request.id, Kind.LINK).data
        return pb.MessageUrlResponse(url_link_json=json.dumps(data, ensure_ascii=False), url_link=_link(data))

    def MessageMiniProgram(self, request: pb.Id) -> pb.MessageMiniProgramResponse:
        """Return the mini-program of a message."""
        data = self._message(request.id, Kind.MINI_PROGRAM).data
        text = json.dumps(data, ensure_ascii=False)
        return pb.MessageMiniProgramResponse(mini_program_json=text, mini_program=_mini_program(data))

    def MessageLocation(self, request: pb.Id) -> pb.MessageLocationResponse:
        """Return the location of a message."""
        return pb.MessageLocationResponse(location=_location(self._message(request.id, Kind.LOCATION).data))

    def media(self, wire_id: str) -> MediaFile:
        """Return the media file of a message; raise ObjectNotFound if it has none."""
        message = self._message(wire_id)
        if message.kind not in MEDIA_KINDS:
            raise ObjectNotFound(f"不是文件消息：{wire_id}")
        return self._world.state.media[message.media]

    # ---- sending ----

    def MessageSendText(self, request: pb.MessageSendTextRequest) -> pb.MessageSendResponse:
        """Send a text."""
        me, to = self._person.id, request.conversation_id
        return self._sent(self._world.chats.say(me, to, request.text, request.mentional_ids))

    async def MessageSendFile(self, request: pb.MessageSendFileRequest) -> pb.MessageSendResponse:
        """Send a file box."""
        name, data = await self._uploads.open(request.file_box)
        return self.send_media(request.conversation_id, name, data)

    def send_media(self, to: str, name: str, data: bytes) -> pb.MessageSendResponse:
        """Send a file; its name determines the message kind."""
        return self._sent(self._world.chats.send_media(self._person.id, to, kind_of(name), name, data))

    def MessageSendContact(self, request: pb.MessageSendContactRequest) -> pb.MessageSendResponse:
        """Send a contact card."""
        return self._sent(self._world.chats.send_card(self._person.id, request.conversation_id, request.contact_id))

    def MessageSendUrl(self, request: pb.MessageSendUrlRequest) -> pb.MessageSendResponse:
        """Send a link."""
        link = request.url_link if request.HasField("url_link") else _link(_parsed(request.url_link_json))
        if not link.url:
            raise Refused("a link requires a url")
        return self._send_data(request.conversation_id, Kind.LINK, link)

    def MessageSendMiniProgram(self, request: pb.MessageSendMiniProgramRequest) -> pb.MessageSendResponse:
        """Send a mini-program."""
        has_program = request.HasField("mini_program")
        program = request.mini_program if has_program else _mini_program(_parsed(request.mini_program_json))
        return self._send_data(request.conversation_id, Kind.MINI_PROGRAM, program)

    def MessageSendLocation(self, request: pb.MessageSendLocationRequest) -> pb.MessageSendLocationResponse:
        """Send a location."""
        sent = self._send_data(request.conversation_id, Kind.LOCATION, request.location)
        return pb.MessageSendLocationResponse(id=sent.id)

    def MessageForward(self, request: pb.MessageForwardRequest) -> pb.MessageSendResponse:
        """Forward a message."""
        message = self._message(request.message_id)
        return self._sent(self._world.chats.forward(self._person.id, message, request.conversation_id))

    def MessageRecall(self, request: pb.Id) -> pb.MessageRecallResponse:
        """Recall an own message."""
        self._world.chats.recall(self._person.id, self._message(request.id).seq)
        return pb.MessageRecallResponse(success=True)

    def _send_data(self, to: str, kind: Kind, payload: Any) -> pb.MessageSendResponse:
        data = MessageToDict(payload, preserving_proto_field_name=False)
        return self._sent(self._world.chats.send_data(self._person.id, to, kind, data))

    def _sent(self, message: ChatMessage) -> pb.MessageSendResponse:
        message_id = self._world.chats.wire_id(self._account, message)
        return pb.MessageSendResponse(id_wrapped=StringValue(value=message_id), id=message_id)

    def _message(self, wire_id: str, kind: Kind | None = None) -> ChatMessage:
        message = self._world.chats.by_wire_id(self._account, wire_id)
        if kind is not None and message.kind is not kind:
            raise ObjectNotFound(f"不是 {kind} 消息：{wire_id}")
        return message

    def _text(self, message: ChatMessage) -> str:
        """Return the text field; for other kinds what puppets return: the id of the recalled message, or XML."""
        if message.kind is Kind.TEXT:
            return message.text
        if message.kind is Kind.RECALLED:
            original = self._world.state.messages[message.data["seq"]]
            return self._world.chats.wire_id(self._account, original)
        return "" if message.kind in MEDIA_KINDS else f'<msg><appmsg type="{message.kind}"/></msg>'


def _parsed(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        raise Refused("the payload is not JSON") from None
    if not isinstance(data, dict):
        raise Refused("the payload is not a JSON object")
    return data


def _link(data: dict[str, Any]) -> pb.UrlLinkPayload:
    return _filled(pb.UrlLinkPayload(), data)


def _mini_program(data: dict[str, Any]) -> pb.MiniProgramPayload:
    return _filled(pb.MiniProgramPayload(), data)


def _location(data: dict[str, Any]) -> pb.LocationPayload:
    return _filled(pb.LocationPayload(), data)


def _filled(payload: P, data: dict[str, Any]) -> P:
    """Fill a payload from JSON with either key style; ignore nulls and unknown keys."""
    values = {key: value for key, value in data.items() if value is not None}
    try:
        return ParseDict(values, payload, ignore_unknown_fields=True)
    except ParseError as error:
        raise Refused(f"invalid payload: {error}") from None
