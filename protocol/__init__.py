"""The Wechaty puppet service protocol: the messages, and one table of its calls. Shared by `wechat` and `sandbox`."""

from __future__ import annotations

from typing import Final, NamedTuple

from google.protobuf.message import Message

from protocol import puppet_pb2 as pb

SERVICE: Final = "wechaty.Puppet"


class Call(NamedTuple):
    """One method of the service: what is sent and what comes back."""

    name: str
    request: type[Message]
    response: type[Message]
    streams_in: bool = False
    streams_out: bool = False

    @property
    def path(self) -> str:
        """The HTTP/2 path of the method."""
        return f"/{SERVICE}/{self.name}"


CALLS: Final[dict[str, Call]] = {
    call.name: call
    for call in (
        Call("Start", pb.Empty, pb.Empty),
        Call("Stop", pb.Empty, pb.Empty),
        Call("Logout", pb.Empty, pb.Empty),
        Call("Ding", pb.DingRequest, pb.Empty),
        Call("Version", pb.Empty, pb.VersionResponse),
        Call("Event", pb.Empty, pb.EventResponse, streams_out=True),
        Call("DirtyPayload", pb.DirtyPayloadRequest, pb.Empty),
        Call("ContactSelfQRCode", pb.Empty, pb.ContactSelfQRCodeResponse),
        Call("ContactSelfName", pb.ContactSelfNameRequest, pb.Empty),
        Call("ContactSelfSignature", pb.ContactSelfSignatureRequest, pb.Empty),
        Call("ContactPayload", pb.Id, pb.ContactPayloadResponse),
        Call("ContactAlias", pb.ContactAliasRequest, pb.ContactAliasResponse),
        Call("ContactAvatar", pb.ContactAvatarRequest, pb.ContactAvatarResponse),
        Call("ContactPhone", pb.ContactPhoneRequest, pb.ContactPhoneResponse),
        Call("ContactList", pb.Empty, pb.IdList),
        Call("FriendshipPayload", pb.FriendshipPayloadRequest, pb.FriendshipPayloadResponse),
        Call("FriendshipSearchPhone", pb.FriendshipSearchPhoneRequest, pb.FriendshipSearchResponse),
        Call("FriendshipSearchWeixin", pb.FriendshipSearchHandleRequest, pb.FriendshipSearchResponse),
        Call("FriendshipSearchHandle", pb.FriendshipSearchHandleRequest, pb.FriendshipSearchResponse),
        Call("FriendshipAdd", pb.FriendshipAddRequest, pb.Empty),
        Call("FriendshipAccept", pb.Id, pb.Empty),
        Call("MessageFile", pb.Id, pb.FileBoxResponse),
        Call("MessageImage", pb.MessageImageRequest, pb.FileBoxResponse),
        Call("MessageFileStream", pb.Id, pb.FileStreamResponse, streams_out=True),
        Call("MessageImageStream", pb.MessageImageRequest, pb.FileStreamResponse, streams_out=True),
        Call("MessageSendFileStream", pb.MessageSendFileStreamRequest, pb.MessageSendResponse, streams_in=True),
        Call("MessageSendFile", pb.MessageSendFileRequest, pb.MessageSendResponse),
        Call("MessagePayload", pb.Id, pb.MessagePayloadResponse),
        Call("MessageContact", pb.Id, pb.Id),
        Call("MessageMiniProgram", pb.Id, pb.MessageMiniProgramResponse),
        Call("MessageUrl", pb.Id, pb.MessageUrlResponse),
        Call("MessageLocation", pb.Id, pb.MessageLocationResponse),
        Call("MessageRecall", pb.Id, pb.MessageRecallResponse),
        Call("MessageForward", pb.MessageForwardRequest, pb.MessageSendResponse),
        Call("MessageSendContact", pb.MessageSendContactRequest, pb.MessageSendResponse),
        Call("MessageSendText", pb.MessageSendTextRequest, pb.MessageSendResponse),
        Call("MessageSendMiniProgram", pb.MessageSendMiniProgramRequest, pb.MessageSendResponse),
        Call("MessageSendUrl", pb.MessageSendUrlRequest, pb.MessageSendResponse),
        Call("MessageSendLocation", pb.MessageSendLocationRequest, pb.MessageSendLocationResponse),
        Call("RoomPayload", pb.Id, pb.RoomPayloadResponse),
        Call("RoomList", pb.Empty, pb.IdList),
        Call("RoomAdd", pb.RoomAddRequest, pb.Empty),
        Call("RoomAvatar", pb.Id, pb.FileBoxResponse),
        Call("RoomCreate", pb.RoomCreateRequest, pb.Id),
        Call("RoomDel", pb.RoomDelRequest, pb.Empty),
        Call("RoomQuit", pb.Id, pb.Empty),
        Call("RoomTopic", pb.RoomTopicRequest, pb.RoomTopicResponse),
        Call("RoomQRCode", pb.Id, pb.RoomQRCodeResponse),
        Call("RoomAnnounce", pb.RoomAnnounceRequest, pb.RoomAnnounceResponse),
        Call("RoomMemberPayload", pb.RoomMemberPayloadRequest, pb.RoomMemberPayloadResponse),
        Call("RoomMemberList", pb.Id, pb.RoomMemberListResponse),
        Call("RoomInvitationPayload", pb.RoomInvitationPayloadRequest, pb.RoomInvitationPayloadResponse),
        Call("RoomInvitationAccept", pb.Id, pb.Empty),
        Call("TagContactAdd", pb.TagContactRequest, pb.Empty),
        Call("TagContactRemove", pb.TagContactRequest, pb.Empty),
        Call("TagContactDelete", pb.TagContactRequest, pb.Empty),
        Call("TagContactList", pb.TagContactListRequest, pb.IdList),
        Call("Download", pb.Id, pb.Chunk, streams_out=True),
        Call("Upload", pb.Chunk, pb.Id, streams_in=True),
    )
}
