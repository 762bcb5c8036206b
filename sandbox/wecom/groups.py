"""The rules of 客户群: staff make groups, customers join by the QR code of a join way, staff confirm what is sent."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.wecom.answers import OK, refused

CAPACITY: Final = 500
MAX_CHATS: Final = 5  # groups of a join way
MAX_STATE: Final = 30
PICTURE: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8ffff3f0005fe02fe"
    "a735819f0000000049454e44ae426082"
)


@dataclass(slots=True)
class GroupChat:
    """A 客户群."""

    chat_id: str
    name: str
    owner: str  # a userid
    members: dict[str, dict[str, Any]] = field(default_factory=dict)  # by userid or external_userid
    seen: list[dict[str, Any]] = field(default_factory=list)  # messages sent to it


@dataclass(slots=True)
class JoinWay:
    """A QR code to join groups by."""

    chat_ids: list[str]
    state: str
    auto_create: bool
    base_name: str


@dataclass(slots=True)
class MassMessage:
    """A message that waits for its sender."""

    msgid: str
    sender: str
    chat_ids: list[str]
    content: dict[str, Any]
    at: int
    status: int = 0


class GroupService:
    """The groups of a corp. `capacity`: how many members a group has at most."""

    def __init__(self, clock: Callable[[], float] = time.time, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self.chats: dict[str, GroupChat] = {}
        self.join_ways: dict[str, JoinWay] = {}
        self.tasks: dict[str, MassMessage] = {}
        self.stale_reads = 0  # how many of the next readings still return the earlier members
        self._earlier_members: dict[str, list[dict[str, Any]]] = {}
        self.calls: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "externalcontact/groupchat/get": self._get,
            "externalcontact/groupchat/add_join_way": self._add_join_way,
            "externalcontact/groupchat/get_join_way": self._get_join_way,
            "externalcontact/groupchat/del_join_way": self._del_join_way,
            "externalcontact/add_msg_template": self._add_msg_template,
            "externalcontact/get_groupmsg_list_v2": self._list_messages,
            "externalcontact/get_groupmsg_send_result": self._send_result,
        }

    # ---- what people do ----

    def make(self, name: str, owner: str, owner_name: str = "") -> str:
        """Create a group; return its chat_id."""
        chat = GroupChat(f"wr{secrets.token_hex(8)}", name, owner)
        self.chats[chat.chat_id] = chat
        self._enter(chat, owner, owner_name or owner, kind=1)
        return chat.chat_id

    def scan(self, config_id: str, external_id: str, name: str) -> str:
        """Let a person scan a join way's code; return the chat_id of the first group that is not full, or ""."""
        join_way = self.join_ways[config_id]
        for id in join_way.chat_ids:
            if len(self.chats[id].members) < self._capacity:
                self._enter(self.chats[id], external_id, name, state=join_way.state)
                return id
        if not join_way.auto_create:
            return ""
        first = self.chats[join_way.chat_ids[0]]
        id = self.make(join_way.base_name or first.name, first.owner, first.members[first.owner]["name"])
        join_way.chat_ids.append(id)
        self._enter(self.chats[id], external_id, name, state=join_way.state)
        return id

    def leave(self, chat_id: str, id: str) -> None:
        """A member leaves."""
        self._earlier_members[chat_id] = list(self.chats[chat_id].members.values())
        del self.chats[chat_id].members[id]

    def confirm(self, msgid: str, status: int = 1) -> None:
        """The sender confirms a message (1), or the platform does not send it (2, 3)."""
        task = self.tasks[msgid]
        task.status = status
        for id in task.chat_ids if status == 1 else ():
            self.chats[id].seen.append(task.content)

    def _enter(self, chat: GroupChat, id: str, name: str, *, kind: int = 2, state: str = "") -> None:
        self._earlier_members[chat.chat_id] = list(chat.members.values())
        member = {"userid": id, "type": kind, "name": name, "join_time": int(self._clock()), "join_scene": 3}
        chat.members[id] = member | ({"state": state} if state else {})

    # ---- what the API does ----

    def _get(self, body: dict[str, Any]) -> dict[str, Any]:
        chat = self.chats.get(str(body.get("chat_id")))
        if chat is None:
            return refused(40050, "invalid chat_id")
        members = list(chat.members.values())
        if self.stale_reads:
            self.stale_reads -= 1
            members = self._earlier_members.get(chat.chat_id, members)
        facts = {"chat_id": chat.chat_id, "name": chat.name, "owner": chat.owner, "admin_list": []}
        return {**OK, "group_chat": {**facts, "member_list": members}}

    def _add_join_way(self, body: dict[str, Any]) -> dict[str, Any]:
        chat_ids = list(body.get("chat_id_list") or ())
        if not 0 < len(chat_ids) <= MAX_CHATS or any(id not in self.chats for id in chat_ids):
            return refused(40050, "invalid chat_id")
        if len(str(body.get("state") or "")) > MAX_STATE or body.get("scene") not in (1, 2):
            return refused(40058, "invalid request parameter")
        config_id = secrets.token_hex(16)
        auto_create = bool(body.get("auto_create_room", 1))
        self.join_ways[config_id] = JoinWay(
            chat_ids, str(body["state"]), auto_create, str(body.get("room_base_name") or "")
        )
        return {**OK, "config_id": config_id}

    def _get_join_way(self, body: dict[str, Any]) -> dict[str, Any]:
        join_way = self.join_ways.get(str(body.get("config_id")))
        if join_way is None:
            return refused(41044, "invalid config_id")
        picture = f"{body.get('picture_base', '')}/qr/{body['config_id']}.png"
        return {**OK, "join_way": {"chat_id_list": join_way.chat_ids, "state": join_way.state, "qr_code": picture}}

    def _del_join_way(self, body: dict[str, Any]) -> dict[str, Any]:
        return OK if self.join_ways.pop(str(body.get("config_id")), None) else refused(41044, "invalid config_id")

    def _add_msg_template(self, body: dict[str, Any]) -> dict[str, Any]:
        content = {key: body[key] for key in ("text", "attachments") if body.get(key)}
        chat_ids = list(body.get("chat_id_list") or ())
        if body.get("chat_type") != "group" or not content:
            return refused(40058, "invalid request parameter")
        if any(id not in self.chats or self.chats[id].owner != body.get("sender") for id in chat_ids):
            return refused(41064, "no customer group of the sender")
        task = MassMessage(f"msg{secrets.token_hex(8)}", body["sender"], chat_ids, content, int(self._clock()))
        self.tasks[task.msgid] = task
        return {**OK, "fail_list": [], "msgid": task.msgid}

    def _list_messages(self, body: dict[str, Any]) -> dict[str, Any]:
        tasks = [t for t in self.tasks.values() if body["start_time"] <= t.at <= body["end_time"]]
        return {**OK, "group_msg_list": [{"msgid": t.msgid, "creator": t.sender, **t.content} for t in tasks]}

    def _send_result(self, body: dict[str, Any]) -> dict[str, Any]:
        task = self.tasks.get(str(body.get("msgid")))
        if task is None or task.sender != body.get("userid"):
            return refused(41063, "invalid msgid")
        return {
            **OK,
            "send_list": [{"chat_id": id, "userid": task.sender, "status": task.status} for id in task.chat_ids],
        }
