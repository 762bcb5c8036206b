"""Starts the parts of the bot in order and stops them in reverse."""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

import console
import handlers
from api import Runner, make_app
from app.assistants import Assistants
from app.cluster_assistants import ClusterAssistants
from app.container import Container
from app.listener import EventListener
from app.listening import bind, named
from app.reload import prepare
from config import Config, ConfigError
from config.settings import AssistantSettings
from jobs import JOBS
from jobs.scheduler import Jobs
from logs import set_up_logging
from models.instance_lock import acquire_instance_lock
from services.clock import Clock
from services.cluster.parts import ClusterParts
from services.cluster.peers import Peers
from services.upkeep.reload import PreparedChange
from wechat.assistant import Assistant
from wechat.connection import Timing
from wecom.account import WecomAccount

if TYPE_CHECKING:
    from app.cluster import Cluster
    from sandbox import Sandbox
    from sandbox.systems import Systems

log = logging.getLogger(__name__)
FILE_SECONDS: Final = 1.0  # seconds between checks of the database file
GRACE: Final = 8.0  # seconds that running work has to finish after SIGTERM


class Bot:
    """The running bot. Tests use it like `main` does."""

    def __init__(
        self,
        config: Config,
        timing: Timing | None = None,
        clock: Clock = time.time,
        source: Callable[[], Config] | None = None,
    ) -> None:
        self.config = config
        self.source = source
        self.timing = timing
        self.clock = clock
        self.sandbox: Sandbox | None = None
        self.systems: Systems | None = None
        self.jobs: Jobs
        self.container: Container
        self.accounts: Assistants
        self.port = 0
        self._listening: list[socket.socket] = []
        self.stopping = asyncio.Event()  # set to stop the process
        self.database_lost = ""  # why the database must not be used any more
        self.starts_again = False  # this process must become a new member of the cluster
        self.cluster: Cluster | None = None
        self._stack = AsyncExitStack()
        self._stop_by = 0.0
        self._stored: list[AssistantSettings] = []  # accounts added at run time

    async def start(self) -> None:
        """Lock the database, then start storage, accounts, jobs and web server. On failure, what was started is
        stopped.
        """
        async with AsyncExitStack() as stack:
            shared = self.config.cluster.enabled
            lock = await acquire_instance_lock(self.config.database, self._on_lock_lost, shared=shared)
            stack.callback(lock.close)
            with named("api", self.config.api.host, self.config.api.port):  # before the accounts log in
                self._listening = await bind(self.config.api.host, self.config.api.port, stack)
            settings = await self._settings(stack)
            sandboxed = [a.account for a in self.config.assistants if a.is_sandboxed]
            self.container = Container(self.config, sandboxed=sandboxed, clock=self.clock, source=self.source)
            self.container.reloader.on_reload(functools.partial(prepare, self.container))
            self.container.reloader.on_reload(self._prepare_logging)
            self.jobs = Jobs(self.container, JOBS)
            await self._open_storage(stack)
            if self.container.cluster is None:
                await self._load_accounts(stack)
                await self._start_assistants(stack, settings)
            else:
                await self._start_cluster(stack, self.container.cluster)
            await self.jobs.start()
            stack.push_async_callback(self.jobs.stop)
            if self.cluster is not None:
                stack.push_async_callback(
                    self.cluster.stop
                )  # its heartbeat continues until the last request is answered
            await self._start_web(stack)
            watching = asyncio.create_task(self._watch_database_file())
            stack.callback(watching.cancel)
            if self.cluster is not None:
                stack.push_async_callback(self.cluster.drain)
                await self.cluster.start()
            self._stack = stack.pop_all()

    @property
    def assistants(self) -> list[Assistant | WecomAccount]:
        """The running accounts."""
        return self.accounts.running

    @property
    def listeners(self) -> list[EventListener]:
        """The listeners of the running accounts."""
        return self.accounts.listeners

    def _prepare_logging(self, config: Config) -> PreparedChange:
        changed = config.log_format != self.container.config.log_format
        return PreparedChange(lambda: set_up_logging(config.log_format) if changed else None)

    async def reload(self) -> None:
        """Reload the config on SIGHUP; an invalid config changes nothing and is logged."""
        try:
            await self.container.reloader.reload("signal:SIGHUP")
        except ConfigError as error:
            log.error("the config was not reloaded: %s", error)  # noqa: TRY400 - the traceback has no information
        except SQLAlchemyError:
            log.exception("the config was reloaded, but the audit log could not be written")

    async def stop(self) -> None:
        """Stop receiving events, finish running work, and close, in reverse order of the start."""
        self._stop_by = time.monotonic() + GRACE
        await self._stack.aclose()

    def _on_lock_lost(self) -> None:
        self._on_database_lost("another wxbot has taken the database")

    def _on_database_lost(self, reason: str) -> None:
        self.database_lost = self.database_lost or reason
        self.stopping.set()

    async def _watch_database_file(self) -> None:
        while not self.container.store.file.is_lost:  # noqa: ASYNC110 - there is no event to await
            await asyncio.sleep(FILE_SECONDS)
        log.error("the database file was deleted or replaced; stopping")
        self._on_database_lost("the database file was deleted or replaced")

    def _start_again(self) -> None:
        self.starts_again = True
        self._stop_by = time.monotonic()
        self.stopping.set()

    def _grace(self) -> float:
        """Return the seconds that running work still has."""
        if self.starts_again or self.database_lost:
            return 0.1  # whatever it still writes is rejected or lost
        return max(0.5, self._stop_by - time.monotonic())

    async def _settings(self, stack: AsyncExitStack) -> list[AssistantSettings]:
        """Return the accounts with their gateways, starting the sandbox for those without one."""
        without_gateway = [a.account for a in self.config.assistants if a.is_sandboxed]
        if not without_gateway:
            return self.config.assistants
        # imported late: the sandbox takes an eighth of the start time and is not needed with a gateway
        import sandbox
        from sandbox.systems import ports_of, start_systems

        settings = self.config.sandbox
        with named("sandbox", settings.host, settings.port):
            self.sandbox = await sandbox.start(
                without_gateway,
                host=settings.host,
                port=settings.port,
                state=self._sandbox_file("sandbox"),
                staff_room=self.config.customer_service.handoff.staff_room,
                password=settings.password,
            )
        if self.sandbox.password:
            log.warning("sandbox.host %s: others can reach the sandbox WeChat; it asks for a password", settings.host)
        stack.push_async_callback(self.sandbox.stop)
        if self.config.systems:
            ports = ports_of({name: system.base_url for name, system in self.config.systems.items()})
            self.systems = await start_systems(ports=ports, state=self._sandbox_file("systems"))
            stack.push_async_callback(self.systems.stop)
        gateway = {"token": self.sandbox.token, "tls": False}
        return [
            a.model_copy(update={"endpoint": self.sandbox.endpoints[a.account], **gateway}) if a.is_sandboxed else a
            for a in self.config.assistants
        ]

    def _sandbox_file(self, part: str) -> Path | None:
        """Return the file beside the database that stores a part of the sandbox."""
        database = self.config.database_file
        return database.with_suffix(f".{part}") if database else None

    async def _open_storage(self, stack: AsyncExitStack) -> None:
        container = self.container
        await container.store.open()
        if container.cluster is not None:
            stack.push_async_callback(container.cluster.member.close)
            stack.push_async_callback(container.cluster.member.leave)  # once nothing more can be written
            await container.cluster.join(container.store)
        stack.push_async_callback(container.store.close)
        stack.push_async_callback(container.http_client.close)
        stack.push_async_callback(container.similar_questions.close)
        stack.push_async_callback(container.moderator.close)
        if container.cluster is not None and container.peers is not None:
            stack.push_async_callback(container.peers.close)
            self.cluster = self._make_cluster(container.cluster, container.peers)
            await self.cluster.begin()
        await container.blocked_words.load()
        await container.keywords.load()
        await container.faq_entries.load()
        await container.canned_replies.load()
        await container.tls_seen.load()
        await container.clock_trust.load()
        await container.admins.load()
        stack.push_async_callback(container.daily_stats.drain)
        stack.push_async_callback(container.rate_limiters.drain)

    async def _load_accounts(self, stack: AsyncExitStack) -> None:
        """Read the stored state of all accounts in one query."""
        container = self.container
        await container.groups.load()
        await container.blacklist.load()
        await container.question_menus.load()
        await container.fallbacks.load()
        container.similar_questions.prepare()
        await container.tickets.load()
        await container.staff_rooms.load()
        self._stored = await container.stored_assistants.load()
        for assistant in self._stored:
            await container.create_rate_limiter(assistant)
        await container.rate_limiters.restore()
        await container.webhooks.adopt()
        await container.outbox.load()

    async def _start_assistants(self, stack: AsyncExitStack, settings: list[AssistantSettings]) -> None:
        container = self.container
        handle = functools.partial(handlers.handle, container)
        self.accounts = Assistants(container, handle, self._grace, self.timing)
        stack.push_async_callback(self.accounts.stop_all)
        configured = {assistant.account for assistant in settings}
        for assistant in (*settings, *(stored for stored in self._stored if stored.account not in configured)):
            await self.accounts.start(assistant)
        stack.push_async_callback(container.token_joins.stop)
        await container.outbox.start()
        stack.push_async_callback(lambda: container.outbox.stop(self._grace()))
        await container.flow_runs.start()
        stack.push_async_callback(lambda: container.flow_runs.stop(self._grace()))

    def _make_cluster(self, parts: ClusterParts, peers: Peers) -> Cluster:
        from app.cluster import Cluster  # loads psycopg (5 MB), which SQLite does not need

        container = self.container
        handle = functools.partial(handlers.handle, container)
        self.accounts = assistants = ClusterAssistants(container, handle, self._grace, self.timing, parts, peers)
        return Cluster(container, parts, assistants, self.jobs, self._grace, self._start_again)

    async def _start_cluster(self, stack: AsyncExitStack, parts: ClusterParts) -> None:
        """Prepare to serve accounts; each is loaded and connected when its lease is taken."""
        container = self.container
        stack.push_async_callback(self.accounts.stop_all)
        stack.push_async_callback(container.token_joins.stop)
        await container.webhooks.adopt()
        container.similar_questions.prepare()
        await container.outbox.start()
        stack.push_async_callback(lambda: container.outbox.stop(self._grace()))
        container.flow_runs.start_empty()
        stack.push_async_callback(lambda: container.flow_runs.stop(self._grace()))
        log.info("member %s of the cluster, at %s", parts.member.id, parts.address)

    async def _start_web(self, stack: AsyncExitStack) -> None:
        app = make_app(self.container, self.accounts)
        console.add_to(app)
        runner = Runner(app, access_log=None, shutdown_timeout=GRACE / 2)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        for listening in self._listening:
            await web.SockSite(runner, listening).start()
        self.port = runner.addresses[0][1]
