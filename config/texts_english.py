"""English wording of messages to operators, used with `language: en`; `texts:` takes precedence.

Texts for customers and group members stay Chinese.
"""

from __future__ import annotations

from typing import Final

ENGLISH: Final = {
    "report_title": "Daily report, {day}",
    "report_group": "{topic}: {joins} joined, {leaves} left, {messages} messages, {members} members now",
    "report_misses": "Questions without an answer:",
    "report_miss": "· {question} ({times} times)",
    "report_on": "The daily report of {topic} goes to its owner every morning. “{command}” stops it.",
    "report_off": "The daily report of {topic} was turned off.",
    "statistics": (
        "{topic}, last {days} days (date, joined, left, messages):\n{lines}\n"
        "Total {joins} {leaves} {messages}, {members} members now"
    ),
    "service_levels": (
        "Customer service: {opened} new tickets, {answered} answered, {closed} closed; "
        "median time to first answer {first_answer}, to resolution {resolution}, mean rating {mark}"
    ),
    "service_levels_staff": (
        "{staff}: {tickets} tickets, median time to first answer {first_answer}, to resolution {resolution}, "
        "mean rating {mark}"
    ),
    "duration_seconds": "{number} s",
    "duration_minutes": "{number} min",
    "duration_hours": "{number} h",
    "job_line": "{name}: last {last}{result}, next {next}",
    "job_count": " ({count} handled)",
    "job_nothing": " (nothing to do)",
    "job_rooms": " ({rooms} rooms, {drifted} deviations, {repaired} corrected)",
    "job_refused": " (not run: the clock cannot be trusted)",
    "job_failed": " (failed: {error})",
    "job_none": "There are no jobs.",
    "job_expire_memberships": "Expired requests to join",
    "job_go_on_with_requests": "Unfinished joins",
    "job_timed_messages": "Timed messages",
    "job_drift_check": "Groups against WeChat",
    "job_expire_flows": "Expired flows",
    "job_idle_tickets": "Idle tickets",
    "job_waiting_tickets": "Waiting tickets",
    "job_remind_staff": "Reminders of the staff",
    "job_offline_alerts": "Alerts of assistants offline",
    "job_note_pace": "Pace used",
    "job_daily_totals": "Daily totals",
    "job_daily_report": "Daily report",
    "job_prune_media": "Old files",
    "job_prune": "Old records",
}
