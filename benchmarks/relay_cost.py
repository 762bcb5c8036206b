"""Cost of the relay: a bare client answers messages with and without it, in alternating rounds.

python -m benchmarks.relay_cost [MESSAGES] [ROUNDS]

A message is an event, the call that reads it, the call that answers it, and the event of the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.measured_processes import MeasuredProcess, folder, gateway, measured_process
from benchmarks.replies import PACE, PEOPLE, burst, paced
from benchmarks.tables import table
from tests.official import OfficialGateway
from tests.relay.process import RelayProcess

UNREAD = 100_000


class Result(NamedTuple):
    """One round."""

    client_ms: float  # CPU a message
    relay_ms: float
    rate: float  # answers a second in the burst
    p50: float  # ms, at PACE
    p99: float


@contextlib.asynccontextmanager
async def running_relay(world: OfficialGateway) -> AsyncIterator[tuple[RelayProcess, MeasuredProcess]]:
    """A relay before that gateway."""
    async with folder() as home:
        relay = RelayProcess(Path(home), world)
        await relay.start()
        try:
            assert relay.process is not None
            yield relay, MeasuredProcess(relay.process.pid)
        finally:
            await relay.kill()


async def measure(with_relay: bool, count: int) -> Result:
    """One round, over a fresh gateway."""
    async with contextlib.AsyncExitStack() as stack:
        world = await stack.enter_async_context(gateway(contacts=PEOPLE))
        relay, itself = await stack.enter_async_context(running_relay(world)) if with_relay else (None, None)
        client = await stack.enter_async_context(measured_process("bare gRPC", world, relay))
        before = itself.cpu() if itself else 0.0
        cpu, rate = await burst(world, client, count)
        relay_cpu = (itself.cpu() - before) / count if itself else 0.0
        waits = sorted(await paced(world))
        return Result(cpu * 1000, relay_cpu * 1000, rate, median(waits), waits[int(len(waits) * 0.99)])


async def unread() -> str:
    """Return the memory with many unread events; topic changes have no payload to be read."""
    async with gateway(contacts=2) as world, running_relay(world) as (relay, itself):
        memory, cpu, start = itself.memory(), itself.cpu(), await relay.metric("relay_last_number")
        for number in range(UNREAD // 1000):
            body = {"roomId": "r@chatroom", "newTopic": f"{number}", "oldTopic": "", "changerId": "c0", "timestamp": 1}
            await world.emit_raw("room-topic", body, times=1000)
        async with asyncio.timeout(300):
            while await relay.metric("relay_last_number") < start + UNREAD:  # noqa: ASYNC110 - a process
                await asyncio.sleep(0.5)
        used = (itself.cpu() - cpu) / UNREAD * 1000
        return f"{UNREAD} unread events: {memory:.0f} MB -> {itself.memory():.0f} MB, {used:.3f} ms CPU each"


async def main(count: int, rounds: int) -> None:
    """Print a table."""
    results: dict[bool, list[Result]] = {False: [], True: []}
    for number in range(rounds):
        for with_relay in (False, True) if number % 2 == 0 else (True, False):
            results[with_relay].append(await measure(with_relay, count))
    head = (
        "",
        "client CPU ms",
        "relay CPU ms",
        "relay / client",
        f"answers/s of {count}",
        f"p50 ms at {PACE}/s",
        "p99 ms",
    )
    rows = []
    for with_relay, name in ((False, "without relay"), (True, "with relay")):
        middle = Result(*(median(column) for column in zip(*results[with_relay], strict=True)))
        ratio = median(
            result.relay_ms / result.client_ms for result in results[with_relay]
        )  # a busy machine slows down both
        figures = (f"{middle.client_ms:.2f}", f"{middle.relay_ms:.2f}", f"{ratio:.2f}")
        rows.append((name, *figures, *(f"{figure:.0f}" for figure in middle[2:])))
    print(table(f"a message and its answer, medians of {rounds} rounds in turns", head, rows))
    print(await unread())


if __name__ == "__main__":
    given = [int(value) for value in sys.argv[1:]]
    asyncio.run(main(*given, *(1000, 3)[len(given) :]))
