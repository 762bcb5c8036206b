"""Model-based test: ten customers, three members of staff, restarts, downtime and time that passes.

A model predicts every message that customers, staff and admins get from the assistant. What they got is compared with
it, so that a message too many, too few, altered or to somebody else fails as well.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.stories.support_model import CUSTOMERS, SupportModel

customer = st.integers(0, CUSTOMERS - 1)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["asks", "asks", "says", "says in a hurry", "marks"]), customer),
    st.tuples(st.sampled_from(["answers", "answers", "closes", "notes", "passes", "slips"]), customer),
    st.tuples(st.sampled_from(["a tick", "minutes", "half an hour", "restart", "downtime"]), st.just(0)),
)
# What each day begins with: each kind of step at least once, and what only a sequence of steps shows.
MORNING = [
    *(("answers", who) for who in range(0, CUSTOMERS, 2)),
    *(("says", who) for who in range(CUSTOMERS)),
    ("a tick", 0),
    ("restart", 0),
    *(("asks", who) for who in (0, 1)),  # both have a ticket
    ("minutes", 0),  # who was not answered is reminded of, at first in the room and then with the admins
    ("notes", 0),
    ("passes", 1),
    ("slips", 3),
    ("says in a hurry", 0),
    ("closes", 2),
    ("restart", 0),
    ("marks", 2),
    ("restart", 0),
    ("marks", 2),  # counts only once
    ("asks", 2),
    ("answers", 1),
    ("downtime", 0),  # no one can speak, so that no one is idle
    ("says", 4),
    ("half an hour", 0),
    ("marks", 6),
]


def test_every_message_is_predicted() -> None:
    """`MORNING`, then whatever hypothesis thinks of."""

    @settings(
        max_examples=3,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(STEPS, min_size=6, max_size=12))
    def day(steps: list[tuple[str, int]]) -> None:
        async def live() -> None:
            with tempfile.TemporaryDirectory() as folder:
                model = SupportModel(Path(folder))
                try:
                    await model.begin()
                    for what, who in [*MORNING, *steps, ("half an hour", 0)]:
                        await model.step(what, who)
                finally:
                    await model.env.close()

        asyncio.run(live())

    day()
