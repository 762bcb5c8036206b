"""First answer and resolution, in all and per member of staff, as people and monitoring read them."""

from __future__ import annotations

import pytest

from api.stored_numbers import read
from config.texts import Texts
from models.db import Store
from models.support import Ticket, TicketState
from services.support.service_levels import by_staff, described, duration, opened_between

TICKETS = [
    # opened, answered, closed, who, mark
    (1000.0, 1030.0, 1600.0, "宋公明", 5),
    (1000.0, 1090.0, 4600.0, "宋公明", 4),
    (1000.0, 1150.0, None, "智多星", None),
    (1000.0, None, None, "", None),
]


def ticket(number: int, row: tuple[float, float | None, float | None, str, int | None]) -> Ticket:
    opened, answered, closed, who, mark = row
    state = TicketState.CLOSED if closed else TicketState.OPEN
    return Ticket(
        account="weimi1001", contact_id=f"wxid_{number}", name="客", state=state, staff_id=who, staff_name=who,
        opened_at=opened, last_at=opened, answered_at=answered, closed_at=closed, mark=mark,
    )  # fmt: skip


async def test_levels_in_total_and_per_member_of_staff(store: Store) -> None:
    await store.write(lambda s: s.add_all([ticket(n, row) for n, row in enumerate(TICKETS)]))
    rows = await store.read(lambda s: opened_between(s, "weimi1001", 0, 2000))
    assert described(rows, Texts()).splitlines() == [
        "客服：新会话 4，已答复 3，已结束 2；首次答复中位 2 分钟，解决中位 35 分钟，平均评分 4.5",
        "宋公明：会话 2，首次答复中位 1 分钟，解决中位 35 分钟，平均评分 4.5",
        "智多星：会话 1，首次答复中位 2 分钟，解决中位 —，平均评分 —",
    ]
    assert described([], Texts()) == ""
    levels = (await store.read(lambda s: read(s, 0.0))).closed_today
    assert levels is not None
    assert (levels.closed, levels.first_answer, levels.resolution) == (2, 60.0, 2100.0)
    later = (await store.read(lambda s: read(s, 2000.0))).closed_today
    assert later is not None
    assert (later.closed, later.first_answer) == (1, 90.0)


async def test_tickets_of_an_account_and_a_period(store: Store) -> None:
    other = ticket(9, (1000.0, None, None, "", None))
    other.account = "weimi1002"
    times = (999.0, 1000.0, 1999.0, 2000.0)
    await store.write(
        lambda s: s.add_all([other, *(ticket(n, (at, None, None, "", None)) for n, at in enumerate(times))])
    )
    rows = await store.read(lambda s: opened_between(s, "weimi1001", 1000.0, 2000.0))
    assert sorted(row.opened_at for row in rows) == [1000.0, 1999.0]


def test_staff_without_a_name_are_shown_by_id() -> None:
    nameless = ticket(1, (0.0, 60.0, None, "", None))
    nameless.staff_id = "wxid_staff"
    assert list(by_staff([nameless, ticket(2, (0.0, None, None, "", None))])) == ["wxid_staff"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"), (0.0, "0 秒"), (59.4, "59 秒"), (60.0, "1 分钟"),
        (5399.0, "90 分钟"), (5400.0, "1.5 小时"), (36000.0, "10.0 小时"),
    ],
)  # fmt: skip
def test_durations_are_shown(seconds: float | None, text: str) -> None:
    assert duration(seconds, Texts()) == text
