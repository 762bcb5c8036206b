"""Messages: sending, recalling, reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sandbox.world.model import (
    MEDIA_KINDS,
    PEOPLE_ONLY,
    ROOM_SUFFIX,
    ChatMessage,
    Kind,
    MediaFile,
    ObjectNotFound,
    Refused,
)

if TYPE_CHECKING:
    from sandbox.world.world import World

RECALL_SECONDS: Final = 120
SEQ_DIGITS: Final = 12


def private_chat_key(first: str, second: str) -> str:
    """Return the key of the chat between two people."""
    return "|".join(sorted((first, second)))


class ChatRules:
    """All messages of the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_chat: dict[str, list[int]] = {}
        self._partners: dict[str, set[str]] = {}
        for message in world.state.messages.values():
            self._index(message)

    # ---- sending ----

    def say(self, sender: str, to: str, text: str, mentions: Sequence[str] = ()) -> ChatMessage:
        """Send a text to a person or group, adding an @ for mentioned people not named in it."""
        if not text.strip():
            raise Refused("不能发送空白消息")
        self._check(sender, to)
        mentioned = [id for id in dict.fromkeys(mentions) if self._is_member(to, id)]
        mentioned_names = [f"@{self._world.name_in(to, id)}\u2005" for id in mentioned]
        prefix = "".join(mention for mention in mentioned_names if mention.rstrip("\u2005") not in text)
        return self.post(Kind.TEXT, sender, to, text=prefix + text, mentions=mentioned)

    def send_media(self, sender: str, to: str, kind: Kind, name: str, data: bytes) -> ChatMessage:
        """Send an image, file, voice message, video or sticker."""
        if kind not in MEDIA_KINDS:
            raise Refused(f"不是文件类消息：{kind}")
        self._check(sender, to)
        media = self.store_media(name, data)
        return self.post(kind, sender, to, media=media.id, filename=media.name)

    def send_card(self, sender: str, to: str, contact_id: str) -> ChatMessage:
        """Send a contact card."""
        self._check(sender, to)
        person = self._world.people.get(contact_id)
        return self.post(Kind.CARD, sender, to, data={"contact_id": person.id, "name": person.name})

    def send_data(self, sender: str, to: str, kind: Kind, data: dict[str, Any]) -> ChatMessage:
        """Send a link, a mini-program or a location."""
        self._check(sender, to)
        return self.post(kind, sender, to, data=data)

    def forward(self, sender: str, message: ChatMessage, to: str) -> ChatMessage:
        """Forward a received message."""
        if message.kind in PEOPLE_ONLY or message.recalled:
            raise Refused("此消息不能转发")
        self._check(sender, to)
        return self.post(
            message.kind,
            sender,
            to,
            text=message.text,
            media=message.media,
            filename=message.filename,
            data=message.data,
        )

    def recall(self, by: str, seq: int) -> ChatMessage:
        """Recall an own message within two minutes, once."""
        message = self.visible_message(by, seq)
        if message.sender != by or message.kind in PEOPLE_ONLY:
            raise Refused("只能撤回自己的消息")
        if message.recalled or self._world.clock() - message.at > RECALL_SECONDS:
            raise Refused("消息已撤回或超过两分钟，不能撤回")
        message.recalled = True
        return self.post(Kind.RECALLED, by, message.to, data={"seq": seq}, audience=message.audience)

    def store_media(self, name: str, data: bytes) -> MediaFile:
        """Store a file."""
        if not data:
            raise Refused("不能发送空文件")
        state = self._world.state
        media = MediaFile(self._world.new_id("media_", state.media), name or "file", data)
        state.media[media.id] = media
        return media

    def post(self, kind: Kind, sender: str, to: str, audience: Iterable[str] = (), **fields: Any) -> ChatMessage:
        """Add a message and notify everyone who sees it, without checking any rules."""
        world = self._world
        seen_by = frozenset(audience) or (
            world.rooms.get(to).audience if to.endswith(ROOM_SUFFIX) else frozenset((sender, to))
        )
        message = ChatMessage(world.next_number(), kind, sender, to, world.clock(), audience=seen_by, **fields)
        world.state.messages[message.seq] = message
        self._index(message)
        world.changed()
        if kind not in PEOPLE_ONLY:
            for account in world.accounts.assistants_among(seen_by):
                world.accounts.emit(account, "message", {"messageId": self.wire_id(account, message)})
        for person_id in world.feed.with_readers(seen_by):
            world.emit(person_id, {"type": "message", "chat": message.chat_for(person_id), "seq": message.seq})
        return message

    def _check(self, sender: str, to: str) -> None:
        people = self._world.people
        if to.endswith(ROOM_SUFFIX):
            if sender not in self._world.rooms.get(to).members:
                raise Refused("你不在该群聊中，不能发送消息")
            return
        if to == sender:
            return
        if to not in people.get(sender).friends:
            people.get(to)
            raise Refused("对方不是你的好友，不能发送消息")
        if sender not in people.get(to).friends:
            people.needs_verifying(sender, to)
            raise Refused("对方开启了朋友验证，你还不是他（她）朋友")

    def _is_member(self, to: str, person_id: str) -> bool:
        return to.endswith(ROOM_SUFFIX) and person_id in self._world.rooms.get(to).members

    def _index(self, message: ChatMessage) -> None:
        key = message.to if message.in_room else private_chat_key(message.sender, message.to)
        self._by_chat.setdefault(key, []).append(message.seq)
        if not message.in_room:
            self._partners.setdefault(message.sender, set()).add(message.to)
            self._partners.setdefault(message.to, set()).add(message.sender)

    # ---- reading ----

    def visible_message(self, viewer: str, seq: int) -> ChatMessage:
        """Return a message that this person can see; raise ObjectNotFound."""
        message = self._world.state.messages.get(seq)
        if message is None or viewer not in message.audience:
            raise ObjectNotFound(f"没有这条消息：{seq}")
        return message

    def wire_id(self, account: str, message: ChatMessage) -> str:
        """Return the message's id for this assistant: message ids differ between accounts."""
        return f"{self._world.accounts.person(account).uin}{message.seq:0{SEQ_DIGITS}d}"

    def by_wire_id(self, account: str, wire_id: str) -> ChatMessage:
        """Return the message with this id of the assistant; raise ObjectNotFound, also for ids of other accounts."""
        me = self._world.accounts.person(account)
        uin, seq = wire_id[:-SEQ_DIGITS], wire_id[-SEQ_DIGITS:]
        if uin != str(me.uin) or not (seq.isascii() and seq.isdigit()):
            raise ObjectNotFound(f"没有这条消息：{wire_id}")
        message = self.visible_message(me.id, int(seq))
        if message.kind in PEOPLE_ONLY:
            raise ObjectNotFound(f"没有这条消息：{wire_id}")
        return message

    def history(self, viewer: str, chat: str, *, before: int | None = None, limit: int = 50) -> list[ChatMessage]:
        """Return the newest messages of a chat that this person can see, oldest first."""
        older = (m for m in self._newest(viewer, chat) if before is None or m.seq < before)
        return list(islice(older, limit))[::-1]

    def unread(self, viewer: str, chat: str) -> int:
        """Count the messages of others that this person has not read."""
        read = self._world.people.get(viewer).read.get(chat, 0)
        count = 0
        for message in self._newest(viewer, chat):
            if message.seq <= read:
                break
            count += message.sender != viewer and message.kind is not Kind.NOTE
        return count

    def mark_read(self, viewer: str, chat: str) -> None:
        """Mark all messages of a chat as read."""
        newest = next(self._newest(viewer, chat), None)
        if newest is not None:
            self._world.people.get(viewer).read[chat] = newest.seq
            self._world.changed()

    def of(self, viewer: str) -> list[str]:
        """Return the chats of a person (groups and private ones), most recent first."""
        rooms = [room.id for room in self._world.state.rooms.values() if viewer in room.members]
        chats = [*rooms, *self._partners.get(viewer, ())]
        return sorted(chats, key=lambda chat: -self._last_seq(viewer, chat))

    def last(self, viewer: str, chat: str) -> ChatMessage | None:
        """Return the newest message of a chat."""
        return next(self._newest(viewer, chat), None)

    def _last_seq(self, viewer: str, chat: str) -> int:
        last = self.last(viewer, chat)
        return last.seq if last else 0

    def _newest(self, viewer: str, chat: str) -> Iterator[ChatMessage]:
        key = chat if chat.endswith(ROOM_SUFFIX) else private_chat_key(viewer, chat)
        messages = self._world.state.messages
        for seq in reversed(self._by_chat.get(key, [])):
            if viewer in messages[seq].audience:
                yield messages[seq]
