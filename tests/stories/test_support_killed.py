"""kill -9 during relaying: no message of a customer or staff member is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import yaml

import sandbox
from sandbox.world.model import Kind
from sandbox.world.world import World
from tests.preloaded import PreloadedProcess, start_bot
from tests.stories.conftest import ACCOUNT, NAMES
from tests.stories.service import STAFF_ROOM, words
from tests.waiting import SECONDS, until

ROOT = Path(__file__).parents[2]
CUSTOMER, STAFF, OTHER = NAMES["黑旋风"], NAMES["宋公明"], NAMES["店长"]


class Process:
    """bot.py as a child process, with a database that is kept."""

    def __init__(self, folder: Path, endpoint: str, token: str) -> None:
        self.database = folder / "wxbot.db"
        self._config = folder / "config.yaml"
        self._log = folder / "log"
        self._starts = 0
        assistant = {"account": ACCOUNT, "endpoint": endpoint, "token": token, "tls": False}
        always = {"days": "mon-sun", "from": "00:00", "to": "24:00"}
        config = {
            "assistants": [assistant],
            "database": f"sqlite:///{self.database}",
            "api": {"port": 0},
            "admins": ["wxid_admin"],
            "pacing": {"enabled": False},
            "customer_service": {"handoff": {"hours": always}, "faq": ""},
        }
        self._config.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")

    @asynccontextmanager
    async def run(self) -> AsyncIterator[PreloadedProcess]:
        """Context of a running process; it is killed at the end."""
        self._starts += 1
        process = await start_bot(self._config, self._log, os.environ)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.wait()

    def is_online(self) -> bool:
        """Whether its assistant is online."""
        return self._log.read_text(encoding="utf-8").count(f"{ACCOUNT}: online") == self._starts

    def has_stored(self, ids: list[str]) -> bool:
        """Whether these events are in the inbox."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            stored = {row[0] for row in connection.execute("SELECT event_id FROM inboxevent")}
        return stored.issuperset(ids)


@pytest.mark.parametrize("hanging", ["*", "MessageSendText", "MessageFile", "MessageSendFile"])
async def test_kill_9_during_relaying_loses_nothing(tmp_path: Path, hanging: str) -> None:
    """The bot is killed during a WeChat call: reading a message, fetching a picture, or sending."""
    world = World.default([ACCOUNT], seed=1)
    env = await sandbox.start([ACCOUNT], port=0, world=world)
    try:
        bot = world.accounts.person(ACCOUNT).id
        room = world.rooms.create(OTHER, [STAFF, bot], STAFF_ROOM).id
        process = Process(tmp_path, env.endpoints[ACCOUNT], env.token)

        def staff_sees() -> list[str]:
            return words([m for m in world.chats.history(STAFF, room, limit=500) if m.sender == bot])

        def customer_sees() -> list[str]:
            return words([m for m in world.chats.history(CUSTOMER, bot, limit=500) if m.sender == bot])

        async with process.run():
            await until(process.is_online, "the bot is ready", SECONDS)
            world.chats.say(CUSTOMER, bot, "人工")
            await until(lambda: "请求人工服务" in "".join(staff_sees()), "a ticket is open")
            await until(lambda: customer_sees()[-1:] == ["正在为您转接人工客服，请稍候。"], "the customer is told")
            world.faults.call(hanging, "hang")
            said = [world.chats.say(CUSTOMER, bot, f"第{n}句") for n in range(3)]
            said.append(world.chats.send_media(CUSTOMER, bot, Kind.IMAGE, "broken.png", b"\x89PNG broken"))
            said += [world.chats.say(STAFF, room, answer) for answer in ("#1 答复一", "#1 答复二")]
            said.append(world.chats.say(CUSTOMER, bot, "最后一句"))
            ids = [world.chats.wire_id(ACCOUNT, message) for message in said]
            await until(lambda: process.has_stored(ids), "all is stored")
        world.faults.clear()
        assert "【#1 黑旋风】最后一句" not in staff_sees()

        async with process.run():
            await until(lambda: "【#1 黑旋风】最后一句" in staff_sees(), "the staff has heard it all", SECONDS)
            await until(lambda: "答复二" in customer_sees(), "the customer has heard it all", SECONDS)
            await until(lambda: "<image>" in staff_sees(), "the picture, which does not delay the words", SECONDS)
    finally:
        await env.stop()
    relayed = [w for w in staff_sees() if w.startswith("【#1 黑旋风】") and "句" in w]
    assert list(dict.fromkeys(relayed)) == [f"【#1 黑旋风】{w}" for w in ("第0句", "第1句", "第2句", "最后一句")]
    replies_to = [w for w in customer_sees() if w.startswith("答复")]
    assert list(dict.fromkeys(replies_to)) == ["答复一", "答复二"]
    # messages not yet recorded as sent are sent again
    assert max(map([*relayed, *replies_to].count, relayed + replies_to)) <= 2
