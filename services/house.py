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
from services.friends import Friends
from services.groups import Groups
from services.job_book import JobBook
from services.lane import Clock
from services.making import RoomMaker
from services.membership import Memberships
from services.messages import Messages
from services.notices import Notices
from services.outbox import Outbox
from services.pruning import Pruning
from services.reconcile import Reconcile
from services.ways_in import WaysIn
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
    notices: Notices
    messages: Messages
    groups: Groups
    arrivals: Arrivals
    memberships: Memberships
    ways_in: WaysIn
    friends: Friends
    admins: Admins
    reconcile: Reconcile
    job_book: JobBook
    pruning: Pruning


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
    arrivals = Arrivals(store, accounts, groups, messages, notices, config.groups, config.texts, zone, clock)
    groups.on_active = arrivals.made
    adder = Adder(accounts, audit, config.groups, config.pacing)
    memberships = Memberships(store, accounts, groups, adder, arrivals, audit, notices, config.groups, clock)
    ways_in = WaysIn(store, accounts, groups, memberships, config.groups, config.texts, clock)
    friends = Friends(store, outbox, accounts, audit, config.customer_service.accept, zone, clock)
    friends.on_accepted = ways_in.became_friend_soon
    return House(
        config=config,
        store=store,
        clock=clock,
        zone=zone,
        accounts=accounts,
        outbox=outbox,
        audit=audit,
        notices=notices,
        messages=messages,
        groups=groups,
        arrivals=arrivals,
        memberships=memberships,
        ways_in=ways_in,
        friends=friends,
        admins=Admins(store, accounts),
        job_book=JobBook(store, clock),
        pruning=Pruning(store, config.keep_days, clock),
        reconcile=Reconcile(store, accounts, groups, arrivals, memberships),
    )
