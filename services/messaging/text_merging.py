"""Merges waiting texts to a person who may only be sent a few messages until they write again."""

from __future__ import annotations

from services.messaging.body_type import BodyType
from services.work.job import Job
from services.work.outbox import Outbox

MAX_BYTES = 2048  # of a merged text, the limit of the official channel
RESERVED = 1  # messages kept free for later replies, such as the answer to the person's last message


async def merge_waiting(outbox: Outbox, job: Job, messages_left: int | None) -> None:
    """Merge the texts queued behind `job` until as few remain as may still be sent, if possible.

    `messages_left`: how many messages may be sent; RESERVED of them are kept free. `job` itself is not changed, because
    it may have been sent before a crash.
    """
    if not messages_left:
        return
    waiting = outbox.jobs_behind(job)
    groups = [[job] for job in waiting]
    too_many = 1 + len(groups) - (messages_left - RESERVED)
    index = len(groups) - 1
    while too_many > 0 and index > 0:
        if _fit_together(groups[index - 1] + groups[index]):
            groups[index - 1] += groups.pop(index)
            too_many -= 1
        index -= 1
    for first, *rest in groups:
        if rest:
            await outbox.merge(first, rest, _merged([first, *rest]))


def _fit_together(jobs: list[Job]) -> bool:
    return all(_is_plain(job) for job in jobs) and len(_merged(jobs).encode()) <= MAX_BYTES


def _is_plain(job: Job) -> bool:
    body = job.body
    return bool(body["type"] == BodyType.TEXT and not body.get("choices") and not body.get("mentions"))


def _merged(jobs: list[Job]) -> str:
    return "\n".join(str(job.body["text"]) for job in jobs)
