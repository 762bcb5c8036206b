"""The parts of the container that only a cluster has."""

from __future__ import annotations

from collections import Counter

from config import Config
from models.db import Store
from services.clock import Clock
from services.cluster.announcements import Announcements
from services.cluster.leases import Leases
from services.cluster.member import ClusterClock, ClusterMember
from services.cluster.shared import SharedTables
from services.work.ownership import LeasedAccounts
from version import VERSION


class ClusterParts:
    """Builds the parts without starting them."""

    def __init__(self, config: Config, member: str, store: Store, clock: Clock) -> None:
        settings = config.cluster
        self.address = settings.advertise
        self.leases = Leases(config.database, member, settings.advertise, settings.capacity, VERSION)
        self.clock = ClusterClock(clock)
        self.member = ClusterMember(self.leases, self.clock, settings.capacity, settings.lease_seconds)
        self.announcements = Announcements()
        self.tables = SharedTables(self.leases.member, store, self.announcements.announce)
        self.ownership = LeasedAccounts(self.member.valid, self.tables.promised)
        self.moves: Counter[str] = Counter()  # accounts taken, given up and lost, by cause
        self.secret = ""  # that members show each other; known once this process has joined

    @property
    def unheld(self) -> int:
        """The number of accounts without a holder at the last check."""
        return self.member.view.orphans

    async def join(self, store: Store) -> None:
        """Join the cluster, before the first write to the database."""
        self.secret = await self.member.join()
        store.guard(self.tables)
