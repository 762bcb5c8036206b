"""Protocol calls about the account itself, contacts, friendships and tags."""

from __future__ import annotations

from google.protobuf.wrappers_pb2 import StringValue

from protocol import puppet_pb2 as pb
from sandbox.gateway.calls import CallHandlers
from sandbox.world.avatars import svg
from sandbox.world.model import ObjectNotFound, Person, Refused
from sandbox.world.rooms import is_room

INDIVIDUAL = 1
OFFICIAL = 2


class PeopleCallHandlers(CallHandlers):
    """Calls of one account about people."""

    def ContactSelfQRCode(self, request: pb.Empty) -> pb.ContactSelfQRCodeResponse:
        """Return the content of the account's QR code."""
        return pb.ContactSelfQRCodeResponse(qrcode=f"https://u.wechat.com/{self._person.id}")

    def ContactSelfName(self, request: pb.ContactSelfNameRequest) -> pb.Empty:
        """Change the account's nickname."""
        self._world.people.rename(self._person.id, request.name)
        return pb.Empty()

    def ContactSelfSignature(self, request: pb.ContactSelfSignatureRequest) -> pb.Empty:
        """Set the account's signature."""
        self._person.signature = request.signature
        self._world.changed()
        return pb.Empty()

    def ContactList(self, request: pb.Empty) -> pb.IdList:
        """List the account's friends and itself, as padlocal does."""
        return pb.IdList(ids=[self._person.id, *sorted(self._person.friends)])

    def ContactPayload(self, request: pb.Id) -> pb.ContactPayloadResponse:
        """Return a contact as the account sees it; the 微信号 of a stranger is hidden.

        WeChat's contact list includes groups, and npm's wechaty requests a group as a contact when its members have
        changed.
        """
        if is_room(request.id):
            room = self._world.rooms.seen_or_left_by(self._person.id, request.id)
            return pb.ContactPayloadResponse(id=room.id, name=room.topic)
        me, person = self._person, self._world.people.get(request.id)
        is_visible = person.id in me.friends or person is me
        return pb.ContactPayloadResponse(
            id=person.id,
            type=OFFICIAL if person.official else INDIVIDUAL,
            name=person.name,
            avatar=f"{self._world.avatar_base}{person.id}.svg",
            alias=me.aliases.get(person.id, ""),
            friend=person.id in me.friends,
            signature=person.signature,
            weixin=person.weixin if is_visible else "",
            phones=[person.phone] if is_visible and person.phone else [],
        )

    def ContactAlias(self, request: pb.ContactAliasRequest) -> pb.ContactAliasResponse:
        """Return the remark of a friend; set it if the request has one."""
        if request.HasField("alias") or request.HasField("alias_wrapped"):
            alias = request.alias if request.HasField("alias") else request.alias_wrapped.value
            self._world.people.set_alias(self._person.id, request.id, alias)
        else:
            alias = self._person.aliases.get(self._world.people.get(request.id).id, "")
        return pb.ContactAliasResponse(alias_wrapped=StringValue(value=alias), alias=alias)

    def ContactAvatar(self, request: pb.ContactAvatarRequest) -> pb.ContactAvatarResponse:
        """Return a person's avatar; setting one is rejected."""
        if request.HasField("file_box") or request.HasField("file_box_wrapped"):
            raise Refused("avatars cannot be set in the sandbox")
        person = self._world.people.get(request.id)
        box = self._uploads.box(f"{person.id}.svg", svg(person.id, person.name).encode())
        return pb.ContactAvatarResponse(file_box_wrapped=StringValue(value=box), file_box=box)

    # ---- friendships ----

    def FriendshipPayload(self, request: pb.FriendshipPayloadRequest) -> pb.FriendshipPayloadResponse:
        """Return a friendship."""
        friendship = self._world.people.seen_by(self._person.id, request.id)
        other = friendship.asker if friendship.asked == self._person.id else friendship.asked
        return pb.FriendshipPayloadResponse(
            id=friendship.id,
            contact_id=other,
            hello=friendship.hello,
            type=friendship.type,
            ticket=f"ticket-{friendship.id}",
        )

    def FriendshipAdd(self, request: pb.FriendshipAddRequest) -> pb.Empty:
        """Send a friend request."""
        self._world.people.ask(self._person.id, request.contact_id, request.hello)
        return pb.Empty()

    def FriendshipAccept(self, request: pb.Id) -> pb.Empty:
        """Accept a friend request."""
        self._world.people.accept(self._person.id, request.id)
        return pb.Empty()

    def FriendshipSearchPhone(self, request: pb.FriendshipSearchPhoneRequest) -> pb.FriendshipSearchResponse:
        """Find a person by phone number; empty if there is none."""
        return _found(self._world.people.by_phone(request.phone))

    def FriendshipSearchHandle(self, request: pb.FriendshipSearchHandleRequest) -> pb.FriendshipSearchResponse:
        """Find a person by 微信号; empty if there is none."""
        return _found(self._world.people.by_weixin(request.weixin))

    FriendshipSearchWeixin = FriendshipSearchHandle

    # ---- tags ----

    def TagContactAdd(self, request: pb.TagContactRequest) -> pb.Empty:
        """Add a tag to a person, creating the tag if necessary."""
        tagged = self._person.tags.setdefault(request.id, [])
        if self._world.people.get(request.contact_id).id not in tagged:
            tagged.append(request.contact_id)
        self._world.changed()
        return pb.Empty()

    def TagContactRemove(self, request: pb.TagContactRequest) -> pb.Empty:
        """Remove a tag from a person."""
        tagged = self._person.tags.get(request.id, [])
        if request.contact_id not in tagged:
            raise ObjectNotFound(f"没有这个标签：{request.id}")
        tagged.remove(request.contact_id)
        self._world.changed()
        return pb.Empty()

    def TagContactDelete(self, request: pb.TagContactRequest) -> pb.Empty:
        """Delete a tag."""
        if self._person.tags.pop(request.id, None) is None:
            raise ObjectNotFound(f"没有这个标签：{request.id}")
        self._world.changed()
        return pb.Empty()

    def TagContactList(self, request: pb.TagContactListRequest) -> pb.IdList:
        """List the tags of a person, or all tags."""
        contact_id = request.contact_id or request.contact_id_wrapped.value
        return pb.IdList(
            ids=[tag for tag, tagged in self._person.tags.items() if not contact_id or contact_id in tagged]
        )


def _found(person: Person | None) -> pb.FriendshipSearchResponse:
    if person is None:
        return pb.FriendshipSearchResponse()
    return pb.FriendshipSearchResponse(contact_id_wrapped=StringValue(value=person.id), contact_id=person.id)
