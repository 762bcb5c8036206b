"""Groups, their members, and moderation."""

from __future__ import annotations

from collections.abc import Collection

from app.parts.messaging import MessagingParts
from config import Config
from services.clock import Clock
from services.groups.adding import MemberAdder
from services.groups.blacklist import Blacklist
from services.groups.closing import GroupClosing
from services.groups.daily_stats import DailyStats
from services.groups.drift import DriftFinder
from services.groups.drift_check import DriftCheck
from services.groups.drift_repair import DriftRepair
from services.groups.group_notices import GroupNotices
from services.groups.group_owners import GroupOwners
from services.groups.groups import Groups
from services.groups.join_requests import JoinRequests
from services.groups.lifecycle import GroupLifecycle
from services.groups.membership_recorder import MembershipRecorder
from services.groups.membership_states import MembershipStates
from services.groups.memberships import Memberships
from services.groups.message_events import MessageEvents
from services.groups.presentation import GroupPresentation
from services.groups.recognition import GroupRecognition
from services.groups.reconciliation import Reconciler
from services.groups.removal_queue import RemovalQueue
from services.groups.removals import Removals
from services.groups.room_creation import RoomCreator
from services.groups.room_presence import RoomPresence
from services.groups.roster_refresh import RosterRefresh
from services.groups.seat_reservations import SeatReservations
from services.groups.token_joins import TokenJoins
from services.groups.wrong_tokens import WrongTokens
from services.moderation.blocked_words import BlockedWords
from services.moderation.deferred_checks import DeferredChecks
from services.moderation.exemptions import Exemptions
from services.moderation.member_actions import MemberActions
from services.moderation.member_records import MemberRecords
from services.moderation.moderator import Moderator
from services.moderation.removal_worker import RemovalWorker
from services.moderation.sanctions import Sanctions


class GroupParts(MessagingParts):
    """Adds the parts about groups."""

    def __init__(self, config: Config, sandboxed: Collection[str], clock: Clock) -> None:
        super().__init__(config, sandboxed, clock)
        self._create_groups()
        self._create_moderation()
        self._create_token_joins()

    def _create_groups(self) -> None:
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
        self.reconcile = Reconciler(store, accounts, groups, self.room_presence, self.recorder)
        self.recognition = GroupRecognition(store, accounts, groups, self.room_presence, self.recorder, messages, texts)
        self.presentation = GroupPresentation(store, accounts, groups, audit, self.staff_rooms.is_reserved, settings)
        self.closing = GroupClosing(store, groups, self.recorder, messages, audit, texts)
        finder = DriftFinder(store, accounts, groups, self.reconcile, clock)
        repair = DriftRepair(store, accounts, groups, messages, audit, texts, clock)
        self.drift_check = DriftCheck(accounts, groups, finder, repair)

    def _create_moderation(self) -> None:
        config, settings, clock, texts = self.config, self.config.groups, self.clock, self.config.texts
        store, accounts, audit, messages = self.store, self.accounts, self.audit, self.messages
        groups, removal_queue = self.groups, RemovalQueue(self.outbox, texts)
        records = MemberRecords(store, self.blacklist, clock)
        self._removal_worker = RemovalWorker(accounts, groups, self.removals, records, messages, self.outbox, texts)
        exemptions = Exemptions(accounts, groups, settings)
        self.sanctions = Sanctions(records, removal_queue, exemptions, messages, audit, settings, texts)
        self.member_actions = MemberActions(store, groups, self.removals, self.sanctions)
        self.blocked_words = BlockedWords(store, audit, settings.blocked_words, clock)
        self.moderator = Moderator(accounts, self.sanctions, self.blocked_words, settings, texts, config.api.public_url)
        self.deferred_checks = DeferredChecks(store, accounts, self.outbox, groups, self.moderator, self.sanctions)

    def _create_token_joins(self) -> None:
        self.token_joins = TokenJoins(
            self.accounts,
            self.groups,
            self.membership_states,
            self.memberships,
            self.blacklist,
            WrongTokens(self.store, self.clock),
            self.config.texts,
        )
