"""Protocol calls about groups."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import StringValue

from protocol import puppet_pb2 as pb
from sandbox.gateway.calls import CallHandlers
from sandbox.world.avatars import svg
from sandbox.world.model import ObjectNotFound


class RoomCallHandlers(CallHandlers):
    """Group calls of one account."""

    def RoomList(self, request: pb.Empty) -> pb.IdList:
        """List the groups of the account."""
        return pb.IdList(ids=[room.id for room in self._world.rooms.of(self._person.id)])

    def RoomPayload(self, request: pb.Id) -> pb.RoomPayloadResponse:
        """Return a group."""
        room = self._world.rooms.seen_or_left_by(self._person.id, request.id)
        return pb.RoomPayloadResponse(
            id=room.id,
            topic=room.topic,
            avatar=f"{self._world.avatar_base}{room.id}.svg",
            owner_id=room.owner,
            admin_ids=sorted(room.admins),
            member_ids=list(room.members),
        )

    def RoomMemberList(self, request: pb.Id) -> pb.RoomMemberListResponse:
        """List the members of a group."""
        room = self._world.rooms.seen_or_left_by(self._person.id, request.id)
        return pb.RoomMemberListResponse(member_ids=list(room.members))

    def RoomMemberPayload(self, request: pb.RoomMemberPayloadRequest) -> pb.RoomMemberPayloadResponse:
        """Return a member of a group."""
        room = self._world.rooms.seen_or_left_by(self._person.id, request.id)
        member = room.members.get(request.member_id)
        if member is None:
            raise ObjectNotFound(f"不在群里：{request.member_id}")
        return pb.RoomMemberPayloadResponse(
            id=member.person_id,
            room_alias=member.alias,
            inviter_id=member.inviter,
            avatar=f"{self._world.avatar_base}{member.person_id}.svg",
            name=self._world.people.get(member.person_id).name,
        )

    def RoomCreate(self, request: pb.RoomCreateRequest) -> pb.Id:
        """Create a group."""
        return pb.Id(id=self._world.rooms.create(self._person.id, request.contact_ids, request.topic).id)

    def RoomAdd(self, request: pb.RoomAddRequest) -> pb.Empty:
        """Add a friend. In a large group they receive an invitation instead, with the same response."""
        self._world.joins.add(self._person.id, request.id, request.contact_id, card=request.invite_only)
        return pb.Empty()

    def RoomDel(self, request: pb.RoomDelRequest) -> pb.Empty:
        """Remove a member."""
        self._world.rooms.remove(self._person.id, request.id, request.contact_id)
        return pb.Empty()

    def RoomQuit(self, request: pb.Id) -> pb.Empty:
        """Leave a group."""
        self._world.rooms.leave(self._person.id, request.id)
        return pb.Empty()

    def RoomTopic(self, request: pb.RoomTopicRequest) -> pb.RoomTopicResponse:
        """Return the topic of a group; set it if the request has one."""
        room = self._world.rooms.seen_by(self._person.id, request.id)
        if request.HasField("topic") or request.HasField("topic_wrapped"):
            topic = request.topic if request.HasField("topic") else request.topic_wrapped.value
            self._world.rooms.set_topic(self._person.id, room.id, topic)
        return pb.RoomTopicResponse(topic_wrapped=StringValue(value=room.topic), topic=room.topic)

    def RoomAnnounce(self, request: pb.RoomAnnounceRequest) -> pb.RoomAnnounceResponse:
        """Return the announcement of a group; set it if the request has one."""
        room = self._world.rooms.seen_by(self._person.id, request.id)
        if request.HasField("text") or request.HasField("text_wrapped"):
            text = request.text if request.HasField("text") else request.text_wrapped.value
            self._world.rooms.announce(self._person.id, room.id, text)
        return pb.RoomAnnounceResponse(text_wrapped=StringValue(value=room.announcement), text=room.announcement)

    def RoomQRCode(self, request: pb.Id) -> pb.RoomQRCodeResponse:
        """Create a group QR code, valid for seven days."""
        return pb.RoomQRCodeResponse(qrcode=self._world.joins.qr_code(self._person.id, request.id))

    def RoomAvatar(self, request: pb.Id) -> pb.FileBoxResponse:
        """Return the avatar of a group."""
        room = self._world.rooms.seen_by(self._person.id, request.id)
        return pb.FileBoxResponse(
            file_box=self._uploads.box(f"{room.id}.svg", svg(room.id, room.topic or "群").encode())
        )

    def RoomInvitationPayload(self, request: pb.RoomInvitationPayloadRequest) -> pb.RoomInvitationPayloadResponse:
        """Return an invitation to the account."""
        card = self._world.joins.invited(self._person.id, request.id)
        room = self._world.rooms.get(card.room_id)
        timestamp = Timestamp()
        timestamp.FromMilliseconds(int(card.at * 1000))
        return pb.RoomInvitationPayloadResponse(
            id=card.id,
            inviter_id=card.inviter,
            topic=room.topic,
            member_count=len(room.members),
            member_ids=list(room.members),
            timestamp_deprecated=int(card.at * 1000),
            avatar=f"{self._world.avatar_base}{room.id}.svg",
            invitation=card.id,
            receiver_id=card.invitee,
            receive_time=timestamp,
        )

    def RoomInvitationAccept(self, request: pb.Id) -> pb.Empty:
        """Accept an invitation."""
        self._world.joins.tap(self._person.id, request.id)
        return pb.Empty()
