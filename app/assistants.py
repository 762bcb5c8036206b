"""The running accounts: those of the config, and those added, changed and removed at run time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence, Set
from dataclasses import dataclass

from sqlmodel import Session

from app.container import Container
from app.listener import EventListener
from config.settings import AssistantSettings
from errors import AssistantUnknown, InvalidParameter, WeChatError
from models.durable import Outcome
from models.groups import QunState
from services.accounts.wecom_storage import WecomStorage
from services.work.conversation_workers import Handle
from wechat.assistant import Assistant
from wechat.connecting_accounts import ConnectingAccounts
from wechat.connection import Timing
from wechat.events import RawEvent
from wechat.interface import Capability
from wecom.account import WecomAccount


@dataclass(frozen=True, slots=True)
class AssistantStatus:
    """The status of an account. `waiting`: messages queued; `qr_code`: content of the login QR code."""

    account: str
    state: str
    holder: str
    friends: int
    groups: int
    waiting: int
    capabilities: tuple[str, ...] = ()
    qr_code: str = ""


class Assistants:
    """Starts and stops accounts, one change at a time."""

    def __init__(
        self, container: Container, handle: Handle, grace: Callable[[], float], timing: Timing | None = None
    ) -> None:
        self._container = container
        self._handle = handle
        self._grace = grace
        self._timing = timing
        cluster = container.cluster
        self._address = cluster.address if cluster else container.config.api.public_url
        self._running: dict[str, tuple[Assistant | WecomAccount, EventListener]] = {}
        self._lock = asyncio.Lock()
        self._connecting = ConnectingAccounts()

    # ---- running accounts ----

    @property
    def accounts(self) -> Collection[str]:
        """The names of the accounts that run."""
        return self._running.keys()

    @property
    def listeners(self) -> list[EventListener]:
        """The listeners of the running accounts."""
        return [listener for _, listener in self._running.values()]

    @property
    def running(self) -> list[Assistant | WecomAccount]:
        """The running accounts."""
        return [assistant for assistant, _ in self._running.values()]

    def in_memory(self) -> dict[str, int]:
        """Return the number of unfinished events in memory per account."""
        return {account: len(listener.inbox) for account, (_, listener) in self._running.items()}

    async def start(self, settings: AssistantSettings, epoch: int | None = None) -> None:
        """Resume the unfinished work of an account and connect it. `epoch`: of its lease, if it has one."""
        listener = EventListener(self._container, settings.account, self._handle)
        assistant = self._build(settings, listener)
        listener.attach(assistant)
        self._running[settings.account] = assistant, listener
        await listener.start(epoch)
        await assistant.start()

    def _build(self, settings: AssistantSettings, listener: EventListener) -> Assistant | WecomAccount:
        may_call = self._container.ownership.may_act
        if settings.kind == "wecom":
            container, storage = self._container, self._storage(settings.account, listener)
            return WecomAccount(
                settings, listener, storage, container.clock, lambda: container.transcription.is_on, may_call
            )
        return Assistant(settings, listener, self._timing, self._container.tls_seen, may_call, self._connecting)

    def _storage(self, account: str, listener: EventListener) -> WecomStorage:
        container = self._container

        async def store_events(raws: Sequence[RawEvent], extra_write: Callable[[Session], None]) -> None:
            await listener.inbox.take_all(raws, extra_write)

        def on_customer_message() -> None:
            container.outbox.retry_now(f"wx:{account}")

        return WecomStorage(container.store, account, container.clock, store_events, on_customer_message)

    def disconnect(self, account: str) -> None:
        """Close an account's connection now: running calls fail."""
        if account in self._running:
            self._running[account][0].disconnect()

    async def stop(self, account: str, grace: float | None = None) -> None:
        """Disconnect an account and finish running work; queued work stays in the database."""
        assistant, listener = self._running.pop(account)
        await assistant.stop()
        await listener.stop(self._grace() if grace is None else grace)

    async def stop_all(self) -> None:
        """Stop all accounts at once: one whose work takes long must not use up the time of the others."""
        outcomes = await asyncio.gather(*map(self.stop, list(self._running)), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    # ---- changes at run time ----

    async def statuses(self) -> list[AssistantStatus]:
        """Return the status of every account."""
        return self.local_statuses()

    def local_statuses(self) -> list[AssistantStatus]:
        """Return the status of every account that this process serves."""
        return [self._status(account) for account in self._container.accounts.names()]

    def _status(self, account: str) -> AssistantStatus:
        container = self._container
        wechat = container.accounts.get(account)
        waiting = container.outbox.waiting().get(f"wx:{account}", 0)
        return AssistantStatus(
            account=account,
            state=wechat.state,
            holder=self._address,
            friends=sum(contact.friend for contact in wechat.directory.contacts.values()),
            groups=sum(qun.account == account and qun.state == QunState.ACTIVE for qun in container.groups),
            waiting=waiting,
            capabilities=tuple(sorted(wechat.capabilities)),
            qr_code=wechat.qr_code,
        )

    async def put(self, settings: AssistantSettings, actor: str) -> tuple[AssistantStatus, bool]:
        """Add an account, or change an added one; return its status and whether it is new.

        Raises InvalidParameter for an account of the config, or one without a gateway.
        """
        account = settings.account
        self._check_added(account)
        if settings.is_sandboxed:
            raise InvalidParameter("endpoint: missing or empty; allowed: host:port of a gateway, or authority")
        async with self._lock:
            new = await self._container.stored_assistants.put(settings, actor)
            if account in self._running:
                await self.stop(account)
            await self._container.create_rate_limiter(settings)
            await self.start(settings)
            return self._status(account), new

    async def remove(self, account: str, actor: str) -> None:
        """Remove an added account; raise AssistantUnknown, or InvalidParameter for an account of the config."""
        self._check_added(account)
        async with self._lock:
            if not await self._container.stored_assistants.remove(account, actor):
                raise AssistantUnknown(account)
            if account in self._running:
                await self.stop(account)
            self._container.accounts.remove(account)

    async def log_out(self, account: str, actor: str) -> None:
        """Log an account out at its gateway; NotSupported, AssistantOffline, AssistantUnknown, WeChatError."""
        container = self._container
        container.accounts.require(account, Capability.LOG_OUT)
        wechat = container.accounts.online(account)
        action = await container.audit.begin(account, "log_out", actor, account)
        try:
            await wechat.log_out()
        except WeChatError as error:
            await container.audit.end(action, Outcome.FAILED, str(error))
            raise
        await container.audit.end(action, Outcome.DONE)

    def _check_added(self, account: str) -> None:
        """Raise InvalidParameter for an account of the config: only added ones can be changed here."""
        if account in self.configured():
            raise InvalidParameter(f"account: {account} is configured in config.yaml")

    def configured(self) -> Set[str]:
        """The accounts of the config."""
        return {settings.account for settings in self._container.config.assistants}
