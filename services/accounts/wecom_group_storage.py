"""The database rows behind the groups of an account on the official channel (wecom.storage.GroupStorage)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import select

from models.db import Store
from models.wecom import WecomChat, WecomGroupTask
from wecom.storage import Chat, GroupTask


class WecomGroupStorage:
    """The groups and group messages of an account."""

    def __init__(self, store: Store, account: str) -> None:
        self._store = store
        self._account = account

    async def chats(self) -> Sequence[Chat]:
        """Return the groups that are joined by a code."""
        query = select(WecomChat).where(WecomChat.account == self._account)
        rows = await self._store.read(lambda s: s.exec(query).all())
        return [Chat(row.chat_id, row.state, row.config_id, row.picture) for row in rows]

    async def store_chat(self, chat: Chat) -> None:
        """Insert or update a group."""
        row = WecomChat(
            account=self._account, chat_id=chat.id, state=chat.state, config_id=chat.config_id, picture=chat.picture
        )
        await self._store.write(lambda s: s.merge(row))

    async def delete_chat(self, chat_id: str) -> None:
        """Delete a group."""
        key = (self._account, chat_id)
        await self._store.write(lambda s: s.delete(row) if (row := s.get(WecomChat, key)) is not None else None)

    async def task(self, key: str) -> GroupTask | None:
        """Return the task of one of our messages."""
        row = await self._store.read(lambda s: s.get(WecomGroupTask, (self._account, key)))
        return GroupTask(row.key, row.msgid, row.asked_at) if row is not None else None

    async def store_task(self, task: GroupTask) -> None:
        """Insert or update a task."""
        row = WecomGroupTask(account=self._account, key=task.key, msgid=task.msgid, asked_at=task.asked_at)
        await self._store.write(lambda s: s.merge(row))

    async def task_ids(self) -> set[str]:
        """Return the msgids of all tasks."""
        query = select(WecomGroupTask.msgid).where(WecomGroupTask.account == self._account)
        return set(await self._store.read(lambda s: s.exec(query).all()))
