"""The list of scheduled jobs. Each calls a service."""

from __future__ import annotations

from typing import Final

from jobs.job import ScheduledJob

JOBS: Final[tuple[ScheduledJob, ...]] = (
    ScheduledJob(
        "expire_memberships",
        "* * * * *",
        lambda container: container.membership_states.expire(),
        made_up=False,
        once=True,
    ),
    ScheduledJob(
        "go_on_with_requests", "*/5 * * * *", lambda container: container.token_joins.resume_all(), made_up=False
    ),
    ScheduledJob("timed_messages", "* * * * *", lambda container: container.timed_messages.run()),
    ScheduledJob("drift_check", "*/10 * * * *", lambda container: container.drift_check.check(), made_up=False),
    ScheduledJob("expire_flows", "* * * * *", lambda container: container.flow_expiry.expire(), made_up=False),
    ScheduledJob("idle_tickets", "* * * * *", lambda container: container.idle_tickets.close(), made_up=False),
    ScheduledJob("waiting_tickets", "* * * * *", lambda container: container.waiting_tickets.announce(), made_up=False),
    ScheduledJob("remind_staff", "* * * * *", lambda container: container.reminders.run(), made_up=False),
    ScheduledJob("offline_alerts", "* * * * *", lambda container: container.offline_alerts.run(), made_up=False),
    ScheduledJob("note_pace", "* * * * *", lambda container: container.daily_totals.note_pace(), made_up=False),
    ScheduledJob("daily_totals", "*/5 * * * *", lambda container: container.daily_totals.roll_up(), made_up=False),
    ScheduledJob(
        "daily_report",
        "0 9 * * *",
        lambda container: container.reports.send(),
        make_up=lambda container, due: container.reports.send(due),
    ),
    ScheduledJob("prune_media", "45 4 * * *", lambda container: container.retention.run()),
    ScheduledJob("prune", "30 4 * * *", lambda container: container.pruning.run(), once=True),
)
