"""The open jobs in memory, by id and by account."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from models.durable import WorkState
from services.work.job import Job


class OpenJobs:
    """Jobs that are queued or running. An account's jobs are found without looking at those of the others."""

    def __init__(self) -> None:
        self._by_id: dict[int, Job] = {}
        self._by_account: defaultdict[str, dict[int, Job]] = defaultdict(dict)

    def __contains__(self, id: int) -> bool:
        return id in self._by_id

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._by_id.values())

    def get(self, id: int) -> Job | None:
        """Return the job with this id."""
        return self._by_id.get(id)

    def of(self, account: str) -> Collection[Job]:
        """Return the jobs of an account."""
        return self._by_account.get(account, {}).values()

    def add(self, job: Job) -> None:
        """Add a job."""
        self._by_id[job.id] = self._by_account[job.account][job.id] = job

    def remove(self, id: int) -> None:
        """Remove a job, if it is there."""
        job = self._by_id.pop(id, None)
        if job is not None:
            del self._by_account[job.account][id]

    def drop(self, account: str) -> None:
        """Remove the jobs of an account, except those whose results are still to be written: their rows look open."""
        for job in list(self.of(account)):
            if job.state in (WorkState.QUEUED, WorkState.SENDING):
                self.remove(job.id)
