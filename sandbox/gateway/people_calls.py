"""The protocol's calls about the account itself, contacts, friendships and tags."""

from __future__ import annotations

from google.protobuf.wrappers_pb2 import StringValue

from protocol import puppet_pb2 as pb
from sandbox.gateway.calls import CallHandlers
from sandbox.world.avatars import svg
from sandbox.world.model import NotThere, Person, Refused
from sandbox.world.rooms import is_room

INDIVIDUAL = 1
OFFICIAL = 2


class PeopleCallHandlers(CallHandlers):
    """One account's calls about people."""

    def ContactSelfQRCode(self, request: pb.Empty) -> pb.ContactSelfQRCodeResponse:
        """What others scan to add the account."""
        return pb.ContactSelfQRCodeResponse(qrcode=f"https://u.wechat.com/{self._me.id}")

    def ContactSelfName(self, request: pb.ContactSelfNameRequest) -> pb.Empty:
        """Give the account another nickname."""
        self._world.people.rename(self._me.id, request.name)
        return pb.Empty()

    def ContactSelfSignature(self, request: pb.ContactSelfSignatureRequest) -> pb.Empty:
        """Set the account's own line."""
        self._me.signature = request.signature
        self._world.changed()
        return pb.Empty()

    def ContactList(self, request: pb.Empty) -> pb.IdList:
        """The account's friends, itself among them, as padlocal lists them."""
        return pb.IdList(ids=[self._me.id, *sorted(self._me.friends)])

    def ContactPayload(self, request: pb.Id) -> pb.ContactPayloadResponse:
        """One person as the account sees them: a stranger's 微信号 stays hidden.

        WeChat counts groups among the contacts, and npm's wechaty asks for one as such when its members have changed.
        """
        if is_room(request.id):
            room = self._world.rooms.remembered_by(self._me.id, request.id)
            return pb.ContactPayloadResponse(id=room.id, name=room.topic)
        me, person = self._me, self._world.people.get(request.id)
        near = person.id in me.friends or person is me
        return pb.ContactPayloadResponse(
            id=person.id,
            type=OFFICIAL if person.official else INDIVIDUAL,
            name=person.name,
            avatar=f"{self._world.avatar_base}{person.id}.svg",
            alias=me.aliases.get(person.id, ""),
            friend=person.id in me.friends,
            signature=person.signature,
            weixin=person.weixin if near else "",
            phones=[person.phone] if near and person.phone else [],
        )

    def ContactAlias(self, request: pb.ContactAliasRequest) -> pb.ContactAliasResponse:
        """Read, or set by presence, the remark of a friend."""
        if request.HasField("alias") or request.HasField("alias_wrapped"):
            alias = request.alias if request.HasField("alias") else request.alias_wrapped.value
            self._world.people.set_alias(self._me.id, request.id, alias)
        else:
            alias = self._me.aliases.get(self._world.people.get(request.id).id, "")
        return pb.ContactAliasResponse(alias_wrapped=StringValue(value=alias), alias=alias)

    def ContactAvatar(self, request: pb.ContactAvatarRequest) -> pb.ContactAvatarResponse:
        """A person's picture; setting one is refused."""
        if request.HasField("file_box") or request.HasField("file_box_wrapped"):
            raise Refused("the sandbox draws avatars from names")
        person = self._world.people.get(request.id)
        box = self._uploads.box(f"{person.id}.svg", svg(person.id, person.name).encode())
        return pb.ContactAvatarResponse(file_box_wrapped=StringValue(value=box), file_box=box)

    # ---- friendships ----

    def FriendshipPayload(self, request: pb.FriendshipPayloadRequest) -> pb.FriendshipPayloadResponse:
        """One friendship event's facts."""
        friendship = self._world.people.seen_by(self._me.id, request.id)
        other = friendship.asker if friendship.asked == self._me.id else friendship.asked
        return pb.FriendshipPayloadResponse(
            id=friendship.id,
            contact_id=other,
            hello=friendship.hello,
            type=friendship.type,
            ticket=f"ticket-{friendship.id}",
        )

    def FriendshipAdd(self, request: pb.FriendshipAddRequest) -> pb.Empty:
        """Ask a person to become a friend."""
        self._world.people.ask(self._me.id, request.contact_id, request.hello)
        return pb.Empty()

    def FriendshipAccept(self, request: pb.Id) -> pb.Empty:
        """Say yes to a person."""
        self._world.people.accept(self._me.id, request.id)
        return pb.Empty()

    def FriendshipSearchPhone(self, request: pb.FriendshipSearchPhoneRequest) -> pb.FriendshipSearchResponse:
        """Who has this phone number; empty when nobody."""
        return _found(self._world.people.by_phone(request.phone))

    def FriendshipSearchHandle(self, request: pb.FriendshipSearchHandleRequest) -> pb.FriendshipSearchResponse:
        """Who has this 微信号; empty when nobody."""
        return _found(self._world.people.by_weixin(request.weixin))

    FriendshipSearchWeixin = FriendshipSearchHandle

    # ---- tags ----

    def TagContactAdd(self, request: pb.TagContactRequest) -> pb.Empty:
        """Put a tag on a person; the tag is made where there is none."""
        tagged = self._me.tags.setdefault(request.id, [])
        if self._world.people.get(request.contact_id).id not in tagged:
            tagged.append(request.contact_id)
        self._world.changed()
        return pb.Empty()

    def TagContactRemove(self, request: pb.TagContactRequest) -> pb.Empty:
        """Take a tag off a person."""
        tagged = self._me.tags.get(request.id, [])
        if request.contact_id not in tagged:
            raise NotThere(f"没有这个标签：{request.id}")
        tagged.remove(request.contact_id)
        self._world.changed()
        return pb.Empty()

    def TagContactDelete(self, request: pb.TagContactRequest) -> pb.Empty:
        """Forget a tag altogether."""
        if self._me.tags.pop(request.id, None) is None:
            raise NotThere(f"没有这个标签：{request.id}")
        self._world.changed()
        return pb.Empty()

    def TagContactList(self, request: pb.TagContactListRequest) -> pb.IdList:
        """A person's tags, or all there are."""
        who = request.contact_id or request.contact_id_wrapped.value
        return pb.IdList(ids=[tag for tag, tagged in self._me.tags.items() if not who or who in tagged])


def _found(person: Person | None) -> pb.FriendshipSearchResponse:
    if person is None:
        return pb.FriendshipSearchResponse()
    return pb.FriendshipSearchResponse(contact_id_wrapped=StringValue(value=person.id), contact_id=person.id)
