"""Messages to groups and to staff. A message to a group is a task that the group's owner confirms in their own client
(企业群发, documents 92135 and 93338); only then it is sent."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

from errors import WeChatExpired, WeChatNotYet, WeChatUnsupported
from wechat.directory import CachedDirectory
from wecom.api import WecomApi
from wecom.storage import GroupTask, Storage

CONFIRM_SECONDS: Final = 3 * 86400.0  # time that staff have to confirm it
NOT_CONFIRMED: Final = "a member of staff has not confirmed it in their client yet"


class TaskStatus(IntEnum):
    """The state of a task for one group."""

    WAITING = 0
    SENT = 1
    NO_FRIEND = 2
    TOO_MANY = 3  # the group has reached its monthly limit


class GroupTasks:
    """Sends messages to groups and staff, which 微信客服 cannot."""

    def __init__(
        self, api: WecomApi, storage: Storage, directory: CachedDirectory, agent: int, clock: Callable[[], float]
    ) -> None:
        self._api = api
        self._storage = storage
        self._directory = directory
        self._agent = agent
        self._clock = clock

    async def to_group(self, chat_id: str, content: dict[str, Any], key: str) -> str:
        """Create a task for the message, one per key; return its id once it was sent.

        Raises WeChatNotYet while it is not confirmed; WeChatExpired if it was not confirmed in time or the platform
        does not send it.
        """
        owner = self._directory.rooms[chat_id].owner_id
        task = await self._storage.task(key)
        if task is None:
            task = GroupTask(key, "", self._clock())
            await self._storage.store_task(task)
        if not task.msgid:
            msgid = await self._created_before(task, owner, content) or await self._make(chat_id, owner, content)
            task = GroupTask(key, msgid, task.asked_at)
            await self._storage.store_task(task)
        status = await self._status(task.msgid, owner, chat_id)
        if status is TaskStatus.SENT:
            return task.msgid
        if status is not TaskStatus.WAITING:
            raise WeChatExpired("add_msg_template", f"the platform does not send it: {status.name.lower()}")
        if self._clock() > task.asked_at + CONFIRM_SECONDS:
            raise WeChatExpired("add_msg_template", "no member of staff confirmed it within three days")
        raise WeChatNotYet("add_msg_template", NOT_CONFIRMED)

    async def _make(self, chat_id: str, owner: str, content: dict[str, Any]) -> str:
        body = {"chat_type": "group", "sender": owner, "chat_id_list": [chat_id], **content}
        answer = await self._api.call("externalcontact/add_msg_template", body)
        return str(answer["msgid"])

    async def _created_before(self, task: GroupTask, owner: str, content: dict[str, Any]) -> str:
        """Return the id of a task that was created before the process died, or ""."""
        if self._clock() - task.asked_at < 1:  # requested recently
            return ""
        begin, end = int(task.asked_at) - 60, int(self._clock()) + 60
        body = {"chat_type": "group", "start_time": begin, "end_time": end, "creator": owner, "filter_type": 0}
        answer = await self._api.call("externalcontact/get_groupmsg_list_v2", body)
        taken = await self._storage.task_ids()
        for listed in answer.get("group_msg_list") or ():
            if listed.get("msgid") not in taken and listed.get("text") == content.get("text"):
                return str(listed["msgid"])
        return ""

    async def _status(self, msgid: str, owner: str, chat_id: str) -> TaskStatus:
        body = {"msgid": msgid, "userid": owner, "limit": 500}
        answer = await self._api.call("externalcontact/get_groupmsg_send_result", body)
        for target in answer.get("send_list") or ():
            if target.get("chat_id") == chat_id and target.get("status") in set(TaskStatus):
                return TaskStatus(target["status"])
        return TaskStatus.WAITING

    async def to_staff(self, user_id: str, text: str) -> str:
        """Send a message to a member of staff, as the app."""
        if not self._agent:
            raise WeChatUnsupported("message/send", "agent is not configured")
        body = {"touser": user_id, "msgtype": "text", "agentid": self._agent, "text": {"content": text}}
        answer = await self._api.call("message/send", body | {"enable_duplicate_check": 1})
        return str(answer.get("msgid") or "")
