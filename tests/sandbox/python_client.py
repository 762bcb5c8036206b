"""A bot on the stock python-wechaty, run by test_sandbox_clients.py in its own process.

ENDPOINT and TOKEN come from the environment; it prints what it sees as one JSON object per line.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pyee
import pyee.asyncio
import urllib3
import urllib3.util


def patch_dependencies() -> None:
    """Apply what python-wechaty 0.10.7 needs to be imported by current Python versions."""
    pyee.AsyncIOEventEmitter = pyee.asyncio.AsyncIOEventEmitter

    def get_host(url: str) -> Any:
        parsed = urllib3.util.parse_url(url)
        return parsed.scheme or "http", parsed.hostname, parsed.port

    urllib3.get_host = get_host
    from wechaty_puppet.schemas.puppet import PuppetOptions

    PuppetOptions.__hash__ = object.__hash__


def report(what: str, **facts: Any) -> None:
    print(json.dumps({"what": what, **facts}, ensure_ascii=False), flush=True)  # noqa: T201


async def answer(bot: Any, msg: Any) -> None:
    """Do what the text of a message asks for, read its file, and report both."""
    from wechaty_puppet import FileBox

    text = msg.text()
    if text == "ding":
        await msg.say("dong")
    elif text == "find":
        friend = await bot.Contact.find("宋公明")
        room = await bot.Room.find("梁山")
        report("found", contact=friend and friend.contact_id, room=room and room.room_id)
    elif text == "file":
        await msg.say(FileBox.from_base64("aGVsbG8=", "hello.txt"))
    elif msg.type().name in ("MESSAGE_TYPE_IMAGE", "MESSAGE_TYPE_ATTACHMENT"):
        box = await msg.to_file_box()
        report("file", name=box.name, base64=box.base64.decode() if isinstance(box.base64, bytes) else box.base64)
    report("message", text=text, talker=msg.talker().contact_id, type=msg.type().name)


async def run() -> None:
    patch_dependencies()
    from wechaty import Contact, Message, Room, Wechaty, WechatyOptions
    from wechaty_puppet import PuppetOptions

    class Bot(Wechaty):
        async def on_login(self, contact: Contact) -> None:
            report("login", id=contact.contact_id)

        async def on_ready(self, payload: Any) -> None:
            report("ready")

        async def on_room_join(self, room: Room, invitees: list[Contact], inviter: Contact, date: Any) -> None:
            await room.ready()
            report(
                "join", room=room.room_id, topic=await room.topic(), who=[contact.contact_id for contact in invitees]
            )

        async def on_room_leave(self, room: Room, leavers: list[Contact], remover: Contact, date: Any) -> None:
            report("leave", room=room.room_id, who=[contact.contact_id for contact in leavers])

        async def on_message(self, msg: Message) -> None:
            if msg.is_self():
                return
            await answer(self, msg)

    bot = Bot(
        WechatyOptions(
            puppet="wechaty-puppet-service",
            puppet_options=PuppetOptions(token=os.environ["TOKEN"], end_point=os.environ["ENDPOINT"]),
        )
    )

    async def no_plugins(*_: Any) -> None:
        """Do nothing: the plugin manager opens port 5000 and handles signals."""

    bot._plugin_manager.start = no_plugins
    await bot.start()


if __name__ == "__main__":
    asyncio.run(run())
