"""Events through the relay: numbered, stored, repeated, in order."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import resource

import psutil
import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from tests.official import OfficialGateway, Start
from tests.relay.conftest import Relays
from tests.relay.process import RelayClient, RelayProcess
from tests.waiting import SECONDS

pytestmark = pytest.mark.gateway


async def _gateway(official: Start, **options: object) -> OfficialGateway:
    gateway = await official(**options)
    await gateway.setup(contacts=3)
    return gateway


@pytest.mark.parametrize("tls", [True, False])
async def test_events_and_calls_are_forwarded(official: Start, relays: Relays, tls: bool) -> None:
    gateway = await _gateway(official)
    relay = await relays(gateway)
    client = RelayClient(relay, tls=tls)
    async with client.stream() as following:
        said = await gateway.say("c0", "你好")
        assert await following() == (said, 0), "a client that knows no relays is told no numbers"
        assert (await client.call("MessagePayload", id=said)).text == "你好"
        await client.call("MessageSendText", conversation_id="c0", text="好")
    assert [row["text"] for row in await gateway.sent()] == ["好"]
    client.close()


async def test_events_without_a_client_are_delivered_first(official: Start, relays: Relays) -> None:
    gateway = await _gateway(official)
    relay = await relays(gateway)
    waiting = [await gateway.say("c0", f"{i}") for i in range(5)]
    await relay.until("relay_unread_events", 5)
    client = RelayClient(relay)
    async with client.stream() as following:
        live = await gateway.say("c1", "live")
        assert [(await following())[0] for _ in range(6)] == [*waiting, live]
    client.close()


async def test_stock_client_misses_nothing_across_restarts(official: Start, relays: Relays) -> None:
    gateway = await _gateway(official)
    relay = await relays(gateway)
    said: list[str] = []
    got: list[str] = []
    for turn in range(4):
        said += [await gateway.say("c0", f"{turn} {i}") for i in range(3)]
        client = RelayClient(relay)
        async with client.stream() as following:
            while not got or got[-1] != said[-1]:
                got.append((await following())[0])
                await client.call("MessagePayload", id=got[-1])
        client.close()
        await relay.until("relay_client_connected", 0)
    assert got == said


async def test_events_unread_by_a_stock_client_are_redelivered(official: Start, relays: Relays) -> None:
    gateway = await _gateway(official)
    relay = await relays(gateway)
    first, second = await gateway.say("c0", "1"), await gateway.say("c0", "2")
    for expected in ([first, second], [second]):
        client = RelayClient(relay)
        async with client.stream() as following:
            assert [(await following())[0] for _ in expected] == expected
            await client.call("MessagePayload", id=first)
        client.close()
        await relay.until("relay_client_connected", 0)


async def test_numbering_acknowledgement_and_resume(official: Start, relays: Relays) -> None:
    gateway = await _gateway(official)
    relay = await relays(gateway)
    said = [await gateway.say("c0", f"{i}") for i in range(4)]
    client = RelayClient(relay, relay_epoch="1", relay_resume="new")
    async with client.stream() as following:
        got = [await following() for _ in said]
    assert [id for id, _ in got] == said
    assert [number for _, number in got] == sorted({number for _, number in got})
    client.close()

    again = RelayClient(relay, relay_epoch="2", relay_resume="new")
    async with again.stream() as following:
        assert (await following())[0] == said[0], "nothing was acknowledged"
    again.metadata["relay-acknowledged"] = f"{again.journal}:{got[1][1]}"
    await again.call("Version")
    async with again.stream() as following:
        assert (await following())[0] == said[2]
    again.metadata["relay-resume"] = f"{again.journal}:{got[2][1]}"
    async with again.stream() as following:
        assert (await following())[0] == said[3]
    again.metadata["relay-resume"] = f"0000:{got[3][1]}"
    async with again.stream() as following:
        assert (await following())[0] == said[2], "the number of another journal says nothing"
    again.close()


async def test_kill_9_of_the_relay_keeps_stored_events(official: Start, relays: Relays) -> None:
    gateway = await _gateway(official)
    relay = await relays(gateway)
    said = [await gateway.say("c0", f"{i}") for i in range(20)]
    await relay.until("relay_unread_events", 20)
    await relay.restart()
    said.append(await gateway.say("c0", "after"))
    client = RelayClient(relay, relay_resume="new")
    async with client.stream() as following:
        assert [(await following())[0] for _ in said] == said
    client.close()


async def test_standby_relay_takes_over_at_once(official: Start, relays: Relays) -> None:
    """Messages are lost while no relay runs, so an upgrade must be brief."""
    gateway = await _gateway(official)
    relay = await relays(gateway)
    second = await relay.spawn()
    assert await asyncio.wait_for(second.wait(), SECONDS) == 1
    assert "another relay uses it" in relay.log()
    next_one = await relay.spawn("--wait")
    async with asyncio.timeout(SECONDS):
        while "waiting for the other relay" not in relay.log():  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.05)
    said: list[str] = []
    stopped = asyncio.create_task(relay.terminate())
    while not stopped.done() or await relay.metric("relay_last_number") < 1:
        assert next_one.returncode is None, relay.log()
        said.append(await gateway.say("c0", f"{len(said)}"))
    assert await stopped == 0
    relay.process = next_one
    await gateway.wait_connected()
    said.append(await gateway.say("c0", "last"))
    client = RelayClient(relay, relay_resume="new")
    got: list[str] = []
    async with client.stream() as following:
        while not got or got[-1] != said[-1]:
            got.append((await following())[0])
    assert got == [id for id in said if id in got], "in order"
    client.close()


async def test_payloads_survive_gateway_restart(official: Start, relays: Relays) -> None:
    gateway = await _gateway(official)
    relay = await relays(gateway)
    said = await gateway.say("c0", "记得我")
    picture = await gateway.say("c0", kind="image", file={"name": "a.png", "base64": "iVBORw0KGgo="})
    client = RelayClient(relay, relay_resume="new")
    await relay.until("relay_kept_answers", 4)
    await gateway.restart()  # without a state file it loses everything
    await relay.until("relay_gateway_up", 1)
    async with client.stream() as following:
        assert [(await following())[0] for _ in range(2)] == [said, picture]
        assert (await client.call("MessagePayload", id=said)).text == "记得我"
        assert "iVBORw0KGgo" in (await client.call("MessageFile", id=picture)).file_box
    client.close()


async def test_stream_stays_open_during_gateway_restart(official: Start, relays: Relays) -> None:
    gateway = await _gateway(official)
    relay = await relays(gateway)
    client = RelayClient(relay)
    async with client.stream() as following:
        await gateway.restart()
        await gateway.setup(contacts=1)
        await asyncio.wait_for(gateway.do("wait_connected"), SECONDS)
        said = await gateway.say("c0", "hello again")
        assert (await following())[0] == said
    client.close()


async def test_full_disk_is_reported_and_live_events_are_forwarded(
    official: Start, tmp_path: object, relays: Relays
) -> None:
    gateway = await _gateway(official)
    relay = await relays(gateway)
    await relay.terminate()
    assert isinstance(relay, RelayProcess)

    def little_room() -> None:  # limits the size of the process's files
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    await relay.start(before=little_room)
    client = RelayClient(relay)
    async with client.stream() as following:
        said = []
        for i in range(400):
            said.append(await gateway.say("c0", f"{i}"))
            assert (await following())[0] == said[-1]
            if await relay.metric("relay_disk_failing") == 1:
                break
        else:
            pytest.fail("the disk never filled up")
        said = [await gateway.say("c0", "full") for _ in range(3)]
        assert [(await following())[0] for _ in said] == said
    assert "live events are forwarded" in relay.log()
    client.close()


async def test_downloaded_file_survives_gateway_restart(official: Start, relays: Relays) -> None:
    gateway = await _gateway(official)
    relay = await relays(gateway)
    data = random.Random(1).randbytes(300_000)
    file = {"name": "a.zip", "base64": base64.b64encode(data).decode()}
    said = await gateway.say("c0", kind="file", file=file)
    await relay.until("relay_kept_answers", 3)
    await gateway.restart()
    await relay.until("relay_gateway_up", 1)
    client = RelayClient(relay, relay_resume="new")
    box = json.loads((await client.call("MessageFile", id=said)).file_box)
    assert (box.get("type") or box.get("boxType")) == 7, "the gateway sends it by its uuid"
    assert b"".join(await client.download(box["uuid"])) == data
    client.close()


async def test_file_above_the_limit_is_not_stored(official: Start, relays: Relays) -> None:
    gateway = await _gateway(official)
    relay = await relays(gateway, media_mb=0.1)
    file = {"name": "a.zip", "base64": base64.b64encode(bytes(1_000_000)).decode()}
    said = await gateway.say("c0", kind="file", file=file)
    after = await gateway.say("c0", "after it")
    async with asyncio.timeout(SECONDS):
        while "is not stored: UndecodableMessage" not in relay.log():  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.05)
    await relay.until("relay_kept_answers", 3)  # two payloads, and where the file is
    client = RelayClient(relay, relay_resume="new")
    async with client.stream() as following:
        assert [(await following())[0] for _ in range(2)] == [said, after]
        box = json.loads((await client.call("MessageFile", id=said)).file_box)
        assert len(b"".join(await client.download(box["uuid"]))) == 1_000_000
    client.close()


async def test_events_older_than_keep_days_are_deleted(official: Start, relays: Relays) -> None:
    gateway = await _gateway(official)
    relay = await relays(gateway, keep_days=1 / 86400)
    for i in range(3):
        await gateway.say("c0", f"old {i}")
    await relay.until("relay_last_number", 3)
    await asyncio.sleep(1.1)
    for _ in range(2):  # it deletes when it starts; the second time nothing is left to count from
        await relay.terminate()
        await relay.start()
        await relay.until("relay_unread_events", 3)
    said = await gateway.say("c0", "new")
    client = RelayClient(relay, relay_resume="new")
    async with client.stream() as following:
        assert await following() == (said, 4)
    client.close()


async def test_client_that_stops_reading_uses_no_memory_and_misses_nothing(official: Start, relays: Relays) -> None:
    gateway = await _gateway(official)
    relay = await relays(gateway)
    assert relay.process is not None
    client = RelayClient(relay, relay_resume="new")
    async with client.stream() as following:
        await gateway.say("c0", "first")
        await following()
        before = psutil.Process(relay.process.pid).memory_info().rss
        count = 20_000
        body = {"roomId": "r@chatroom", "newTopic": "群" * 50, "oldTopic": "", "changerId": "c0", "timestamp": 1}
        for _ in range(count // 1000):
            await gateway.emit_raw("room-topic", body, times=1000)
        await relay.until("relay_last_number", count + 1)
        grown = psutil.Process(relay.process.pid).memory_info().rss - before
        said = await gateway.say("c0", "last")
        assert await following() == (said, count + 2)
    assert grown < 12 * 2**20
    client.close()


async def test_wrong_token_is_rejected(official: Start, relays: Relays) -> None:
    relay = await relays(await _gateway(official))
    client = RelayClient(relay)
    client.metadata["authorization"] = "Wechaty wrong"
    with pytest.raises(GRPCError) as refused:
        await client.call("Version")
    assert refused.value.status is Status.UNAUTHENTICATED
    client.close()
