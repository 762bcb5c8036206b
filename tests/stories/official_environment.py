"""Stories on both channels: an environment on the official one, for customers who talk to the assistant in private."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from app.lifecycle import Bot
from models.wecom import WecomAccountRow
from sandbox.world.model import ChatMessage, Kind
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.official_shop import ACCOUNT, OPEN_KFID, Shop
from tests.waiting import until

KINDS: Final = {"image": Kind.IMAGE, "file": Kind.FILE, "voice": Kind.AUDIO, "video": Kind.VIDEO, "link": Kind.LINK}
SENT: Final = {kind: name for name, kind in KINDS.items()}


class OfficialEnvironment:
    """A bot on the official channel, with those methods of BotEnvironment that are about private chats."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.accounts = [ACCOUNT]
        self.shop = Shop(folder)
        self.shop.extra = config
        self._calls: set[asyncio.Task[None]] = set()

    async def open(self) -> OfficialEnvironment:
        """Start the API and the bot, and wait until it is ready."""
        await self.shop.server.start()
        await self._start_bot()
        return self

    async def close(self) -> None:
        """Stop both."""
        await asyncio.gather(*self._calls)
        await self.shop.close()

    async def restart_bot(self) -> None:
        """Restart the bot."""
        await asyncio.gather(*self._calls)
        await self.bot.stop()
        await self._start_bot()

    async def _start_bot(self) -> None:
        await self.shop.start_bot()
        await self.shop.online()
        self.bot.container.accounts.bind_admin(self.id("店长"))

    @property
    def bot(self) -> Bot:
        """The running bot."""
        return self.shop.bot

    @property
    def url(self) -> str:
        """Base URL of the REST API."""
        return f"http://127.0.0.1:{self.bot.port}"

    @property
    def ahead(self) -> float:
        """Seconds by which the clocks are ahead."""
        return self.shop.ahead

    @ahead.setter
    def ahead(self, seconds: float) -> None:
        self.shop.ahead = seconds

    def id(self, who: str) -> str:
        """Return a customer's id; "bot" is the assistant."""
        return OPEN_KFID if who == "bot" else self.shop.service.customer(who).id

    # ---- customers ----

    def say(self, who: str, text: str, to: str = "bot", mentions: Iterable[str] = ()) -> None:
        """Send a text to the assistant."""
        assert to == "bot"
        assert not list(mentions)
        self.shop.service.say(who, text)
        self._call_back()

    def send_file(self, who: str, kind: Kind, name: str, data: bytes) -> None:
        """Send a picture, voice message, video or file to the assistant."""
        self.shop.service.send(who, SENT[kind], {"media_id": self.shop.file(name, data)})
        self._call_back()

    def _call_back(self) -> None:
        call = asyncio.create_task(self.shop.call_back())
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    def seen(self, who: str, chat: str = "bot") -> list[ChatMessage]:
        """Return the assistant's messages to a customer, oldest first; menus with their choices as numbered lines."""
        assert chat == "bot"
        return [
            _shown(number, message, self.id(who)) for number, message in enumerate(self.shop.service.customer(who).seen)
        ]

    def file_of(self, message: ChatMessage) -> bytes:
        """Return the file of a message."""
        found = self.shop.service.media.get(message.media)
        assert found is not None
        return found[1]

    async def receives(self, who: str, text: str) -> ChatMessage:
        """Wait until the customer sees a text with `text`; return the message."""
        found: ChatMessage = await until(
            lambda: next((m for m in self.seen(who) if text in m.text), None), f"{who} hears {text!r}"
        )
        return found

    async def wait_idle(self) -> None:
        """Wait until the bot has handled all messages: no unhandled events, no unsent messages."""
        await until(self._has_read_all, "all is read")
        listeners, outbox = self.bot.listeners, self.bot.container.outbox
        await until(
            lambda: not any(len(listener.inbox) for listener in listeners) and not any(outbox.waiting().values()),
            "idle",
        )

    async def _has_read_all(self) -> bool:
        row = await self.bot.container.store.read(lambda s: s.get(WecomAccountRow, ACCOUNT))
        return row is not None and row.cursor == f"c{self.shop.service.written}"


def _shown(number: int, message: dict[str, Any], who: str) -> ChatMessage:
    kind = message["msgtype"]
    content = message[kind]
    text = content.get("content", "")
    if kind == "msgmenu":
        lines = [f"{n}. {choice['click']['content']}" for n, choice in enumerate(content["list"], 1)]
        text = "\n".join([content["head_content"], *lines, *filter(None, [content.get("tail_content")])])
    data = content if kind == "link" else {}
    shown = ChatMessage(number, KINDS.get(kind, Kind.TEXT), OPEN_KFID, who, message["at"], text=text, data=data)
    shown.media = content.get("media_id", "")
    return shown


AnyEnvironment = BotEnvironment | OfficialEnvironment
MakeAny = Callable[..., Awaitable[AnyEnvironment]]


@pytest.fixture(params=["gateway", "official"])
async def make_any(request: pytest.FixtureRequest, make_env: MakeEnv, tmp_path: Path) -> AsyncIterator[MakeAny]:
    """Return a function that builds a bot on either channel."""
    opened: list[OfficialEnvironment] = []

    async def make(**config: Any) -> AnyEnvironment:
        if request.param == "gateway":
            return await make_env(**config)
        folder = tmp_path / f"official{len(opened)}"
        folder.mkdir()
        opened.append(OfficialEnvironment(folder, **config))
        return await opened[-1].open()

    yield make
    for env in opened:
        await env.close()


def gateway_only(_reason: str) -> pytest.MarkDecorator:
    """Run a story on the gateway only, because the official channel cannot do what it is about."""
    return pytest.mark.parametrize("make_any", ["gateway"], indirect=True)
