"""A model of the support desk that predicts every message of the assistant to customers, staff and admins."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sqlmodel import select

from models.support import Ticket, TicketState
from sandbox.world.model import Kind
from tests.stories.conftest import BotEnvironment
from tests.stories.service import known, service, staff_room

STAFF = ("店长", "宋公明", "智多星")
CUSTOMERS = 10
# The clock's jobs run once a tick. No limit in ticks is within two minutes of a limit in seconds, because the time that
# the test itself takes counts as well.
TICK = 165  # seconds
REMIND = 2  # ticks, 5 minutes
REMIND_AGAIN = 22  # an hour
IDLE = 11  # 30 minutes
DOWN = 44  # two hours
MARK = 524  # a day

GREETING = "您好，我是weimi1001，请问有什么可以帮您？回复“人工”转人工客服。"
HANDOFF = "正在为您转接人工客服，请稍候。"
CLOSED = "本次人工服务已结束。请回复 1–5 为本次服务打分，5 分为非常满意。"
MARKED = "感谢您的评价！"
NOT_UNDERSTOOD = (  # the answers to a second mark, which are not predicted
    "抱歉，我没听懂。回复“人工”转人工客服。",
    "还是没明白您的意思。需要人工服务的话，请回复“人工”，我为您转接。",
)


@dataclass
class Case:
    """A customer as the model sees them. Times are in ticks."""

    name: str
    number: int = 0  # of the unfinished ticket
    since: int = 0  # when it was opened, or reminded of
    reminders: int = 0
    staff: str = ""
    answered: bool = False
    quiet: int = 0  # ticks of silence in which both sides could speak
    asked_mark: int = 0  # the ticket that may be rated
    asked_at: int = 0
    notes: list[str] = field(default_factory=list)
    heard: list[str] = field(
        default_factory=lambda: [GREETING]
    )  # all messages that the assistant must have sent them, in order


class SupportModel:
    """The bot, and the model of its expected messages."""

    def __init__(self, folder: Path) -> None:
        self.env = BotEnvironment(folder, customer_service=service())
        self.people: list[str] = []
        self.cases = [Case(f"客人{n}") for n in range(CUSTOMERS)]
        self.room = ""
        self.shown: Counter[str] = Counter()  # lines that the assistant must have posted in the staff room
        self.notices: Counter[str] = Counter()  # that the admin must have got in private
        self.now = 0  # ticks
        self.counting = False  # whether silence counts: not in the first run of the jobs after a start
        self.turn = 0

    async def begin(self) -> None:
        await self.env.open()
        self.people = [self.env.add_person(case.name) for case in self.cases]
        self.room = staff_room(self.env)
        self.env.world.people.befriend(self.env.id("店长"), self.env.id("智多星"))
        self.env.world.joins.add(self.env.id("店长"), self.room, self.env.id("智多星"))
        await known(self.env, self.room)
        for person in self.people:
            self.env.say(person, "人工")
        await self.env.wait_idle()
        numbers = {ticket.contact_id: ticket.id or 0 for ticket in await self.tickets()}
        for case, person in zip(self.cases, self.people, strict=True):
            self.opened(case, numbers[person])
        await self.check()

    async def tickets(self) -> list[Ticket]:
        rows = await self.env.bot.container.store.read(lambda s: s.exec(select(Ticket)).all())
        return sorted(rows, key=lambda row: row.id or 0)

    # ---- the model ----

    def opened(self, case: Case, number: int) -> None:
        case.number, case.since, case.reminders, case.staff = number, self.now, 0, ""
        case.answered, case.quiet, case.asked_mark = False, 0, 0
        case.heard.append(HANDOFF)
        self.shown[f"【#{number} {case.name}】请求人工服务"] += 1

    def closed(self, case: Case, line: str) -> None:
        case.asked_mark, case.asked_at, case.number = case.number, self.now, 0
        case.heard.append(CLOSED)
        self.shown[line] += 1

    def ticked(self) -> None:
        """A tick passed, and the clock's jobs ran."""
        self.now += 1
        for case in self.cases:
            if case.number and case.answered and self.counting:
                case.quiet += 1
                if case.quiet >= IDLE:
                    self.closed(case, f"#{case.number} {case.name} 30 分钟没有消息，已结束")
        for case in self.cases:
            wait = REMIND if case.reminders < 2 else REMIND_AGAIN
            if case.number and not case.answered and self.now - case.since >= wait:
                waited = f"#{case.number} {case.name} 已等待 … 分钟，还没有人答复"
                if case.reminders == 1:
                    self.notices[f"{waited}，请安排人员处理。"] += 1
                else:
                    self.shown[f"{waited}。请回复“#{case.number} 内容”。"] += 1
                case.reminders, case.since = case.reminders + 1, self.now
        self.counting = True

    # ---- steps ----

    async def step(self, what: str, who: int) -> None:
        self.turn += 1
        case = self.cases[who]
        if what in ("a tick", "minutes", "half an hour"):
            await self.pass_time({"a tick": 1, "minutes": 5, "half an hour": IDLE}[what])
        elif what in ("restart", "downtime"):
            await self.restart(DOWN if what == "downtime" else 0)
        elif what in ("asks", "says", "says in a hurry", "marks"):
            await self.customer_does(what, who, case)
        elif case.number:
            self.staff_does(what, case)
        await self.env.wait_idle()
        await self.check()

    async def customer_does(self, what: str, who: int, case: Case) -> None:
        person = self.people[who]
        if what == "asks":
            self.env.say(person, "人工")
            await self.env.wait_idle()
            if case.number:
                self.relayed(case, "人工")
            else:
                self.opened(case, max(ticket.id or 0 for ticket in await self.tickets()))
        elif what == "marks" and not case.number:
            self.env.say(person, "打4分")
            if not case.asked_mark or self.now - case.asked_at >= MARK:
                return
            self.shown[f"#{case.asked_mark} {case.name} 评分：4"] += 1
            case.heard.append(MARKED)
            case.asked_mark = 0
        elif case.number:
            for part in ("甲", "乙", "丙") if what == "says in a hurry" else ("",):
                text = f"第{self.turn}句{part}"
                self.env.say(person, text)
                self.relayed(case, text)
            if what == "says in a hurry":  # the bot is stopped as soon as it has stored the event
                await self.env._flush_events(self.env.accounts[0])
                await self.restart(0)

    def relayed(self, case: Case, text: str) -> None:
        self.shown[f"【#{case.number} {case.name}】{text}"] += 1
        case.quiet = 0

    def staff_does(self, what: str, case: Case) -> None:
        member, number = STAFF[self.turn % len(STAFF)], case.number
        text = f"第{self.turn}答"
        if what == "answers":
            self.env.say(member, f"#{number} {text}", self.room)
            case.heard.append(text)
            case.answered, case.quiet = True, 0
            if not case.staff:
                case.staff = member
                self.shown[f"#{number} 由 {member} 接待"] += 1
        elif what == "closes":
            self.env.say(member, f"#{number} 结束", self.room)
            self.closed(case, f"#{number} {case.name} 已结束")
        elif what == "notes":
            self.env.say(member, f"#{number} 记录 {text}", self.room)
            case.notes.append(text)
            self.shown[f"#{number} 已记录"] += 1
        elif what == "passes":
            self.env.say(member, f"#{number} 转 @智多星", self.room)
            case.staff = "智多星"
            self.shown[f"#{number} 由 智多星 接待"] += 1
        elif what == "slips":
            self.env.say(member, f"#{number} 转", self.room)
            self.shown[f"这句没有发给 #{number} 的客户"] += 1

    async def restart(self, ticks: int) -> None:
        await self.env.stop_bot()
        self.env.ahead += ticks * TICK
        self.now += ticks
        await self.env.start_bot()
        await known(self.env, self.room)
        self.counting = False

    async def pass_time(self, ticks: int) -> None:
        container = self.env.bot.container
        for _ in range(ticks):
            await self.env.wait_idle()
            self.env.ahead += TICK
            for job in (container.idle_tickets.close, container.waiting_tickets.announce, container.reminders.run):
                await job()
            self.ticked()

    # ---- what is compared ----

    def heard(self, who: str, chat: str = "bot") -> list[str]:
        bot = self.env.id("bot")
        seen = [m for m in self.env.seen(who, chat) if m.sender == bot and m.kind is Kind.TEXT]
        return [_plain(message.text) for message in seen if message.text not in NOT_UNDERSTOOD]

    async def check(self) -> None:
        for case, person in zip(self.cases, self.people, strict=True):
            heard = self.heard(person)  # named in full: hypothesis reports the message of an error only
            assert heard == case.heard, f"{case.name} got {heard[-5:]} instead of {case.heard[-5:]}"
        assert Counter(self.heard("宋公明", self.room)) == self.shown
        assert Counter(self.heard("店长")) == self.notices
        tickets = await self.tickets()
        for case, person in zip(self.cases, self.people, strict=True):
            mine = [ticket for ticket in tickets if ticket.contact_id == person]
            unfinished = [ticket for ticket in mine if ticket.state != TicketState.CLOSED]
            assert [ticket.id for ticket in unfinished] == ([case.number] if case.number else [])
            if unfinished:
                assert unfinished[0].state == TicketState.OPEN
                assert unfinished[0].staff_name == case.staff


def _plain(text: str) -> str:
    """Return a message without what the model does not predict: mentions, times and the history."""
    text = re.sub(r"@\S+\u2005", "", text).strip()
    text = re.sub(r"已等待 \d+ 分钟", "已等待 … 分钟", text)
    if "】请求人工服务" in text:
        return text.partition("】")[0] + "】请求人工服务"
    return re.split("。写法|\n", text)[0]
