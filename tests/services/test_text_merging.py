"""Waiting texts are joined until they fit into the messages that may still be sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from services.messaging.messages import choices, text
from services.messaging.text_merging import merge_waiting
from services.work.job import Job
from services.work.outbox import Outbox

MAX_BYTES = 2048


class Line:
    """The jobs behind the one that runs, and what was joined."""

    def __init__(self, *bodies: dict[str, Any] | str) -> None:
        full = [text(body) if isinstance(body, str) else body for body in bodies]
        self.jobs = [Job(number, "wx:a", "x", body) for number, body in enumerate(full, 1)]
        self.joined: list[tuple[int, list[int], str]] = []

    def jobs_behind(self, _job: Job) -> list[Job]:
        return self.jobs

    async def merge(self, first: Job, rest: Sequence[Job], merged: str) -> None:
        self.joined.append((first.id, [job.id for job in rest], merged))

    async def run(self, left: int | None) -> list[tuple[int, list[int], str]]:
        await merge_waiting(cast("Outbox", self), Job(0, "wx:a", "x", text("now")), left)
        return self.joined


@pytest.mark.parametrize(
    ("left", "joined"),
    [
        (None, []),
        (0, []),
        (6, []),  # the one that runs, four behind it, and one to spare
        (5, [(3, [4], "c\nd")]),
        (4, [(2, [3, 4], "b\nc\nd")]),
        (3, [(1, [2, 3, 4], "a\nb\nc\nd")]),
        (1, [(1, [2, 3, 4], "a\nb\nc\nd")]),
    ],
)
async def test_as_few_as_needed_are_joined_from_the_end(left: int | None, joined: list[Any]) -> None:
    assert await Line("a", "b", "c", "d").run(left) == joined


@pytest.mark.parametrize(
    "body", [{"type": "file", "path": "p", "name": "n"}, choices("b", ["1"]), text("b", ["y"])], ids=str
)
async def test_only_plain_texts_are_joined(body: dict[str, Any]) -> None:
    assert await Line("a", body, "c").run(1) == []
    assert await Line("a", "b", body, "c", "d").run(1) == [(1, [2], "a\nb"), (4, [5], "c\nd")]


@pytest.mark.parametrize(("length", "fits"), [(MAX_BYTES - 4, True), (MAX_BYTES - 3, False)])
async def test_joined_text_fits_into_a_message(length: int, fits: bool) -> None:
    """In bytes: a Chinese character has three."""
    found = await Line("x" * length, "字").run(1)
    assert found == ([(1, [2], f"{'x' * length}\n字")] if fits else [])


async def test_text_too_long_for_one_neighbour_joins_the_other() -> None:
    long = "x" * MAX_BYTES
    assert await Line("a", "b", long, "d").run(1) == [(1, [2], "a\nb")]
