"""Model-based test: ten customers, three members of staff, restarts and passing time; every customer is served."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from models.support import Ticket, TicketState
from tests.stories.conftest import BotEnvironment
from tests.stories.service import known, service, staff_room

STAFF = ("店长", "宋公明", "智多星")
customer = st.integers(0, 9)
STEPS = st.one_of(
    st.tuples(st.just("asks"), customer),
    st.tuples(st.just("says"), customer),
    st.tuples(st.sampled_from(["answers", "closes", "slips"]), customer),
    st.tuples(st.sampled_from(["minutes", "minutes", "restart", "an hour"]), st.just(0)),
)


class SupportModel:
    """The bot and the expected state of each customer: unserved, waiting, answered or done."""

    def __init__(self, folder: Path) -> None:
        self.env = BotEnvironment(folder, customer_service=service())
        self.customers: list[str] = []
        self.room = ""
        self.waits: dict[int, float] = {}  # customer -> since when, on the bot's clock
        self.answered: set[int] = set()
        self.said: list[str] = []  # that the staff has to read
        self.turn = 0

    async def begin(self) -> None:
        await self.env.open()
        self.customers = [self.env.add_person(f"客人{n}") for n in range(10)]
        self.room = staff_room(self.env)
        self.env.world.people.befriend(self.env.id("店长"), self.env.id("智多星"))
        self.env.world.joins.add(self.env.id("店长"), self.room, self.env.id("智多星"))
        await known(self.env, self.room)
        await self.env.wait_idle()

    async def tickets(self) -> list[Ticket]:
        rows = await self.env.bot.container.store.read(lambda s: s.exec(select(Ticket)).all())
        return sorted(rows, key=lambda row: row.id or 0)

    async def number(self, who: int) -> int | None:
        mine = [t for t in await self.tickets() if t.contact_id == self.customers[who] and t.state != "closed"]
        return mine[0].id if mine else None

    async def step(self, what: str, who: int) -> None:
        self.turn += 1
        member, number = STAFF[self.turn % len(STAFF)], await self.number(who) if what != "asks" else None
        if what == "asks":
            self.env.say(self.customers[who], "人工")
            if who not in self.answered:
                self.waits.setdefault(who, self.env.bot.container.clock())
        elif what == "says":
            self.env.say(self.customers[who], f"第{self.turn}句")
            if number is not None:
                self.said.append(f"第{self.turn}句")
        elif what == "answers" and number is not None:
            self.env.say(member, f"#{number} 您好{self.turn}", self.room)
            self.waits.pop(who, None)
            self.answered.add(who)
        elif what == "closes" and number is not None:
            self.env.say(member, f"#{number} 结束", self.room)
            self.waits.pop(who, None)
            self.answered.discard(who)
        elif what == "slips" and number is not None:
            self.env.say(member, f"#{number} 转", self.room)
        await self.env.wait_idle()
        if what == "restart":
            await self.env.restart_bot()
            await known(self.env, self.room)
        elif what in ("minutes", "an hour"):
            await self.pass_time(6 if what == "minutes" else 60)
        await self.check()

    async def pass_time(self, minutes: int) -> None:
        """The clock's jobs run each few minutes, as in a real day; silence counts towards the end of tickets."""
        container = self.env.bot.container
        for _ in range(minutes // 3):
            self.env.ahead += 180
            for job in (container.idle_tickets.close, container.waiting_tickets.announce, container.reminders.run):
                await job()
        await self.env.wait_idle()
        unfinished = {t.contact_id for t in await self.tickets() if t.state != TicketState.CLOSED}
        self.answered = {who for who in self.answered if self.customers[who] in unfinished}

    async def check(self) -> None:
        """Who waits has an open ticket, was never asked for a mark over it, and is reminded of when it is time."""
        tickets, now = await self.tickets(), self.env.bot.container.clock()
        room = [message.text for message in self.env.seen("宋公明", self.room)]
        for who, since in self.waits.items():
            mine = [t for t in tickets if t.contact_id == self.customers[who]]
            assert mine
            assert mine[-1].state == TicketState.OPEN, "an unanswered customer's ticket is not open"
            if now - since > 6 * 60:
                assert any(f"#{mine[-1].id} 客人{who} 已等待" in line for line in room), "nobody was reminded"
        for who, person in enumerate(self.customers):
            closed = [t for t in tickets if t.contact_id == person and t.state == TicketState.CLOSED]
            asked = [m for m in self.env.seen(person) if "回复 1–5" in m.text]
            assert len(asked) == len(closed), f"客人{who} is asked for a mark once for each ticket that is over"
            assert not any(m.text == "转" for m in self.env.seen(person)), "a slip of the staff reached a customer"
        for words in self.said:
            assert sum(words in line for line in room if line.startswith("【#")) == 1, f"{words} was not relayed once"
        open_ones = [t.contact_id for t in tickets if t.state != TicketState.CLOSED]
        assert len(open_ones) == len(set(open_ones))


def test_every_customer_is_served() -> None:
    @settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.lists(STEPS, min_size=8, max_size=16))
    def day(steps: list[tuple[str, int]]) -> None:
        async def live() -> None:
            with tempfile.TemporaryDirectory() as folder:
                model = SupportModel(Path(folder))
                await model.begin()
                try:
                    for who in range(10):  # everybody needs somebody, and half of them is answered
                        await model.step("asks", who)
                    for who in range(0, 10, 2):
                        await model.step("answers", who)
                    for what, who in steps:
                        await model.step(what, who)
                    await model.step("an hour", 0)
                finally:
                    await model.env.close()

        asyncio.run(live())

    day()
