"""The Wechaty puppet service protocol: messages and method table. Shared by `wechat`, `sandbox` and `relay`."""

from __future__ import annotations

from typing import Final, NamedTuple

from google.protobuf.message import Message

from protocol import puppet_pb2 as pb

SERVICE: Final = "wechaty.Puppet"


class ProtocolCall(NamedTuple):
    """A method of the service with its message types."""

    name: str
    request: type[Message]
    response: type[Message]
    streams_in: bool = False
    streams_out: bool = False

    @property
    def path(self) -> str:
        """The HTTP/2 path of the method."""
        return f"/{SERVICE}/{self.name}"


CALLS: Final[dict[str, ProtocolCall]] = {
    call.name: call
    for call in (
        ProtocolCall("Start", pb.Empty, pb.Empty),
        ProtocolCall("Stop", pb.Empty, pb.Empty),
        ProtocolCall("Logout", pb.Empty, pb.Empty),
        ProtocolCall("Ding", pb.DingRequest, pb.Empty),
        ProtocolCall("Version", pb.Empty, pb.VersionResponse),
        ProtocolCall("Event", pb.Empty, pb.EventResponse, streams_out=True),
        ProtocolCall("DirtyPayload", pb.DirtyPayloadRequest, pb.Empty),
        ProtocolCall("ContactSelfQRCode", pb.Empty, pb.ContactSelfQRCodeResponse),
        ProtocolCall("ContactSelfName", pb.ContactSelfNameRequest, pb.Empty),
        ProtocolCall("ContactSelfSignature", pb.ContactSelfSignatureRequest, pb.Empty),
        ProtocolCall("ContactPayload", pb.Id, pb.ContactPayloadResponse),
        ProtocolCall("ContactAlias", pb.ContactAliasRequest, pb.ContactAliasResponse),
        ProtocolCall("ContactAvatar", pb.ContactAvatarRequest, pb.ContactAvatarResponse),
        ProtocolCall("ContactPhone", pb.ContactPhoneRequest, pb.ContactPhoneResponse),
        ProtocolCall("ContactList", pb.Empty, pb.IdList),
        ProtocolCall("FriendshipPayload", pb.FriendshipPayloadRequest, pb.FriendshipPayloadResponse),
        ProtocolCall("FriendshipSearchPhone", pb.FriendshipSearchPhoneRequest, pb.FriendshipSearchResponse),
        ProtocolCall("FriendshipSearchWeixin", pb.FriendshipSearchHandleRequest, pb.FriendshipSearchResponse),
        ProtocolCall("FriendshipSearchHandle", pb.FriendshipSearchHandleRequest, pb.FriendshipSearchResponse),
        ProtocolCall("FriendshipAdd", pb.FriendshipAddRequest, pb.Empty),
        ProtocolCall("FriendshipAccept", pb.Id, pb.Empty),
        ProtocolCall("MessageFile", pb.Id, pb.FileBoxResponse),
        ProtocolCall("MessageImage", pb.MessageImageRequest, pb.FileBoxResponse),
        ProtocolCall("MessageFileStream", pb.Id, pb.FileStreamResponse, streams_out=True),
        ProtocolCall("MessageImageStream", pb.MessageImageRequest, pb.FileStreamResponse, streams_out=True),
        ProtocolCall("MessageSendFileStream", pb.MessageSendFileStreamRequest, pb.MessageSendResponse, streams_in=True),
        ProtocolCall("MessageSendFile", pb.MessageSendFileRequest, pb.MessageSendResponse),
        ProtocolCall("MessagePayload", pb.Id, pb.MessagePayloadResponse),
        ProtocolCall("MessageContact", pb.Id, pb.Id),
        ProtocolCall("MessageMiniProgram", pb.Id, pb.MessageMiniProgramResponse),
        ProtocolCall("MessageUrl", pb.Id, pb.MessageUrlResponse),
        ProtocolCall("MessageLocation", pb.Id, pb.MessageLocationResponse),
        ProtocolCall("MessageRecall", pb.Id, pb.MessageRecallResponse),
        ProtocolCall("MessageForward", pb.MessageForwardRequest, pb.MessageSendResponse),
        ProtocolCall("MessageSendContact", pb.MessageSendContactRequest, pb.MessageSendResponse),
        ProtocolCall("MessageSendText", pb.MessageSendTextRequest, pb.MessageSendResponse),
        ProtocolCall("MessageSendMiniProgram", pb.MessageSendMiniProgramRequest, pb.MessageSendResponse),
        ProtocolCall("MessageSendUrl", pb.MessageSendUrlRequest, pb.MessageSendResponse),
        ProtocolCall("MessageSendLocation", pb.MessageSendLocationRequest, pb.MessageSendLocationResponse),
        ProtocolCall("RoomPayload", pb.Id, pb.RoomPayloadResponse),
        ProtocolCall("RoomList", pb.Empty, pb.IdList),
        ProtocolCall("RoomAdd", pb.RoomAddRequest, pb.Empty),
        ProtocolCall("RoomAvatar", pb.Id, pb.FileBoxResponse),
        ProtocolCall("RoomCreate", pb.RoomCreateRequest, pb.Id),
        ProtocolCall("RoomDel", pb.RoomDelRequest, pb.Empty),
        ProtocolCall("RoomQuit", pb.Id, pb.Empty),
        ProtocolCall("RoomTopic", pb.RoomTopicRequest, pb.RoomTopicResponse),
        ProtocolCall("RoomQRCode", pb.Id, pb.RoomQRCodeResponse),
        ProtocolCall("RoomAnnounce", pb.RoomAnnounceRequest, pb.RoomAnnounceResponse),
        ProtocolCall("RoomMemberPayload", pb.RoomMemberPayloadRequest, pb.RoomMemberPayloadResponse),
        ProtocolCall("RoomMemberList", pb.Id, pb.RoomMemberListResponse),
        ProtocolCall("RoomInvitationPayload", pb.RoomInvitationPayloadRequest, pb.RoomInvitationPayloadResponse),
        ProtocolCall("RoomInvitationAccept", pb.Id, pb.Empty),
        ProtocolCall("TagContactAdd", pb.TagContactRequest, pb.Empty),
        ProtocolCall("TagContactRemove", pb.TagContactRequest, pb.Empty),
        ProtocolCall("TagContactDelete", pb.TagContactRequest, pb.Empty),
        ProtocolCall("TagContactList", pb.TagContactListRequest, pb.IdList),
        ProtocolCall("Download", pb.Id, pb.Chunk, streams_out=True),
        ProtocolCall("Upload", pb.Chunk, pb.Id, streams_in=True),
    )
}
