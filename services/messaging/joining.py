"""Joins waiting texts to a person who may only be sent a few messages until they write again."""

from __future__ import annotations

from services.messaging.body_type import BodyType
from services.work.job import Job
from services.work.outbox import Outbox

LONGEST = 2048  # bytes of a joined text, the limit of the official channel
SPARE = 1  # messages kept free for later replies, such as the answer to the person's last message


async def join_waiting(outbox: Outbox, job: Job, left: int | None) -> None:
    """Join the texts queued behind `work` until all fit into the `left` messages but one, as far as possible.

    `work` itself is not changed, because it may have been sent before a crash.
    """
    if not left:
        return
    behind = outbox.behind(job)
    groups = [[job] for job in behind]
    too_many = 1 + len(groups) - (left - SPARE)
    at = len(groups) - 1
    while too_many > 0 and at > 0:
        if _fit_together(groups[at - 1] + groups[at]):
            groups[at - 1] += groups.pop(at)
            too_many -= 1
        at -= 1
    for host, *guests in groups:
        if guests:
            await outbox.join(host, guests, _joined([host, *guests]))


def _fit_together(jobs: list[Job]) -> bool:
    return all(_is_plain(job) for job in jobs) and len(_joined(jobs).encode()) <= LONGEST


def _is_plain(job: Job) -> bool:
    body = job.body
    return bool(body["type"] == BodyType.TEXT and not body.get("choices") and not body.get("mentions"))


def _joined(jobs: list[Job]) -> str:
    return "\n".join(str(job.body["text"]) for job in jobs)
