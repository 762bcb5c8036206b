"""Fencing: the client with the highest epoch is served, even if others are suspended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from relay.server import KEEPALIVE
from tests.bot_process import ROOT
from tests.official import OfficialGateway, Start
from tests.relay.conftest import Relays
from tests.relay.process import RelayClient, RelayProcess
from tests.waiting import SECONDS

pytestmark = pytest.mark.gateway

HOLDER = """
import asyncio, os, sys, json
from types import SimpleNamespace
from tests.relay.process import RelayClient

async def main(port, token, epoch):
    knows = {"relay_epoch": epoch, "relay_resume": "new"} if epoch else {}
    client = RelayClient(SimpleNamespace(port=port, token=token), **knows)
    async with client.stream() as following:
        print("holds", flush=True)
        while True:
            try:
                await client.call("MessageSendText", conversation_id="c0", text=f"from {epoch}")
            except Exception as error:
                print(type(error).__name__, getattr(error, "status", ""), flush=True)
            await asyncio.sleep(0.02)

asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
"""


async def _relay(official: Start, relays: Relays) -> tuple[OfficialGateway, RelayProcess]:
    gateway = await official()
    await gateway.setup(contacts=2)
    return gateway, await relays(gateway)


async def _status(client: RelayClient, **fields: str) -> Status:
    with pytest.raises(GRPCError) as refused:
        await client.call("MessageSendText", **fields)
    return refused.value.status


async def test_higher_epoch_ends_the_older_stream_and_its_calls(official: Start, relays: Relays) -> None:
    gateway, relay = await _relay(official, relays)
    old = RelayClient(relay, relay_epoch="3", relay_resume="new")
    new = RelayClient(relay, relay_epoch="4", relay_resume="new")
    async with old.stream() as following, new.stream() as next_following:
        with pytest.raises(GRPCError) as ended:
            await following()
        assert ended.value.status is Status.FAILED_PRECONDITION
        assert await _status(old, conversation_id="c0", text="zombie") is Status.FAILED_PRECONDITION
        await new.call("MessageSendText", conversation_id="c0", text="alive")
        said = await gateway.say("c0", "hi")
        while (await next_following())[0] != said:  # own messages are reported, too
            pass
    with pytest.raises(GRPCError) as refused:
        async with old.stream():
            pass
    assert refused.value.status is Status.FAILED_PRECONDITION
    assert [row["text"] for row in await gateway.sent()] == ["alive"]
    old.close()
    new.close()


async def test_epoch_survives_kill_9_of_the_relay(official: Start, relays: Relays) -> None:
    _, relay = await _relay(official, relays)
    new, old = RelayClient(relay, relay_epoch="9"), RelayClient(relay, relay_epoch="8")
    await new.call("Version")
    new.close()
    await relay.restart()
    assert await _status(old, conversation_id="c0", text="zombie") is Status.FAILED_PRECONDITION
    old.close()


async def test_second_client_without_epoch_waits(official: Start, relays: Relays) -> None:
    gateway, relay = await _relay(official, relays)
    first, second = RelayClient(relay), RelayClient(relay)
    async with first.stream() as following:
        with pytest.raises(GRPCError) as refused:
            async with second.stream():
                pass
        assert refused.value.status is Status.ALREADY_EXISTS
        said = await gateway.say("c0", "still here")
        assert (await following())[0] == said
        await second.call("Version")
    await relay.until("relay_client_connected", 0)
    async with second.stream() as following:
        await gateway.say("c0", "and here")
        await following()
    first.close()
    second.close()


async def test_same_epoch_replaces_its_lost_connection(official: Start, relays: Relays) -> None:
    gateway, relay = await _relay(official, relays)
    first, second = RelayClient(relay, relay_epoch="5"), RelayClient(relay, relay_epoch="5")
    with pytest.raises(GRPCError) as ended:
        async with first.stream() as lost, second.stream() as following:
            said = await gateway.say("c0", "hi")
            assert (await following())[0] == said
            await first.call("Version")
            await lost()
    assert ended.value.status is Status.FAILED_PRECONDITION
    first.close()
    second.close()


@pytest.mark.parametrize("epoch", ["-1", "x", "9" * 30])
async def test_invalid_epoch_is_rejected(official: Start, relays: Relays, epoch: str) -> None:
    _, relay = await _relay(official, relays)
    client = RelayClient(relay, relay_epoch=epoch)
    assert await _status(client, conversation_id="c0", text="x") is Status.INVALID_ARGUMENT
    client.close()


async def _holder(relay: RelayProcess, epoch: str) -> asyncio.subprocess.Process:
    """A client in its own process that sends continuously."""
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(relay.port), relay.token, epoch,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert holder.stdout is not None
    assert await asyncio.wait_for(holder.stdout.readline(), SECONDS) == b"holds\n"
    return holder


async def test_events_unread_by_a_frozen_client_go_to_the_next(official: Start, relays: Relays) -> None:
    gateway, relay = await _relay(official, relays)
    holder = await _holder(relay, "")
    try:
        await gateway.wait_sent(1)
        holder.send_signal(signal.SIGSTOP)
        said = [await gateway.say("c1", f"unread {i}") for i in range(3)]
        await asyncio.sleep(4)  # by now a client that reads counts as having them
    finally:
        holder.kill()
        await holder.wait()
    await relay.until("relay_client_connected", 0)
    client = RelayClient(relay)
    got: list[str] = []
    async with client.stream() as following:
        while not got or got[-1] != said[-1]:
            got.append((await following())[0])
    assert [id for id in got if id in said] == said
    client.close()


async def test_client_on_a_dead_machine_is_disconnected(official: Start, relays: Relays) -> None:
    """Frozen, so that its connection stays open: it must not block a client without an epoch."""
    _, relay = await _relay(official, relays)
    holder = await _holder(relay, "")
    try:
        holder.send_signal(signal.SIGSTOP)
        await relay.until("relay_client_connected", 0, 60)
        client = RelayClient(relay)
        async with client.stream():
            pass
        client.close()
    finally:
        holder.kill()
        await holder.wait()


async def test_frozen_holder_is_replaced_and_fenced(official: Start, relays: Relays) -> None:
    gateway, relay = await _relay(official, relays)
    holder = await _holder(relay, "1")
    assert holder.stdout is not None
    try:
        await gateway.wait_sent(3)
        holder.send_signal(signal.SIGSTOP)
        client = RelayClient(relay, relay_epoch="2", relay_resume="new")
        began = time.monotonic()
        async with client.stream() as following:
            said = await gateway.say("c0", "who is there")
            while (await following())[0] != said:  # messages sent by the first client are reported, too
                pass
            waited = time.monotonic() - began
            before = len(await gateway.sent())
            holder.send_signal(signal.SIGCONT)
            refused = 0
            while refused < 20:
                line = (await asyncio.wait_for(holder.stdout.readline(), SECONDS)).decode()
                refused += "FAILED_PRECONDITION" in line
            assert len(await gateway.sent()) == before, "what the first sends after it woke reaches WeChat"
        client.close()
    finally:
        holder.kill()
        await holder.wait()
    assert waited < KEEPALIVE / 2, f"the next client waited {waited:.2f} s, as for pings of the first"
