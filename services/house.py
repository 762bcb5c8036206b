"""Every part of the house, built once and passed around."""

from __future__ import annotations

import time
from collections.abc import Collection
from zoneinfo import ZoneInfo

from config import Config
from models.db import Store
from services.accounts import Accounts
from services.adding import Adder
from services.admins import Admins
from services.arrivals import Arrivals
from services.audit import Audit
from services.blacklist import Blacklist
from services.blocked import BlockedWords
from services.broadcasts import Broadcasts
from services.conversations import Conversations
from services.desk import Desk
from services.echoes import Echoes
from services.faq import Faq, load
from services.flow_calls import Caller
from services.flow_steps import FlowSteps
from services.flows import Flows
from services.friends import Friends
from services.groups import Groups
from services.guard import Guard
from services.job_book import JobBook
from services.keywords import Keywords
from services.ladder import Ladder
from services.lane import Clock
from services.llm import Llm
from services.making import RoomMaker
from services.media import MediaStore
from services.membership import Memberships
from services.messages import Messages
from services.notices import Notices
from services.outbox import Outbox
from services.outside import Outside
from services.paces import Paces
from services.places import Places
from services.policy import Policy
from services.promises import Promises
from services.pruning import Pruning
from services.questions import Questions
from services.reconcile import Reconcile
from services.reports import Reports
from services.retention import Retention
from services.sight import Sight
from services.support import Support
from services.tally import Tally
from services.tickets import Tickets
from services.timed import Timed
from services.ways_in import WaysIn
from services.webhooks import Webhooks
from wechat.pacing import Governor


class House:
    """The parts that handlers, the API and the jobs call, each made of those before it; nothing runs yet.

    `sandboxed`: the accounts that live in the sandbox.
    """

    def __init__(self, config: Config, *, sandboxed: Collection[str] = (), clock: Clock = time.time) -> None:
        self.config = config
        self.clock = clock
        self.zone = ZoneInfo(config.timezone)
        self.store = Store(config.database)
        self._speaking(sandboxed)
        self._managing_groups()
        self._ways_in()
        self._serving_customers()
        self._serving_business()
        self._keeping_house()

    def _speaking(self, sandboxed: Collection[str]) -> None:
        config, clock = self.config, self.clock
        governors = {a.account: Governor(config.pacing, clock) for a in config.assistants}
        self.accounts = Accounts(governors, config.admins, sandboxed)
        self.admins = Admins(self.store, self.accounts)
        self.audit = Audit(self.store, clock)
        self.outbox = Outbox(self.store, clock)
        self.paces = Paces(self.store, self.outbox, governors, clock)
        self.notices = Notices(self.outbox, config.webhooks, clock)
        self.messages = Messages(self.outbox, self.accounts)
        self.echoes = Echoes(clock)
        self.conversations = Conversations(clock, self.echoes)
        self.messages.on_said = self.conversations.spoken
        self.media = MediaStore(config.folder / "media")

    def _managing_groups(self) -> None:
        config, settings, clock, texts = self.config, self.config.groups, self.clock, self.config.texts
        store, accounts, audit, messages = self.store, self.accounts, self.audit, self.messages
        maker = RoomMaker(store, accounts, audit, settings, config.pacing, clock)
        self.groups = groups = Groups(store, accounts, maker, settings, config.api.public_url, clock)
        self.tally = Tally(store, self.zone, clock)
        self.arrivals = Arrivals(accounts, groups, messages, self.notices, self.tally, settings, texts, clock)
        self.notices.group_of = groups.by_room
        groups.on_active = self.arrivals.made
        groups.on_lost, groups.on_found = self.arrivals.lost, self.arrivals.found
        self.blacklist = Blacklist(store)
        self.memberships = Memberships(
            store, accounts, groups, Adder(accounts, audit, settings, config.pacing), Places(groups, settings),
            self.blacklist, self.arrivals, Sight(accounts, groups), audit, self.notices, settings, clock,
        )  # fmt: skip
        self.ladder = Ladder(
            store, accounts, groups, self.memberships, self.blacklist,
            messages, self.outbox, audit, settings, texts, clock,
        )  # fmt: skip
        self.arrivals.on_unwanted = self.ladder.came_back
        self.blocked = BlockedWords(store, settings.blocked_words, clock)
        self.guard = Guard(accounts, self.ladder, self.blocked, settings, texts, config.api.public_url)
        self.reconcile = Reconcile(store, accounts, groups, self.arrivals)
        self.policy = Policy(store, accounts, groups, self.reconcile, messages, audit, texts, clock)

    def _ways_in(self) -> None:
        config, store, accounts, clock = self.config, self.store, self.accounts, self.clock
        self.ways_in = WaysIn(
            store, accounts, self.groups, self.memberships, self.blacklist, config.groups, config.texts, clock
        )
        service = config.customer_service
        self.friends = Friends(store, self.outbox, accounts, self.audit, self.messages, service, self.zone, clock)
        self.friends.on_accepted = self.ways_in.became_friend_soon

    def _serving_customers(self) -> None:
        service, store, texts, clock = self.config.customer_service, self.store, self.config.texts, self.clock
        self.keywords = Keywords(store, service.keywords)
        faq, llm = Faq(load(service.faq)), Llm(service.llm, clock)
        self.questions = Questions(store, faq, llm, service, texts, self.zone, clock)
        self.tickets = Tickets(store, clock)
        handing = (self.messages, self.notices, service.handoff, texts, clock)
        self.support = Support(store, self.accounts, self.tickets, self.conversations, self.media, *handing)
        self.desk = Desk(store, self.tickets, self.conversations, *handing)
        self.outbox.on_failed(self.desk.undelivered)

    def _serving_business(self) -> None:
        config, store, clock = self.config, self.store, self.clock
        self.promises = Promises(store, self.accounts, self.groups, self.messages, self.outbox.state_of)
        self.outside = Outside()
        self.webhooks = Webhooks(self.outbox, store, self.outside, config.webhooks, clock)
        steps = FlowSteps(self.messages, self.notices, config.texts, config.api.public_url, self.zone, clock)
        caller = Caller(self.outside, config.systems, config.texts)
        wants_person = self.support.wants_person
        self.flows = Flows(store, self.accounts, self.groups, steps, caller, config, wants_person, clock)

    def _keeping_house(self) -> None:
        config, store, clock = self.config, self.store, self.clock
        self.timed = Timed(store, self.groups, self.messages, self.zone, clock)
        self.broadcasts = Broadcasts(store, self.groups, self.messages, self.audit, clock)
        self.reports = Reports(
            store, self.accounts, self.groups, self.tally, self.messages, self.media, config.texts, self.zone, clock
        )
        self.retention = Retention(self.media, self.questions, config.keep_days, clock)
        self.pruning = Pruning(store, config.keep_days, clock)
        self.job_book = JobBook(store, clock)
