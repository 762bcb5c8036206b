"""wxbot: reads the config, builds the parts, starts them in order and stops them in reverse."""

from __future__ import annotations

import gc
import os
import signal

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # until `run` listens there is nothing to finish
    gc.disable()  # until the start is done: what it makes stays, and looking at it again and again is a tenth of it

import argparse
import asyncio
import functools
import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from sqlalchemy.exc import DBAPIError

import handlers
from api import Runner, make_app
from app.container import Container
from app.listener import EventListener
from config import Config, ConfigError, load
from config.settings import AssistantSettings
from jobs import JOBS
from jobs.scheduler import Jobs
from logs import set_up_logging
from models.instance_lock import DatabaseInUse, acquire_instance_lock
from services.clock import Clock
from wechat.assistant import Assistant
from wechat.connection import Timing

if TYPE_CHECKING:
    from sandbox import Sandbox
    from sandbox.systems import Systems

log = logging.getLogger("wxbot")
GRACE = 8.0  # seconds that what runs has to finish after SIGTERM
LIMIT = 9.5  # seconds until the process ends in any case, of the ten that it may take


class Bot:
    """The running bot; tests build it the same way as `main`."""

    def __init__(self, config: Config, timing: Timing | None = None, clock: Clock = time.time) -> None:
        self.config = config
        self.timing = timing
        self.clock = clock
        self.sandbox: Sandbox | None = None
        self.systems: Systems | None = None
        self.jobs: Jobs
        self.container: Container
        self.assistants: list[Assistant] = []
        self.receptions: list[EventListener] = []
        self.port = 0
        self.stopping = asyncio.Event()  # set when it is to stop
        self.database_lost = False  # another process took it
        self._stack = AsyncExitStack()
        self._stop_by = 0.0

    async def start(self) -> None:
        """The database for itself, storage, WeChat, jobs, web, in this order; whatever fails undoes what was begun."""
        async with AsyncExitStack() as stack:
            claimed = await acquire_instance_lock(self.config.database, self._lose_database)
            stack.callback(claimed.close)
            settings = await self._settings(stack)
            sandboxed = [a.account for a in self.config.assistants if a.is_sandboxed]
            self.container = Container(self.config, sandboxed=sandboxed, clock=self.clock)
            self.jobs = Jobs(self.container, JOBS)
            await self._open_storage(stack)
            await self._start_assistants(stack, settings)
            await self.jobs.start()
            stack.push_async_callback(self.jobs.stop)
            await self._start_web(stack)
            self._stack = stack.pop_all()

    def _in_memory(self) -> dict[str, int]:
        """How many events each account has taken and not ended."""
        return {assistant.account: len(r.inbox) for assistant, r in zip(self.assistants, self.receptions, strict=True)}

    async def stop(self) -> None:
        """Stop taking, finish what runs, close; in the reverse order of the start."""
        self._stop_by = time.monotonic() + GRACE
        await self._stack.aclose()

    def _lose_database(self) -> None:
        self.database_lost = True
        self.stopping.set()

    def _grace(self) -> float:
        """How many seconds what runs still has."""
        return max(0.5, self._stop_by - time.monotonic())

    async def _settings(self, stack: AsyncExitStack) -> list[AssistantSettings]:
        """The accounts with the gateways they are reached through; those without one live in the sandbox."""
        homeless = [a.account for a in self.config.assistants if a.is_sandboxed]
        if not homeless:
            return self.config.assistants
        # Late: where there is a gateway nothing of the sandbox is needed, and it is an eighth of the start.
        import sandbox
        from sandbox.systems import start_systems

        where = self.config.sandbox
        staff_room = self.config.customer_service.handoff.staff_room
        with _named("sandbox"):
            self.sandbox = await sandbox.start(
                homeless, host=where.host, port=where.port, state=self._kept("sandbox"), staff_room=staff_room
            )
        stack.push_async_callback(self.sandbox.stop)
        if self.config.systems:
            self.systems = await start_systems(state=self._kept("systems"))
            stack.push_async_callback(self.systems.stop)
        here = {"token": self.sandbox.token, "tls": False}
        return [
            a.model_copy(update={"endpoint": self.sandbox.endpoints[a.account], **here}) if a.is_sandboxed else a
            for a in self.config.assistants
        ]

    def _kept(self, what: str) -> Path | None:
        """The file beside the database in which a part of the sandbox outlives a restart, as the bot's memory does."""
        database = self.config.database_file
        return database.with_suffix(f".{what}") if database else None

    async def _open_storage(self, stack: AsyncExitStack) -> None:
        container = self.container
        await container.store.open()
        stack.push_async_callback(container.store.close)
        stack.push_async_callback(container.http_client.close)
        await container.groups.load()
        await container.blocked_words.load()
        await container.blacklist.load()
        await container.keywords.load()
        await container.questions.load()
        await container.tickets.load()
        stack.push_async_callback(container.daily_stats.drain)
        await container.pace_records.recall()
        stack.push_async_callback(container.pace_records.drain)
        await container.outbox.load()
        await container.admins.load()

    async def _start_assistants(self, stack: AsyncExitStack, settings: list[AssistantSettings]) -> None:
        container, began = self.container, self.container.clock()
        for one in settings:
            handle = functools.partial(handlers.handle, container, began=began)
            reception = EventListener(container, one.account, handle)
            assistant = Assistant(one, reception, self.timing)
            reception.attach(assistant)
            self.receptions.append(reception)
            await reception.start()
            stack.push_async_callback(self._stop_reception, reception)
            await assistant.start()
            stack.push_async_callback(assistant.stop)
            self.assistants.append(assistant)
        stack.push_async_callback(container.token_joins.stop)
        await container.outbox.start()
        stack.push_async_callback(lambda: container.outbox.stop(self._grace()))
        await container.flows.start()
        stack.push_async_callback(lambda: container.flows.stop(self._grace()))

    async def _stop_reception(self, reception: EventListener) -> None:
        await reception.stop(self._grace())

    async def _start_web(self, stack: AsyncExitStack) -> None:
        runner = Runner(make_app(self.container, inboxes=self._in_memory), access_log=None, shutdown_timeout=GRACE / 2)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        with _named("api"):
            await web.TCPSite(runner, self.config.api.host, self.config.api.port).start()
        self.port = runner.addresses[0][1]


@contextmanager
def _named(section: str) -> Iterator[None]:
    """Have what cannot be begun say which section of the config it comes from."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{section}: {error.strerror or error}") from error


async def run(config: Config) -> None:
    """Run until SIGTERM or SIGINT."""
    bot = Bot(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, bot.stopping.set)
    if not await _started(bot):
        return
    gc.enable()
    gc.freeze()  # what is there now stays: the collector need not look at it again and again
    print(_where_to_look(bot), flush=True)
    if bot.container.admins.code:  # on the terminal only: a log may be read by others
        print(f"no admin yet: send “绑定 {bot.container.admins.code}” to the assistant to become one", flush=True)
    await bot.stopping.wait()
    log.info("stopping")
    _end_within(LIMIT)
    try:
        await bot.stop()
    except Exception:  # a full disk, or a database that has gone
        log.exception("not everything could be finished; what is stored goes on at the next start")
    if bot.database_lost:
        raise DatabaseInUse("another wxbot has taken the database")


def _end_within(seconds: float) -> None:
    """End the process then, whatever hangs: a database that does not answer must not keep it for ever."""

    def end() -> None:
        log.error("not everything could be finished in time; what is stored goes on at the next start")
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


async def _started(bot: Bot) -> bool:
    """Start it; False when it was told to stop before it was up."""
    starting, told = asyncio.create_task(bot.start()), asyncio.create_task(bot.stopping.wait())
    await asyncio.wait((starting, told), return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not starting.done():
        _end_within(LIMIT)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return False
    await starting
    return True


def _where_to_look(bot: Bot) -> str:
    """Where to look and what to try, in five lines."""
    url = bot.config.api.public_url
    if bot.sandbox is None:
        return f"wxbot is up: {url}, documented at {url}/docs, state at {url}/readyz"
    account = bot.config.assistants[0].account
    body = json.dumps({"code": "1001", "owner": "宋公明", "assistant": account}, ensure_ascii=False)
    stand_ins = " ".join(bot.systems.urls.values()) if bot.systems else "none"
    return "\n".join(
        (
            f"wxbot is up, with a sandbox WeChat: no real account is touched. Documentation: {url}/docs",
            f"  look:  {bot.sandbox.url}  the sandbox WeChat; be 店长 and say /帮助, or 商户设置, to {account}",
            f"  try:   curl {url}/wxbot/qun -d '{body}'",
            "  then:  open the url it answers with, and be 九纹龙 who adds the assistant with the token shown there",
            f"  also:  {stand_ins}  the business systems that the flows call",
        )
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="wxbot", description="微信智能服务助手")
    parser.add_argument("--config", default="config.yaml", help="the configuration file (default: config.yaml)")
    arguments = parser.parse_args()
    try:
        config = load(arguments.config)
    except ConfigError as error:
        print(f"config: {error}", file=sys.stderr)
        return 2
    set_up_logging(config.log_format)
    try:
        asyncio.run(run(config))
    except ConfigError as error:  # a file that the config names
        print(f"config: {error}", file=sys.stderr)
        return 2
    except (OSError, DatabaseInUse) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 1
    except DBAPIError as error:
        print(f"cannot start: the database: {' '.join(str(error.orig).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
