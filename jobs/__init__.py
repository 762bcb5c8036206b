"""What the clock does: one visible list; each job is a thin call into a service."""

from __future__ import annotations

from typing import Final

from jobs.job import Job

JOBS: Final[tuple[Job, ...]] = (
    Job("expire_memberships", "* * * * *", lambda house: house.memberships.expire(), made_up=False),
    Job("go_on_with_requests", "*/5 * * * *", lambda house: house.ways_in.resume_all(), made_up=False),
    Job("timed_messages", "* * * * *", lambda house: house.timed.run()),
    Job("drift_check", "*/10 * * * *", lambda house: house.policy.check(), made_up=False),
    Job("expire_flows", "* * * * *", lambda house: house.flows.expire(), made_up=False),
    Job("idle_tickets", "* * * * *", lambda house: house.desk.close_idle(), made_up=False),
    Job("waiting_tickets", "* * * * *", lambda house: house.support.announce_waiting(), made_up=False),
    Job("daily_report", "0 9 * * *", lambda house: house.reports.send()),
    Job("prune_media", "45 4 * * *", lambda house: house.retention.run()),
    Job("prune", "30 4 * * *", lambda house: house.pruning.run()),
)
