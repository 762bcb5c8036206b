"""Property test: after any sequence of actions, the database equals what WeChat shows."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from models.groups import Membership, MemberState
from sandbox.world.model import Refused
from tests.stories.conftest import BotEnvironment
from tests.stories.group_life import members
from tests.waiting import until

PEOPLE = ("甲", "乙", "丙", "丁")
person = st.sampled_from(PEOPLE)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["brought", "leaves", "token", "rest", "removed", "taps", "renames"]), person),
    st.tuples(st.sampled_from(["brought", "leaves", "brought", "leaves"]), person),
    st.tuples(st.sampled_from(["stop", "start", "restart", "deaf", "hears again", "twice"]), st.just("")),
)


class GroupModel:
    """A bot with one group, and random actions."""

    def __init__(self, folder: Path) -> None:
        # invitations from five members on; two actions swap names
        self.env = BotEnvironment(folder, groups={"direct_add_limit": 5, "confirm_seconds": 0.5})
        self.ids: dict[str, str] = {}
        self.qun: dict[str, Any] = {}
        self.runs = True
        self.renamed = 0
        self.left: set[str] = set()

    async def begin(self) -> None:
        """Make everybody a friend of the assistant, and create the group with its first three members."""
        await self.env.open()
        self.env.world.rules.direct_limit = 5
        self.qun = await self.env.make_group()
        self.ids = {name: self.env.add_person(name) for name in PEOPLE}
        for id in self.ids.values():  # also 智多星, who adds them
            self.env.world.people.befriend(id, self.env.id("智多星"))
        await self.env.wait_idle()

    async def step(self, what: str, who: str) -> None:
        """Execute one action; actions rejected by WeChat are skipped."""
        world, room, person_id = self.env.world, self.qun["room"], self.ids.get(who, "")
        try:
            if what == "token":
                self.env.say(person_id, self.qun["token"])
            elif what == "rest" and self.runs:
                await self.env.join(self.qun["token"], person_id)
            elif what == "brought":
                world.joins.add(self.env.id("智多星"), room, person_id)
            elif what == "leaves":
                world.rooms.leave(person_id, room)
                self.left.add(person_id)
            elif what == "removed":
                world.rooms.remove(self.env.id("bot"), room, person_id)
                self.left.add(person_id)
            elif what == "taps":
                card = next(c for c in world.state.invitations.values() if c.invitee == person_id and c.state == "open")
                world.joins.tap(person_id, card.id)
            elif what == "renames":
                self.renamed += 1
                world.people.rename(person_id, f"{who}{self.renamed % 2}")
            else:
                await self._bot(what)
        except (Refused, StopIteration):
            return

    async def _bot(self, what: str) -> None:
        faults = self.env.world.faults
        if what == "deaf":
            faults.event("*", lost=0.5, late=0.5, late_ms=30)
        elif what == "hears again":
            faults.event("*")
        elif what == "twice":
            faults.event("room-join", twice=1.0)
        elif what in ("stop", "restart") and self.runs:
            await self.env.stop_bot()
            self.runs = False
        if what in ("start", "restart") and not self.runs:
            await self.env.start_bot()
            self.runs = True

    async def settle(self) -> None:
        """Wait for all events and jobs, and run the drift check once."""
        self.env.world.faults.clear()
        await self._bot("start")
        await asyncio.sleep(0.1)  # for delayed events
        await self.env.wait_idle()
        await until(self._idle, lambda: "the ways in go on")
        await until(self._agrees, lambda: "readings agree on who is gone")
        await self.env.wait_idle()

    async def _agrees(self) -> bool:
        await self.env.bot.container.drift_check.check()
        return await members(self.env, self.qun) == set(self.env.room(self.qun["room"]).members) - {self.env.id("bot")}

    async def _idle(self) -> bool:
        return not self.env.bot.container.token_joins._tasks

    async def check(self) -> None:
        """Check that the database equals the world."""
        there = set(self.env.room(self.qun["room"]).members) - {self.env.id("bot")}
        assert await members(self.env, self.qun) == there
        store = self.env.bot.container.store
        rows = {row.contact_id: row for row in await store.read(lambda s: s.exec(select(Membership)).all())}
        assert len(rows) == len(set(rows)), "a person has one row"
        for id in self.ids.values():
            state = rows[id].state if id in rows else ""
            assert (state == MemberState.JOINED) == (id in there)
            if state == MemberState.INVITED:
                assert self._has_card(id), "invited by the database, and by WeChat"
            if state in (MemberState.LEFT, MemberState.REMOVED):
                assert id in self.left

    def _has_card(self, person_id: str) -> bool:
        return any(card.invitee == person_id for card in self.env.world.state.invitations.values())


async def run_steps(steps: list[tuple[str, str]]) -> None:
    """Run a sequence of actions, and check the result, also after a restart."""
    with tempfile.TemporaryDirectory() as folder:
        life = GroupModel(Path(folder))
        await life.begin()
        try:
            for what, who in steps:
                await life.step(what, who)
            await life.settle()
            await life.check()
            await life._bot("restart")
            await life.env.wait_idle()
            await life.check()
        finally:
            if not life.runs:
                await life.env.start_bot()
            await life.env.close()


@settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=8, max_size=30))
def test_database_equals_the_world(steps: list[tuple[str, str]]) -> None:
    asyncio.run(run_steps(steps))
