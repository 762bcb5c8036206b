"""Service levels: time to first answer and to resolution, in total and per staff member."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median

from sqlmodel import Session, col, select

from config.texts import Texts, fill
from models.support import Ticket


@dataclass(frozen=True, slots=True)
class ServiceLevels:
    """Numbers of the tickets opened in a period, in seconds; None without data."""

    opened: int
    answered: int
    closed: int
    first_answer: float | None  # median
    resolution: float | None  # median
    mark: float | None  # mean


def of_tickets(tickets: Sequence[Ticket]) -> ServiceLevels:
    """Return the numbers of some tickets."""
    waits = [t.answered_at - t.opened_at for t in tickets if t.answered_at is not None]
    durations = [t.closed_at - t.opened_at for t in tickets if t.closed_at is not None]
    marks = [t.mark for t in tickets if t.mark is not None]
    return ServiceLevels(
        len(tickets),
        len(waits),
        len(durations),
        median(waits) if waits else None,
        median(durations) if durations else None,
        mean(marks) if marks else None,
    )


def opened_between(session: Session, account: str, since: float, until: float) -> Sequence[Ticket]:
    """Return the tickets of an account opened in a period (Unix seconds)."""
    period = (Ticket.account == account, col(Ticket.opened_at) >= since, col(Ticket.opened_at) < until)
    return session.exec(select(Ticket).where(*period)).all()


def by_staff(tickets: Sequence[Ticket]) -> dict[str, ServiceLevels]:
    """Return the numbers by assignee; tickets without one are left out."""
    grouped: defaultdict[str, list[Ticket]] = defaultdict(list)
    for ticket in tickets:
        if ticket.staff_id:
            grouped[ticket.staff_name or ticket.staff_id].append(ticket)
    return {name: of_tickets(rows) for name, rows in sorted(grouped.items())}


def described(tickets: Sequence[Ticket], texts: Texts) -> str:
    """Format the numbers for people; "" without tickets."""
    if not tickets:
        return ""
    total = of_tickets(tickets)
    lines = [
        fill(
            texts.service_levels,
            opened=total.opened,
            answered=total.answered,
            closed=total.closed,
            first_answer=duration(total.first_answer, texts),
            resolution=duration(total.resolution, texts),
            mark=_mark(total.mark),
        )
    ]
    for name, levels in by_staff(tickets).items():
        facts = {
            "tickets": levels.opened,
            "first_answer": duration(levels.first_answer, texts),
            "resolution": duration(levels.resolution, texts),
            "mark": _mark(levels.mark),
        }
        lines.append(fill(texts.service_levels_staff, staff=name, **facts))
    return "\n".join(lines)


def duration(seconds: float | None, texts: Texts) -> str:
    """Format a duration for people."""
    if seconds is None:
        return "—"
    if seconds < 60:
        return fill(texts.duration_seconds, number=f"{seconds:.0f}")
    if seconds < 5400:
        return fill(texts.duration_minutes, number=f"{seconds / 60:.0f}")
    return fill(texts.duration_hours, number=f"{seconds / 3600:.1f}")


def _mark(mark: float | None) -> str:
    return "—" if mark is None else f"{mark:.1f}"
