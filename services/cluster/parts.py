"""The parts of the container that exist only in a cluster."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final

from config import Config
from models.db import Store
from services.clock import Clock
from services.cluster.leases import Leases
from services.cluster.member import ClusterClock, ClusterMember
from services.cluster.pending_notifications import PendingNotifications
from services.cluster.shared import SharedTables
from services.work.ownership import LeasedAccounts
from version import VERSION

LATE_PART: Final = 0.5  # of a lease; a member without a heartbeat for longer is not expected to take accounts


class Cause(StrEnum):
    """The reason why an account moves."""

    TAKEN = "taken"
    DRAIN = "drain"  # this process is about to stop
    BALANCE = "balance"  # another process has too few
    LOST = "lost"  # the leases have run out
    REMOVED = "removed"  # the assistant was removed
    CHANGED = "changed"  # its settings have changed


class ClusterParts:
    """Builds the parts without starting them."""

    def __init__(self, config: Config, member: str, store: Store, clock: Clock) -> None:
        settings = config.cluster
        self.address = settings.advertise
        late = settings.lease_seconds * LATE_PART
        self.leases = Leases(config.database, member, settings.advertise, settings.capacity, VERSION, late)
        self.clock = ClusterClock(clock)
        self.member = ClusterMember(self.leases, self.clock, settings.capacity, settings.lease_seconds)
        self.pending_notifications = PendingNotifications()
        self.tables = SharedTables(self.leases.member, store, self.pending_notifications.announce)
        self.ownership = LeasedAccounts(self.member.valid, self.tables.promised)
        self.moves: Counter[Cause] = Counter()  # accounts taken, released and lost, by cause
        self.secret = ""  # shared by the members; known once this process has joined

    @property
    def accounts_without_holder(self) -> int:
        """The number of accounts without a holder at the last check."""
        return self.member.view.orphans

    async def join(self, store: Store) -> None:
        """Join the cluster, before the first write to the database."""
        self.secret = await self.member.join()
        store.guard(self.tables)
