"""Flows over a real database, with business systems whose responses the test sets."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
from sqlmodel import col, select

from config.flow_settings import CallStep
from models.flows import FlowCallback, FlowRun
from tests.services.parts import ACCOUNT, XUAN, OpenParts, Parts

SYSTEM = {"shop": {"title": "商店", "base_url": "https://shop.example"}}
HOOK = {"url": "https://hook.example/", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw0hBc7Bqyj8ZCY="}
CALL = {"call": {"system": "shop", "path": "/orders", "body": {"n": 1}, "into": "order"}}
HAND_OUT = {"call": {"system": "shop", "path": "/orders", "body": {"callback": "{callback_url}"}, "into": "order"}}
WAIT = {"wait": {"callback": "result", "hours": 2, "expect": {"status": "success"}}}
ASK = {"ask": {"store": "哪家？"}}


def flow(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a flow that everybody may start with 开始."""
    return {"name": "试", "start": ["开始"], "allow": "everyone", "steps": list(steps), **more}


class ScriptedSystems:
    """Takes the place of SystemCaller.call."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.values: list[dict[str, Any]] = []
        self.responses: list[dict[str, Any] | Exception] = []  # of the next calls; then {}
        self.gate: asyncio.Event | None = None
        self.called = asyncio.Event()

    async def call(self, call: CallStep, values: Mapping[str, Any], key: str) -> dict[str, Any]:
        assert call.system == "shop"
        self.keys.append(key)
        self.values.append(dict(values))
        self.called.set()
        if self.gate is not None:
            await self.gate.wait()
        response = self.responses.pop(0) if self.responses else {}
        if isinstance(response, Exception):
            raise response
        return response


class FlowParts:
    """The flows of a container, and a person who writes to the assistant."""

    def __init__(self, parts: Parts, systems: ScriptedSystems) -> None:
        self.parts = parts
        self.clock = parts.clock
        self.container = parts.container
        self.systems = systems
        self.calls = parts.container.flow_runs._calls
        self._seen: dict[str, int] = {}  # texts of each person

    async def say(self, text: str | None, person: str = XUAN) -> list[str] | None:
        """Handle a message; return the new texts of the assistant, or None if it concerned no flow."""
        decision = await self.container.flows.handle(ACCOUNT, person, text)
        if decision is None:
            return None
        if decision.write is not None:
            await self.parts.write(decision.write)
        await self.settle()
        return [decision.reply] if decision.reply else await self.texts(person)

    async def settle(self) -> None:
        """Wait until the calls have ended, unless the test holds them."""
        while self.systems.gate is None and self.calls._calls:
            await asyncio.wait(self.calls._calls.values())

    async def texts(self, person: str = XUAN) -> list[str]:
        """Return the texts queued since the last look."""
        texts = await self.parts.queued_texts(person)
        new, self._seen[person] = texts[self._seen.get(person, 0) :], len(texts)
        return new

    async def run(self, number: int = -1) -> FlowRun:
        """Return a run; by default the newest."""
        return (await self.runs())[number]

    async def runs(self) -> list[FlowRun]:
        return list(await self.parts.read(lambda s: s.exec(select(FlowRun).order_by(col(FlowRun.id))).all()))

    async def callbacks(self) -> list[FlowCallback]:
        query = select(FlowCallback).order_by(col(FlowCallback.run_id), col(FlowCallback.step))
        return list(await self.parts.read(lambda s: s.exec(query).all()))

    async def receive(self, result: dict[str, Any], number: int = -1) -> list[str]:
        """Receive the result of a callback; return the new texts of the assistant."""
        secret = (await self.callbacks())[number].secret
        await self.container.flow_runs.receive_callback(await self.container.flow_runs.callback(secret), result)
        await self.settle()
        return await self.texts()

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the data of the queued webhook events of a type."""
        return [job.body["data"] for job in await self.parts.queued("hook") if job.body["type"] == kind]


OpenFlows = Callable[..., Awaitable[FlowParts]]


@pytest.fixture
async def open_flows(open_parts: OpenParts, caplog: pytest.LogCaptureFixture) -> AsyncIterator[OpenFlows]:
    """Return a function that opens the services with some flows; a second call is a restart on the same database."""
    opened: list[FlowParts] = []

    async def open_them(*flows: dict[str, Any], start: bool = True, **config: Any) -> FlowParts:
        settings = {"systems": SYSTEM, "webhooks": [HOOK], "api": {"public_url": "https://bot.example"}, **config}
        parts = await open_parts(flows=copy.deepcopy(list(flows)), **settings)
        systems = ScriptedSystems()
        parts.container.system_caller.call = systems.call  # type: ignore[method-assign]
        made = FlowParts(parts, systems)
        opened.append(made)
        if start:
            await parts.container.flow_runs.start()
        return made

    yield open_them
    for parts in opened:
        await parts.container.flow_runs.stop(0)
    messages = [record.getMessage() for record in caplog.get_records("call")]
    assert "a callback after a commit failed" not in messages
