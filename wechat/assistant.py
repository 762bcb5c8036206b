"""A WeChat account: a Wechaty bot over a supervised connection. Accounts share no state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from errors import WeChatUnsupported
from protocol.supervision import end
from wechat.account_calls import PeopleCalls, Sending
from wechat.compat import PuppetOptions, Wechaty, WechatyOptions
from wechat.connecting_accounts import ConnectingAccounts
from wechat.connection import Connection, Timing, TlsSeen
from wechat.directory import CachedDirectory
from wechat.directory_reader import DirectoryReader
from wechat.directory_sync import DirectorySync
from wechat.directory_updates import DirectoryUpdates
from wechat.event_resolver import EventResolver, OnConversation
from wechat.events import Event, RawEvent
from wechat.gateway_clock import GatewayClock
from wechat.gateway_events import GatewayEvents
from wechat.group_calls import GroupCalls
from wechat.interface import PUPPET, Listener, ScanState, State
from wechat.problems import Problem, Reason
from wechat.puppet import PatchedPuppet
from wechat.relay_progress import RelayProgress
from wechat.sent_messages import SentMessages

if TYPE_CHECKING:
    from config.settings import AssistantSettings

log = logging.getLogger(__name__)

WAITING: Final = 1000  # events waiting to be stored, above which reading from the gateway pauses
STORE_ATTEMPTS: Final = 6
DRAIN_SECONDS: Final = 5.0


def _sdk_options(account: str, puppet: PatchedPuppet) -> WechatyOptions:
    # without a scheduler given, the SDK's plugin manager would create a job database
    return WechatyOptions(
        name=account,
        puppet=puppet,
        puppet_options=PuppetOptions(end_point=f"{account}.invalid:1"),
        scheduler=AsyncIOScheduler(timezone=UTC),
    )


class Assistant(Sending, PeopleCalls, GroupCalls, Wechaty):  # type: ignore[misc]  # the SDK is untyped
    """A WeChat account. `start` returns at once and keeps it connected until `stop`. Events are passed to the
    listener. `may_call`: whether the gateway may be called now; `connecting`: shared by the accounts of the process.
    """

    capabilities = PUPPET

    def __init__(
        self,
        settings: AssistantSettings,
        listener: Listener,
        timing: Timing | None = None,
        tls_seen: TlsSeen | None = None,
        may_call: Callable[[], bool] = lambda: True,
        connecting: ConnectingAccounts | None = None,
    ) -> None:
        self.account = settings.account
        self._state = State.CONNECTING
        self._reason: Reason | None = None
        self._puppet_client = PatchedPuppet(settings.account)
        Wechaty.__init__(self, _sdk_options(settings.account, self._puppet_client))
        self.contact_id = ""
        self._private_hosts = frozenset(settings.media_hosts)
        self.qr_code = ""
        self.scan_state = ScanState.NONE
        self._timing = timing or Timing()
        self._listener = listener
        self.connecting = connecting or ConnectingAccounts()
        self.directory = CachedDirectory(self._timing.confirm_interval)
        self._reader = DirectoryReader(self._puppet_client, self.directory)
        self._sync = DirectorySync(self._puppet_client, self.directory, self._reader, self._timing.reread_pause)
        self._sent_messages = SentMessages()
        self._resolver = EventResolver(self._puppet_client, self.directory, self._reader, self._sent_messages)
        self._join_seen = asyncio.Event()
        self._queue: asyncio.Queue[RawEvent] = asyncio.Queue(WAITING)
        self.relay = RelayProgress()
        self._gateway_clock = GatewayClock()
        self.directory_updates = DirectoryUpdates(self, self._timing)
        self._gateway_events = GatewayEvents(self, self._timing)
        seen = set() if tls_seen is None else tls_seen
        self._connection = Connection(
            settings, self._timing, self._gateway_events, seen, self.relay, self._gateway_clock, may_call
        )
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def state(self) -> State:
        """The state of the connection."""
        return self._state

    @state.setter
    def state(self, switch: Any) -> None:
        """Ignore the value that the SDK's constructor assigns."""

    @property
    def reason(self) -> Reason | None:
        """Why the account is not online; None if it is, or if nothing has failed yet."""
        return self._reason

    @property
    def self_id(self) -> str:
        """The account's own WeChat id; "" before the first login."""
        return self.directory.owner_id

    @property
    def gateway_time(self) -> float | None:
        """The time of the gateway's clock in Unix seconds, or None if unknown."""
        return self._gateway_clock.now

    async def start(self) -> None:
        """Begin to connect; progress is reported to the listener."""
        self.connecting.begin(self.account)
        runs = (
            self._connection.run(),
            self.directory_updates.refresh(),
            self.directory_updates.recheck_absences(),
            self._store(),
        )
        self._tasks = [asyncio.create_task(run) for run in runs]

    def disconnect(self) -> None:
        """Close the connection now: running calls fail. It is opened again once calls are allowed."""
        self._connection.close()

    async def stop(self) -> None:
        """Disconnect, and store the events already read."""
        connecting, rest = self._tasks[:1], self._tasks[1:]
        await end(connecting)
        try:
            if rest:
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self._queue.join()
        except TimeoutError:
            log.error(  # noqa: TRY400 - the traceback has no information
                "%s: could not store %d events before stopping", self.account, self._queue.qsize()
            )
        await self._gateway_events.closed(State.CONNECTING, Reason(Problem.STOPPED))
        await end(rest)
        self._tasks = []

    def begin(self, epoch: int, position: str) -> None:
        """Set what is sent to a relay: the epoch of this process and the position of the stored events."""
        self.relay.begin(epoch, position)

    def acknowledge(self, position: str) -> None:
        """Record that all events up to this position of a relay are stored."""
        self.relay.acknowledge(position)

    async def resolve(
        self, raw: RawEvent, on_conversation: OnConversation = lambda _conversation: None
    ) -> Event | None:
        """Read the payload of a raw event; None if it is ignored (unknown kind, own echo).

        `on_conversation` is called with the conversation as soon as it is known.
        """
        return await self._resolver.resolve(raw, on_conversation)

    # ---- used by wechat.gateway_events and wechat.directory_updates ----

    async def take(self, raw: RawEvent) -> None:
        """Queue an event to be stored; waits while the queue is full."""
        await self._queue.put(raw)

    async def set_state(self, state: State, reason: Reason | None = None) -> None:
        """Change the state of the connection or its reason, and notify the listener."""
        if state is not State.SYNCING:
            self.connecting.end(self.account)
        if (state, reason) == (self._state, self._reason):
            return
        self._state, self._reason = state, reason
        log.log(
            logging.WARNING if state in (State.REFUSED, State.LOGGED_OUT) else logging.INFO,
            "%s: %s%s",
            self.account,
            state.value,
            f" ({reason})" if reason else "",
        )
        try:
            await self._listener.state_changed(self.account, state, str(reason or ""))
        except Exception:
            log.exception("%s: the listener failed on a state change", self.account)

    async def show_code(self, qr_code: str) -> None:
        """Set the login QR code; "" = none."""
        self.qr_code = qr_code
        if qr_code:
            await self._listener.scanned(self.account, qr_code)

    async def set_scan_state(self, scan_state: ScanState) -> None:
        """Set the progress of a login by QR code."""
        if scan_state is not self.scan_state:
            self.scan_state = scan_state
            await self._listener.state_changed(self.account, self.state, "")

    async def report_synced(self, since: datetime | None, changed: Iterable[str]) -> bool:
        """Notify the listener that contacts and groups were read; return whether it succeeded, within a few
        attempts."""
        for attempt in range(STORE_ATTEMPTS):
            try:
                await self._listener.synced(self.account, since, changed)
            except Exception:
                log.exception("%s: the listener failed on a sync, attempt %d", self.account, attempt + 1)
            else:
                return True
            await asyncio.sleep(0.1 * 2**attempt)
        return False

    def member_joined(self) -> None:
        """Wake the tasks that wait for a member."""
        self._join_seen.set()
        self._join_seen = asyncio.Event()

    async def _store(self) -> None:
        """Pass the queued events to the listener, in order."""
        while True:
            raw = await self._queue.get()
            try:
                await self._store_with_retries(raw)
            finally:
                self._queue.task_done()

    async def _store_with_retries(self, raw: RawEvent) -> None:
        for attempt in range(STORE_ATTEMPTS):
            try:
                return await self._listener.store_event(raw)
            except Exception:
                log.exception("%s: a %s event could not be stored, attempt %d", self.account, raw.kind, attempt + 1)
            await asyncio.sleep(0.1 * 2**attempt)
        log.error("%s: a %s event is lost", self.account, raw.kind)
        return None

    async def create_join_code(self, room_id: str, state: str, *, opens_next: bool) -> None:
        """Raise WeChatUnsupported: people are added or invited."""
        raise WeChatUnsupported("create_join_code")

    async def join_code_picture(self, room_id: str) -> bytes:
        """Raise WeChatUnsupported: people are added or invited."""
        raise WeChatUnsupported("join_code_picture")

    async def hand_over(self, contact_id: str) -> None:
        """Raise WeChatUnsupported: staff answer through the assistant."""
        raise WeChatUnsupported("hand_over")

    async def end_session(self, contact_id: str) -> None:
        """Raise WeChatUnsupported: there are no sessions."""
        raise WeChatUnsupported("end_session")

    async def messages_left(self, to: str, key: str) -> int | None:
        """Return None: any number of messages may be sent."""
        return None
