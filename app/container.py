"""The container with every part of the bot."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection
from functools import partial
from zoneinfo import ZoneInfo

from sqlmodel import Session

from config import Config
from config.settings import AssistantSettings, PacingSettings
from models.db import Store, after_commit
from models.durable import WorkState
from services.accounts.account_clocks import AccountClocks
from services.accounts.admins import Admins
from services.accounts.audit import Audit
from services.accounts.console_sessions import ConsoleSessions
from services.accounts.registry import Accounts
from services.accounts.stored_assistants import StoredAssistants
from services.accounts.tls_seen import TlsSeen
from services.changes import ChangeFeed, ChangeKind
from services.clock import Clock
from services.cluster.parts import ClusterParts
from services.cluster.peers import Peers
from services.cluster.shared import Shared
from services.flows.calls import SystemCaller
from services.flows.flows import Flows
from services.flows.running_calls import RunningCalls
from services.flows.steps import FlowSteps
from services.groups.adding import MemberAdder
from services.groups.blacklist import Blacklist
from services.groups.closing import GroupClosing
from services.groups.daily_stats import DailyStats
from services.groups.group_notices import GroupNotices
from services.groups.group_owners import GroupOwners
from services.groups.groups import Groups
from services.groups.join_requests import JoinRequests
from services.groups.lifecycle import GroupLifecycle
from services.groups.membership_recorder import MembershipRecorder
from services.groups.membership_states import MembershipStates
from services.groups.memberships import Memberships
from services.groups.message_events import MessageEvents
from services.groups.policy import GroupPolicy
from services.groups.presentation import GroupPresentation
from services.groups.reconciliation import Reconciler
from services.groups.removal_queue import RemovalQueue
from services.groups.removals import Removals
from services.groups.room_creation import RoomCreator
from services.groups.room_presence import RoomPresence
from services.groups.roster_refresh import RosterRefresh
from services.groups.seat_reservations import SeatReservations
from services.groups.token_joins import TokenJoins
from services.groups.token_misses import TokenMisses
from services.messaging.attachments import Attachments
from services.messaging.budgets import Budgets
from services.messaging.conversations import Conversations
from services.messaging.http_client import HttpClient
from services.messaging.loop_detector import LoopDetector
from services.messaging.media import MediaStore
from services.messaging.messages import Messages
from services.messaging.pace_records import PaceRecords
from services.messaging.webhook_delivery import WebhookDelivery
from services.messaging.webhook_events import WebhookEvents
from services.moderation.blocked_words import BlockedWords
from services.moderation.exemptions import Exemptions
from services.moderation.later_looks import LaterLooks
from services.moderation.member_actions import MemberActions
from services.moderation.member_records import MemberRecords
from services.moderation.moderator import Moderator
from services.moderation.removal_worker import RemovalWorker
from services.moderation.sanctions import Sanctions
from services.outreach.broadcast_reports import BroadcastReports
from services.outreach.broadcasts import Broadcasts
from services.outreach.deferred_groups import DeferredGroups
from services.outreach.outbound_requests import OutboundRequests
from services.outreach.reports import Reports
from services.outreach.sent_broadcasts import SentBroadcasts
from services.outreach.timed_messages import TimedMessages
from services.support.agent_desk import AgentDesk
from services.support.canned_replies import CannedReplies
from services.support.embeddings import EmbeddingClient
from services.support.explanation import Explainer
from services.support.faq import load
from services.support.faq_book import FaqBook
from services.support.file_relay import FileRelay
from services.support.friends import Friends
from services.support.handover import Handover
from services.support.idle_tickets import IdleTickets
from services.support.keywords import Keywords
from services.support.knowledge import load as load_knowledge
from services.support.knowledge_editor import KnowledgeEditor
from services.support.llm import LlmClient
from services.support.near_questions import NearQuestions
from services.support.presence import Presence
from services.support.questions import Questions
from services.support.reminders import TicketReminders
from services.support.staff_client import StaffClient
from services.support.staff_rooms import StaffRooms
from services.support.staffing import Staffing
from services.support.ticket_actions import TicketActions
from services.support.ticket_history import TicketHistory
from services.support.tickets import Tickets
from services.support.transcription import TranscriptionClient
from services.upkeep.clock_trust import ClockTrust
from services.upkeep.daily_totals import DailyTotals
from services.upkeep.job_log import JobLog
from services.upkeep.offline_alerts import OfflineAlerts
from services.upkeep.pruning import Pruning
from services.upkeep.reload import ConfigReloader
from services.upkeep.retention import Retention
from services.work.event_gate import EventGate
from services.work.job import Job
from services.work.outbox import Outbox
from services.work.ownership import Ownership
from wechat.pacing import Governor

# The official channel's limits are far above what an account needs; its rate limit errors are handled as they occur.
NO_PACE = PacingSettings(enabled=False)


class Container:
    """The parts used by handlers, API, console and jobs, built in order of their dependencies. Nothing is started.

    `sandboxed`: accounts in the sandbox; `source`: reads the config again.
    """

    def __init__(
        self,
        config: Config,
        *,
        sandboxed: Collection[str] = (),
        clock: Clock = time.time,
        source: Callable[[], Config] | None = None,
    ) -> None:
        self.config = config = config.model_copy(deep=True)  # a reload changes it in place
        self.zone = ZoneInfo(config.timezone)
        member = secrets.token_hex(8) if config.cluster.enabled else ""  # another one at every start
        self.store = Store(config.database, member=member)
        self.cluster = ClusterParts(config, member, self.store, clock) if member else None
        self.clock = self.cluster.clock if self.cluster else clock
        self.peers = Peers(self.cluster, self.store) if self.cluster else None
        self.ownership = self.cluster.ownership if self.cluster else Ownership()
        self.changes = ChangeFeed(self.cluster.announcements.publish if self.cluster else None)
        self._speaking(sandboxed)
        self._managing_groups()
        self._token_joins()
        self._serving_customers()
        self._serving_business()
        self._keeping_house()
        tell = partial(self.cluster.tables.changed, kind=Shared.CONFIG) if self.cluster else None
        self.event_gate = EventGate()
        self.reloader = ConfigReloader(config, source, self.store, self.audit, self.event_gate, tell)

    def _speaking(self, sandboxed: Collection[str]) -> None:
        config, clock = self.config, self.clock
        self._governors = governors = {a.account: Governor(_pacing(config, a), clock) for a in config.assistants}
        self.accounts = Accounts(governors, config.admins, sandboxed, self.ownership)
        self.tls_seen = TlsSeen(self.store)
        self.audit = Audit(self.store, clock)
        self.admins = Admins(self.store, self.accounts, self.audit, clock, shared=self.cluster is not None)
        self.staff_rooms = StaffRooms(self.store, self.accounts, self.audit, config.customer_service.handoff.staff_room)
        self.console_sessions = ConsoleSessions(
            self.store, self.accounts, self.audit, self.staff_rooms.has_member, clock,
            self.peers.is_staff if self.peers else None,
        )  # fmt: skip
        self.stored_assistants = StoredAssistants(self.store, self.audit, clock)
        self.outbox = Outbox(self.store, clock, self.ownership)
        self.pace_records = PaceRecords(self.store, self.outbox, governors, clock)
        self.webhook_events = WebhookEvents(self.outbox, config.webhooks, clock)
        self.account_clocks = AccountClocks(self.accounts, clock)
        self.loop_detector = LoopDetector(clock)
        self.conversations = Conversations(clock, self.loop_detector, self.changes)
        self.messages = Messages(self.outbox, self.accounts, self.conversations.spoken)
        self.budgets = Budgets(config.limits, clock)
        self.media = MediaStore(config.folder / "media", config.limits, self.budgets)

    async def admit(self, settings: AssistantSettings, *, again: bool = False) -> None:
        """Create the rate limiter of an account added at run time. `again`: another process may have used it."""
        account = settings.account
        if again or account not in self._governors:
            self._governors[account] = governor = Governor(_pacing(self.config, settings), self.clock)
            await self.pace_records.begin(account)
            self.outbox.repace(f"wx:{account}", governor)

    def _managing_groups(self) -> None:
        config, settings, clock, texts = self.config, self.config.groups, self.clock, self.config.texts
        store, accounts, audit, messages = self.store, self.accounts, self.audit, self.messages
        self.groups = groups = Groups(store, accounts, config.api.public_url, clock)
        self.group_owners = GroupOwners(accounts, groups)
        self.daily_stats = DailyStats(store, self.zone, clock)
        notices = GroupNotices(accounts, groups, messages, self.webhook_events, settings, texts)
        removal_queue = RemovalQueue(self.outbox, texts)
        self.recorder = MembershipRecorder(accounts, groups, notices, self.daily_stats, removal_queue, clock)
        self._message_events = MessageEvents(self.outbox, groups, self.webhook_events)
        self.room_presence = RoomPresence(groups, notices)
        creator = RoomCreator(store, accounts, groups, audit, settings, config.pacing, clock)
        self.group_lifecycle = lifecycle = GroupLifecycle(
            store, accounts, groups, creator, self.recorder, settings, clock
        )
        self.blacklist = Blacklist(store)
        roster, seats = RosterRefresh(accounts, groups), SeatReservations(groups, lifecycle, settings)
        self.membership_states = states = MembershipStates(store, groups, self.recorder, notices, settings, clock)
        adder = MemberAdder(accounts, audit, states, settings, config.pacing)
        self.memberships = Memberships(accounts, groups, roster, self.blacklist, states, adder, seats)
        self.join_requests = JoinRequests(accounts, groups, roster, self.blacklist, states, self.memberships)
        self.removals = Removals(accounts, groups, self.recorder, roster, states, self.memberships, audit)
        records = MemberRecords(store, self.blacklist, clock)
        self._removal_worker = RemovalWorker(accounts, groups, self.removals, records, messages, self.outbox, texts)
        exemptions = Exemptions(accounts, groups, settings)
        self.sanctions = Sanctions(records, removal_queue, exemptions, messages, audit, settings, texts)
        self.member_actions = MemberActions(store, groups, self.removals, self.sanctions)
        self.blocked_words = BlockedWords(store, audit, settings.blocked_words, clock)
        self.moderator = Moderator(accounts, self.sanctions, self.blocked_words, settings, texts, config.api.public_url)
        self.later_looks = LaterLooks(store, accounts, self.outbox, groups, self.moderator, self.sanctions)
        self.reconcile = Reconciler(store, accounts, groups, self.room_presence, self.recorder)
        self.presentation = GroupPresentation(store, accounts, groups, audit, self.staff_rooms.is_reserved, settings)
        self.closing = GroupClosing(store, groups, self.recorder, messages, audit, texts)
        self.policy = GroupPolicy(store, accounts, groups, self.reconcile, messages, audit, texts, clock)

    def _token_joins(self) -> None:
        config, store, accounts, clock = self.config, self.store, self.accounts, self.clock
        self.token_joins = TokenJoins(
            accounts,
            self.groups,
            self.membership_states,
            self.memberships,
            self.blacklist,
            TokenMisses(store, clock),
            config.texts,
        )
        service = config.customer_service
        self.friends = Friends(store, self.outbox, accounts, self.audit, self.messages, service, self.zone, clock)
        self.friends.on_accepted = self.token_joins.became_friend_soon

    def _serving_customers(self) -> None:
        self.http_client = HttpClient()
        service, store, texts, clock = self.config.customer_service, self.store, self.config.texts, self.clock
        self.keywords = Keywords(store, service.keywords)
        passages = load_knowledge(service.knowledge)
        self.faq = FaqBook(store, load(service.faq), clock, passages=passages)
        self.knowledge_editor = KnowledgeEditor(self.keywords, self.faq, self.audit)
        llm = LlmClient(service.llm, clock)
        embeddings = EmbeddingClient(store, self.http_client, service.embeddings, clock)
        self.transcription = TranscriptionClient(self.http_client, service.transcription, clock)
        self.near_questions = NearQuestions(self.faq, embeddings)
        self.questions = Questions(store, self.faq, self.near_questions, llm, service, texts, self.zone, clock)
        self.tickets = Tickets(store, self.changes, clock)
        self.staffing = Staffing(self.accounts, self.staff_rooms, service.handoff, clock)
        history = TicketHistory(self.conversations, self.staffing, texts, clock)
        talk, telling = (self.tickets, self.conversations, history), (self.messages, self.webhook_events)
        self.handover = Handover(store, self.accounts, self.staffing, *talk, *telling, texts, clock)
        self.canned_replies = CannedReplies(store, self.audit, service.handoff, clock)
        self.ticket_actions = TicketActions(*talk, *telling, service.handoff, texts, clock)
        self.staff_client = StaffClient(self.accounts, self.handover, self.ticket_actions, self.conversations, clock)
        self.files = FileRelay(
            store, self.accounts, self.outbox, self.media, self.conversations, self.messages, self.ticket_actions
        )
        self.reminders = TicketReminders(store, self.tickets, self.staffing, *telling, texts, clock)
        self.idle_tickets = IdleTickets(store, self.tickets, self.ticket_actions, self.staffing, texts, clock)
        self.outbox.on_failed(self.handover.refused)
        self.outbox.on_failed(self.ticket_actions.undelivered)
        self.outbox.on_failed(lambda session, work, _gone: self._tell_ended(session, work))
        self.outbox.on_sent(self._tell_ended)
        self.presence = Presence(self.changes)
        self.agent_desk = AgentDesk(
            self.accounts, self.ticket_actions, self.messages, self.staff_rooms, self.audit, texts
        )
        self.explainer = Explainer(self.handover, self.keywords, self.faq, service)

    def _tell_ended(self, session: Session, work: Job) -> None:
        """Notify console pages of the result of a delivery."""
        number = work.body.get("ticket") if work.body.get("staff") else None
        if number:
            after_commit(session, lambda: self.changes.publish(ChangeKind.TICKET, id=number))
        elif work.state != WorkState.SENT:
            after_commit(session, lambda: self.changes.publish(ChangeKind.WORK))

    def _serving_business(self) -> None:
        config, store, clock = self.config, self.store, self.clock
        self.outbound_requests = OutboundRequests(
            store, self.accounts, self.groups, self.messages, self.outbox.state_of
        )
        self.deferred_groups = DeferredGroups(store, self.accounts, self.groups, self.group_lifecycle, self.outbox)
        self.attachments = Attachments(self.media, self.http_client, config.api)
        self.webhooks = WebhookDelivery(self.outbox, store, self.audit, self.http_client, config.webhooks, clock)
        steps = FlowSteps(self.messages, self.webhook_events, config.texts, config.api.public_url, self.zone, clock)
        self.system_caller = SystemCaller(self.http_client, config.systems, config.texts)
        calls = RunningCalls(store, steps, self.system_caller, config.texts, clock, self.ownership)
        wants_person = self.handover.wants_person
        self.flows = Flows(store, self.accounts, self.group_owners, steps, calls, config, wants_person, clock)

    def _keeping_house(self) -> None:
        config, store, clock = self.config, self.store, self.clock
        self.timed_messages = TimedMessages(store, self.groups, self.messages, self.audit, self.zone, clock)
        self.broadcasts = Broadcasts(
            store, self.accounts, self.groups, self.messages, self.audit, clock,
            all_in_memory=self.cluster is None,
        )  # fmt: skip
        broadcast_reports = BroadcastReports(self.messages, config.texts)
        self.outbox.on_sent(broadcast_reports.sent)
        self.outbox.on_failed(broadcast_reports.failed)
        self.sent_broadcasts = SentBroadcasts(store, self.outbox, self.audit, clock)
        self.daily_totals = DailyTotals(store, self.accounts, self.zone, clock)
        self.offline_alerts = OfflineAlerts(store, self.accounts, self.messages, self.webhook_events, config, clock)
        self.reports = Reports(
            store,
            self.accounts,
            self.groups,
            self.daily_stats,
            self.messages,
            self.media,
            config,
            clock,
        )
        self.clock_trust = ClockTrust(store, clock)
        self.retention = Retention(self.media, self.questions, config.keep_days, clock, self.clock_trust)
        self.pruning = Pruning(store, config.keep_days, clock, self.clock_trust)
        self.job_log = JobLog(store, clock)


def _pacing(config: Config, settings: AssistantSettings) -> PacingSettings:
    return config.pacing if settings.kind == "wechaty" else NO_PACE
