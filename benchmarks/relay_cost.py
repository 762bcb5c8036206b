"""Cost of the relay: the same events and calls with and without it, against the official gateway.

python -m benchmarks.relay_cost [MESSAGES]
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles

from protocol import puppet_pb2 as pb
from tests.official import OfficialGateway
from tests.official_client import Client
from tests.relay.process import RelayClient, RelayProcess

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_mb(pid: int) -> float:
    """Return the memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def talk(gateway: OfficialGateway, client: Client, count: int) -> tuple[float, float]:
    """Receive messages and read their payloads, `count` times; return p50 and p99 in milliseconds."""
    took = []
    async with client.events() as following:
        for number in range(count):
            began = time.perf_counter()
            said = await gateway.say("c0", f"{number}")
            while said not in await following(pb.EVENT_MESSAGE):
                pass
            await client.call("MessagePayload", id=said)
            took.append((time.perf_counter() - began) * 1000)
    cuts = quantiles(took, n=100)
    return cuts[49], cuts[98]


async def main(count: int) -> None:
    """Print the table."""
    gateway = await OfficialGateway().start()
    await gateway.setup(contacts=2)
    with tempfile.TemporaryDirectory() as folder:
        direct = Client.of(gateway)
        await talk(gateway, direct, 50)
        p50, p99 = await talk(gateway, direct, count)
        direct.close()
        print(f"without relay: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
        relay = RelayProcess(Path(folder), gateway)
        await relay.start()
        assert relay.process is not None
        through = RelayClient(relay)
        await talk(gateway, through, 50)
        before = cpu_seconds(relay.process.pid)
        p50, p99 = await talk(gateway, through, count)
        used = (cpu_seconds(relay.process.pid) - before) / count * 1000
        print(f"with relay:    p50 {p50:.2f} ms, p99 {p99:.2f} ms, {used:.2f} ms CPU of the relay a message")
        through.close()
        await relay.until("relay_client_connected", 0)
        await unread(gateway, relay)
        await relay.kill()
    await gateway.stop()


async def unread(gateway: OfficialGateway, relay: RelayProcess, events: int = 100_000) -> None:
    """Measure memory with many unread events. Topic changes are used because they have no payload to be read."""
    assert relay.process is not None
    before, cpu, start = (
        memory_mb(relay.process.pid),
        cpu_seconds(relay.process.pid),
        await relay.metric("relay_last_number"),
    )
    for number in range(events // 1000):
        body = {"roomId": "r@chatroom", "newTopic": f"{number}", "oldTopic": "", "changerId": "c0", "timestamp": 1}
        await gateway.emit_raw("room-topic", body, times=1000)
    async with asyncio.timeout(300):
        while await relay.metric("relay_last_number") < start + events:  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.5)
    used = (cpu_seconds(relay.process.pid) - cpu) / events * 1000
    print(f"{events} unread events: {before:.0f} MB -> {memory_mb(relay.process.pid):.0f} MB, {used:.3f} ms CPU each")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
