"""Every part of the house, built once and passed around."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
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
from services.media import MediaStore, folder_of
from services.membership import Memberships
from services.messages import Messages
from services.notices import Notices
from services.outbox import Outbox
from services.outside import Outside
from services.paces import Paces
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


@dataclass(frozen=True, slots=True)
class House:
    """The parts that handlers, the API and the jobs call."""

    config: Config
    store: Store
    clock: Clock
    zone: ZoneInfo
    accounts: Accounts
    outbox: Outbox
    audit: Audit
    paces: Paces
    notices: Notices
    messages: Messages
    promises: Promises
    groups: Groups
    arrivals: Arrivals
    memberships: Memberships
    ways_in: WaysIn
    friends: Friends
    outside: Outside
    webhooks: Webhooks
    flows: Flows
    admins: Admins
    reconcile: Reconcile
    tally: Tally
    blocked: BlockedWords
    ladder: Ladder
    blacklist: Blacklist
    guard: Guard
    policy: Policy
    timed: Timed
    broadcasts: Broadcasts
    job_book: JobBook
    pruning: Pruning
    reports: Reports
    echoes: Echoes
    conversations: Conversations
    media: MediaStore
    keywords: Keywords
    questions: Questions
    tickets: Tickets
    support: Support
    desk: Desk
    retention: Retention


def build(config: Config, *, sandboxed: Collection[str] = (), clock: Clock = time.time) -> House:
    """Put the parts together; nothing runs yet. `sandboxed`: the accounts that live in the sandbox."""
    store = Store(config.database)
    zone = ZoneInfo(config.timezone)
    governors = {a.account: Governor(config.pacing, clock) for a in config.assistants}
    accounts = Accounts(governors, config.admins, sandboxed)
    outbox = Outbox(store, clock)
    audit = Audit(store, clock)
    notices = Notices(outbox, config.webhooks, clock)
    messages = Messages(outbox, accounts)
    maker = RoomMaker(store, accounts, audit, config.groups, config.pacing, clock)
    groups = Groups(store, accounts, maker, config.groups, config.api.public_url, clock)
    tally = Tally(store, zone, clock)
    arrivals = Arrivals(accounts, groups, messages, notices, tally, config.groups, config.texts, clock)
    notices.group_of = groups.by_room
    groups.on_active, groups.on_lost, groups.on_found = arrivals.made, arrivals.lost, arrivals.found
    blacklist = Blacklist(store)
    adder = Adder(accounts, audit, config.groups, config.pacing)
    sight = Sight(accounts, groups)
    memberships = Memberships(
        store, accounts, groups, adder, blacklist, arrivals, sight, audit, notices, config.groups, clock
    )
    ladder = Ladder(
        store, accounts, groups, memberships, blacklist, messages, outbox, audit, config.groups, config.texts, clock
    )
    arrivals.on_unwanted = ladder.came_back
    reconcile = Reconcile(store, accounts, groups, arrivals, memberships)
    blocked = BlockedWords(store, config.groups.blocked_words, clock)
    ways_in = WaysIn(store, accounts, groups, memberships, blacklist, config.groups, config.texts, clock)
    service = config.customer_service
    friends = Friends(store, outbox, accounts, audit, messages, service, zone, clock)
    friends.on_accepted = ways_in.became_friend_soon
    echoes = Echoes(clock)
    conversations = Conversations(clock, echoes)
    messages.on_said = conversations.spoken
    media = MediaStore(folder_of(config.database))
    tickets = Tickets(store, clock)
    handing = (messages, notices, service.handoff, config.texts, clock)
    questions = Questions(store, Faq(load(service.faq)), Llm(service.llm, clock), service, config.texts, zone, clock)
    outside = Outside()
    steps = FlowSteps(messages, notices, config.texts, config.api.public_url, zone, clock)
    caller = Caller(outside, config.systems, config.texts)
    return House(
        config=config,
        store=store,
        clock=clock,
        zone=zone,
        accounts=accounts,
        outbox=outbox,
        audit=audit,
        paces=Paces(store, outbox, governors, clock),
        notices=notices,
        messages=messages,
        promises=Promises(store, accounts, groups, messages, outbox.state_of),
        groups=groups,
        arrivals=arrivals,
        memberships=memberships,
        ways_in=ways_in,
        friends=friends,
        outside=outside,
        webhooks=Webhooks(outbox, store, outside, config.webhooks, clock),
        flows=Flows(store, accounts, groups, steps, caller, config, clock),
        admins=Admins(store, accounts),
        job_book=JobBook(store, clock),
        pruning=Pruning(store, config.keep_days, clock),
        reports=Reports(store, accounts, groups, tally, messages, media, config.texts, zone, clock),
        echoes=echoes,
        conversations=conversations,
        media=media,
        keywords=Keywords(store, service.keywords),
        questions=questions,
        tickets=tickets,
        support=Support(store, accounts, tickets, conversations, media, *handing),
        desk=Desk(store, tickets, conversations, *handing),
        retention=Retention(media, questions, config.keep_days, clock),
        reconcile=reconcile,
        policy=Policy(store, accounts, groups, reconcile, messages, audit, config.texts, clock),
        timed=Timed(store, groups, messages, zone, clock),
        broadcasts=Broadcasts(store, groups, messages, audit, clock),
        tally=tally,
        blocked=blocked,
        ladder=ladder,
        blacklist=blacklist,
        guard=Guard(accounts, ladder, blocked, config.groups, config.texts, config.api.public_url),
    )
