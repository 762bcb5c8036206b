"""How many people are in a group, and how many can be."""

from __future__ import annotations

from typing import NamedTuple

from config import Config
from models.groups import Qun
from services.groups.groups import Groups


class GroupCounts(NamedTuple):
    """`capacity`: of all its rooms together."""

    members: int
    capacity: int


def counts_of(groups: Groups, config: Config, qun: Qun) -> GroupCounts:
    """Return the numbers of a group that is served by this process."""
    return GroupCounts(groups.member_count(qun), config.groups.capacity * max(1, len(groups.rooms(qun))))
