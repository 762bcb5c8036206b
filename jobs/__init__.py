"""The list of scheduled jobs. Each calls a service."""

from __future__ import annotations

from typing import Final

from jobs.job import ScheduledJob

JOBS: Final[tuple[ScheduledJob, ...]] = (
    ScheduledJob(
        "expire_memberships",
        "* * * * *",
        lambda container: container.membership_states.expire(),
        catch_up=False,
        one_process=True,
    ),
    ScheduledJob(
        "go_on_with_requests", "*/5 * * * *", lambda container: container.token_joins.resume_all(), catch_up=False
    ),
    ScheduledJob("timed_messages", "* * * * *", lambda container: container.timed_messages.run()),
    ScheduledJob("drift_check", "*/10 * * * *", lambda container: container.drift_check.check(), catch_up=False),
    ScheduledJob("expire_flows", "* * * * *", lambda container: container.flow_expiry.expire(), catch_up=False),
    ScheduledJob("idle_tickets", "* * * * *", lambda container: container.idle_tickets.close(), catch_up=False),
    ScheduledJob(
        "waiting_tickets", "* * * * *", lambda container: container.waiting_tickets.announce(), catch_up=False
    ),
    ScheduledJob("remind_staff", "* * * * *", lambda container: container.reminders.run(), catch_up=False),
    ScheduledJob("offline_alerts", "* * * * *", lambda container: container.offline_alerts.run(), catch_up=False),
    ScheduledJob("note_pace", "* * * * *", lambda container: container.daily_totals.record_pace(), catch_up=False),
    ScheduledJob("daily_totals", "*/5 * * * *", lambda container: container.daily_totals.roll_up(), catch_up=False),
    ScheduledJob(
        "daily_report",
        "0 9 * * *",
        lambda container: container.reports.send(),
        run_late=lambda container, due: container.reports.send(due),
    ),
    ScheduledJob("prune_media", "45 4 * * *", lambda container: container.retention.run()),
    ScheduledJob("prune", "30 4 * * *", lambda container: container.pruning.run(), one_process=True),
)
