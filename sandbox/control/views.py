"""JSON representations of the world as seen by one person."""

from __future__ import annotations

from typing import Any, Final

from sandbox.world.model import MEDIA_KINDS, ChatMessage, Kind, Person, WorldRoom
from sandbox.world.rooms import is_room
from sandbox.world.world import World

Json = dict[str, Any]
PREVIEWS: Final = {
    Kind.IMAGE: "[图片]",
    Kind.FILE: "[文件]",
    Kind.AUDIO: "[语音]",
    Kind.VIDEO: "[视频]",
    Kind.EMOTICON: "[表情]",
    Kind.CARD: "[名片]",
    Kind.LINK: "[链接]",
    Kind.MINI_PROGRAM: "[小程序]",
    Kind.LOCATION: "[位置]",
    Kind.INVITATION: "[群聊邀请]",
}


def avatar(thing_id: str) -> str:
    """Return the path of the avatar of a person or group."""
    return f"/api/avatars/{thing_id}.svg"


def person(world: World, subject: Person, viewer: str = "") -> Json:
    """A person; with a viewer, also the viewer's remark and whether they are friends."""
    view: Json = {
        "id": subject.id,
        "name": subject.name,
        "weixin": subject.weixin,
        "avatar": avatar(subject.id),
        "official": subject.official,
        "account": world.accounts.named(subject.id),
    }
    if viewer:
        me = world.people.get(viewer)
        view |= {"alias": me.aliases.get(subject.id, ""), "friend": subject.id in me.friends}
    return view


def account(world: World, name: str, endpoint: str = "") -> Json:
    """The state of an assistant."""
    state = world.accounts.get(name)
    return {
        "name": name,
        "id": state.person_id,
        "nickname": world.accounts.person(name).name,
        "avatar": avatar(state.person_id),
        "online": state.online,
        "connected": world.accounts.connected(name),
        "endpoint": endpoint,
    }


def room(world: World, group: WorldRoom, viewer: str) -> Json:
    """A group with its members."""
    return {
        "id": group.id,
        "topic": group.topic,
        "name": title(world, group.id, viewer),
        "avatar": avatar(group.id),
        "owner": group.owner,
        "admins": sorted(group.admins),
        "announcement": group.announcement,
        "confirm": group.confirm,
        "manages": group.manages(viewer),
        "created_at": group.created_at,
        "members": [
            {
                "id": member.person_id,
                "name": world.name_in(group.id, member.person_id),
                "alias": member.alias,
                "inviter": member.inviter,
                "joined_at": member.joined_at,
                "avatar": avatar(member.person_id),
            }
            for member in group.members.values()
        ],
    }


def title(world: World, chat: str, viewer: str) -> str:
    """Return the name of a chat in the viewer's list."""
    if not is_room(chat):
        return world.people.get(viewer).aliases.get(chat) or world.people.get(chat).name
    group = world.rooms.get(chat)
    names = "、".join(world.people.get(person_id).name for person_id in list(group.members)[:4])
    return group.topic or names or "群聊"


def chat(world: World, chat_id: str, viewer: str) -> Json:
    """An entry of the chat list."""
    last = world.chats.last(viewer, chat_id)
    return {
        "id": chat_id,
        "room": is_room(chat_id),
        "name": title(world, chat_id, viewer),
        "avatar": avatar(chat_id),
        "members": len(world.rooms.get(chat_id).members) if is_room(chat_id) else 2,
        "unread": world.chats.unread(viewer, chat_id),
        "last": _last(world, last) if last else None,
    }


def _last(world: World, msg: ChatMessage) -> Json:
    return {"text": preview(world, msg), "kind": msg.kind, "at": msg.at, "sender": msg.sender, "seq": msg.seq}


def preview(world: World, message: ChatMessage) -> str:
    """Return a short text for a message."""
    if message.recalled or message.kind is Kind.RECALLED:
        return f"“{world.people.get(message.sender).name}”撤回了一条消息"
    return PREVIEWS.get(message.kind, "") + (message.filename or message.text or str(message.data.get("title", "")))


def message(world: World, msg: ChatMessage, viewer: str) -> Json:
    """A message as the viewer sees it; recalled messages have no content."""
    view: Json = {
        "seq": msg.seq,
        "kind": msg.kind,
        "chat": msg.chat_for(viewer),
        "sender": msg.sender,
        "name": world.name_in(msg.to, msg.sender) if msg.in_room else world.people.get(msg.sender).name,
        "avatar": avatar(msg.sender),
        "mine": msg.sender == viewer,
        "at": msg.at,
        "recalled": msg.recalled,
        "text": preview(world, msg) if msg.recalled or msg.kind is Kind.RECALLED else msg.text,
        "mentions": msg.mentions,
    }
    if msg.recalled:
        return view
    if msg.kind in MEDIA_KINDS:
        media = world.state.media[msg.media]
        view["file"] = {"url": f"/api/media/{media.id}", "name": media.name, "size": len(media.data)}
    elif msg.data:
        view["data"] = {**msg.data, **_answer_state(world, msg)}
    return view


def _answer_state(world: World, msg: ChatMessage) -> Json:
    """The state of an invitation or confirmation."""
    if msg.kind is Kind.INVITATION:
        card = world.state.invitations[msg.data["invitation"]]
        return {"state": card.state, "room": card.room_id, "topic": world.rooms.get(card.room_id).topic}
    if msg.kind is Kind.CONFIRMATION:
        return {"state": world.state.confirmations[msg.data["confirmation"]].state}
    return {}


def request(world: World, friendship_id: str) -> Json:
    """A friend request."""
    friendship = world.state.friendships[friendship_id]
    return {
        "id": friendship.id,
        "from": person(world, world.people.get(friendship.asker)),
        "hello": friendship.hello,
        "at": friendship.at,
        "state": friendship.state,
    }
