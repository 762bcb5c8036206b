"""The config, storage, accounts, and messages."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from zoneinfo import ZoneInfo

from config import Config
from config.settings import AssistantSettings, PacingSettings
from models.db import Store
from services.accounts.account_clocks import AccountClocks
from services.accounts.admins import Admins
from services.accounts.audit import Audit
from services.accounts.console_sessions import ConsoleSessions
from services.accounts.registry import Accounts
from services.accounts.stored_assistants import StoredAssistants
from services.accounts.tls_seen import TlsSeen
from services.changes import ChangeFeed
from services.clock import Clock, LocalTime
from services.cluster.parts import ClusterParts
from services.cluster.peers import Peers
from services.messaging.budgets import Budgets
from services.messaging.conversations import Conversations
from services.messaging.http_client import HttpClient
from services.messaging.loop_detector import LoopDetector
from services.messaging.media import MediaStore
from services.messaging.messages import Messages
from services.messaging.rate_limiters import RateLimiters
from services.messaging.webhook_events import WebhookEvents
from services.support.staff_rooms import StaffRooms
from services.work.outbox import Outbox
from services.work.ownership import Ownership
from services.work.stored_state import StoredStates

# The official channel's limits are far above what an account needs; its rate limit errors are handled as they occur.
UNLIMITED = PacingSettings(enabled=False)


class MessagingParts:
    """What everything else builds on. `sandboxed`: accounts in the sandbox."""

    def __init__(self, config: Config, sandboxed: Collection[str], clock: Clock) -> None:
        self.config = config = config.model_copy(deep=True)  # a reload changes it in place
        self.zone = ZoneInfo(config.timezone)
        member = secrets.token_hex(8) if config.cluster.enabled else ""  # a new id at every start
        self.store = Store(config.database, member=member)
        self.cluster = ClusterParts(config, member, self.store, clock) if member else None
        self.clock = clock = self.cluster.clock if self.cluster else clock
        self.local_time = LocalTime(self.zone, clock)
        self.peers = Peers(self.cluster, self.store) if self.cluster else None
        self.ownership = self.cluster.ownership if self.cluster else Ownership()
        self.changes = ChangeFeed(self.cluster.pending_notifications.publish if self.cluster else None)
        self.outbox = Outbox(self.store, clock, self.ownership)
        self.stored_states = StoredStates(self.store)
        self._create_accounts(sandboxed)
        self.webhook_events = WebhookEvents(self.outbox, config.webhooks, clock)
        self.loop_detector = LoopDetector(clock)
        self.conversations = Conversations(clock, self.loop_detector, self.changes)
        self.messages = Messages(self.outbox, self.accounts, self.conversations.record_outgoing)
        self.budgets = Budgets(config.limits, clock)
        self.media = MediaStore(config.folder / "media", config.limits, self.budgets)
        self.http_client = HttpClient()

    def _create_accounts(self, sandboxed: Collection[str]) -> None:
        config, clock = self.config, self.clock
        self.rate_limiters = RateLimiters(self.store, clock)
        for assistant in config.assistants:
            self.rate_limiters.create(assistant.account, self._pacing(assistant))
        self.accounts = Accounts(self.rate_limiters, config.admins, sandboxed, self.ownership)
        self.account_clocks = AccountClocks(self.accounts, clock)
        self.tls_seen = TlsSeen(self.store)
        self.audit = Audit(self.store, clock)
        self.admins = Admins(self.store, self.accounts, self.audit, clock, shared=self.cluster is not None)
        self.staff_rooms = StaffRooms(self.store, self.accounts, self.audit, config.customer_service.handoff.staff_room)
        self.console_sessions = ConsoleSessions(
            self.store, self.accounts, self.audit, self.staff_rooms.has_member, clock,
            self.peers.is_staff if self.peers else None,
        )  # fmt: skip
        self.stored_assistants = StoredAssistants(self.store, self.audit, clock)

    async def create_rate_limiter(self, settings: AssistantSettings) -> None:
        """Create the rate limiter of an account added at run time, unless it exists."""
        if settings.account not in self.rate_limiters:
            await self.create_rate_limiters([settings])

    async def create_rate_limiters(self, accounts: Sequence[AssistantSettings]) -> None:
        """Create the rate limiters of some accounts, replacing those from before another process had the accounts."""
        for settings in accounts:
            self.rate_limiters.create(settings.account, self._pacing(settings))
        await self.rate_limiters.restore([settings.account for settings in accounts])
        for settings in accounts:
            self.outbox.set_pace(f"wx:{settings.account}", self.rate_limiters[settings.account])

    def _pacing(self, settings: AssistantSettings) -> PacingSettings:
        return self.config.pacing if settings.kind == "wechaty" else UNLIMITED
