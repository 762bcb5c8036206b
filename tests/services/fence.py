"""The write fence of a cluster member, for tests of leases."""

from __future__ import annotations

from sqlmodel import Session

from models.fence import MemberFence


class Guard(MemberFence):
    """The fence without shared data."""

    def flushed(self, session: Session) -> None:
        """Do nothing: no versions of shared data are counted."""
