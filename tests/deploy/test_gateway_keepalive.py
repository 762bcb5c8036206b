"""deploy/gateway/keepalive.mjs: a client that answers no ping loses its connection, and with it the event stream."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from protocol import puppet_pb2 as pb
from tests.bot_process import ROOT
from tests.deploy.test_gateway import TOKEN, Launch, launch
from tests.official import ca_certificate
from tests.official_client import Client, tls_context
from tests.waiting import SECONDS, until

__all__ = ["launch"]
pytestmark = pytest.mark.gateway

HOLDER = """
import asyncio, sys
from protocol import puppet_pb2 as pb
from tests.official import ca_certificate
from tests.official_client import Client, tls_context

async def main(port, token):
    client = Client(port, token, tls_context(ca_certificate()))
    async with client.events() as following:
        await following(pb.EVENT_HEARTBEAT)
        print("holds", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
"""


@pytest_asyncio.fixture
async def holder(launch: Launch) -> AsyncIterator[tuple[Client, asyncio.subprocess.Process]]:
    """A client in a process that holds a gateway's event stream, and one that would like to have it."""
    gateway = await launch(KEEPALIVE="1")
    await gateway.listens()
    command = (sys.executable, "-c", HOLDER, str(gateway.port), TOKEN)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), SECONDS) == b"holds\n"
    client = Client(gateway.port, TOKEN, tls_context(ca_certificate()))
    yield client, process
    client.close()
    process.kill()
    await process.wait()


async def _gets_stream(client: Client) -> bool:
    try:
        async with client.events() as following:
            await following(pb.EVENT_HEARTBEAT)
    except GRPCError as error:
        assert error.status is Status.ALREADY_EXISTS
        return False
    return True


async def test_frozen_client_loses_the_event_stream(holder: tuple[Client, asyncio.subprocess.Process]) -> None:
    waiting, process = holder
    assert not await _gets_stream(waiting)
    process.send_signal(signal.SIGSTOP)
    await until(lambda: _gets_stream(waiting), "the next client has the stream")


async def test_idle_client_that_answers_pings_keeps_the_event_stream(
    holder: tuple[Client, asyncio.subprocess.Process],
) -> None:
    waiting, _ = holder
    for _ in range(12):  # several pings, one each second
        assert not await _gets_stream(waiting)
        await asyncio.sleep(0.3)
