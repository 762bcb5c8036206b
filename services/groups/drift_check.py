"""The drift check: keeps topics and announcements in WeChat as the database has them."""

from __future__ import annotations

import re
from typing import Final

from models.groups import QunState
from services.accounts.registry import Accounts
from services.groups.drift import DriftFinder
from services.groups.drift_repair import DriftRepair
from services.groups.groups import Groups

RESULT: Final = re.compile(r"(?P<rooms>\d+) rooms, (?P<drifted>\d+) drifted, (?P<repaired>\d+) repaired")
SKIPPED_STATES: Final = (QunState.MAKING, QunState.CLOSED)


class DriftCheck:
    """Checks all rooms of the online accounts, and repairs deviations."""

    def __init__(self, accounts: Accounts, groups: Groups, finder: DriftFinder, repair: DriftRepair) -> None:
        self._accounts = accounts
        self._groups = groups
        self._finder = finder
        self._repair = repair

    async def check(self) -> str:
        """Check all rooms and return a summary, in the form of RESULT."""
        rooms = drifted = repaired = 0
        for qun in self._groups:
            for room in self._groups.all_rooms(qun):
                if not self._accounts.is_online(qun.account) or room.state in SKIPPED_STATES:
                    continue
                rooms += 1
                for drift in await self._finder.find(qun, room):
                    drifted += 1
                    repaired += await self._repair.repair(drift)
        return f"{rooms} rooms, {drifted} drifted, {repaired} repaired"
