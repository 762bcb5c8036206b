"""Faults of the gateway fixture: failing, late and lost calls, kills, rejected commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from grpclib.exceptions import GRPCError

from tests.official import ControlError, OfficialGateway, Start, official
from tests.official_client import Client
from tests.official_fixtures import client, gateway

__all__ = ["client", "gateway"]


__all__ = ["official"]


pytestmark = pytest.mark.gateway


def past_its_deadline() -> pytest.RaisesExc[TimeoutError | GRPCError]:
    """Expect a call to fail by its deadline, whichever end's timer fires first."""
    return pytest.raises((TimeoutError, GRPCError), match=r"Deadline exceeded|^$")


@pytest.mark.parametrize(("mode", "done"), [("throw", False), ("hang", False), ("lose", True), ("fail", True)])
async def test_injected_fault_affects_the_next_call_only(
    gateway: OfficialGateway, client: Client, mode: str, done: bool
) -> None:
    await gateway.fault("MessageSendText", mode, text="操作过于频繁", code=8, times=1)
    send = client.call("MessageSendText", 1.0, conversation_id="甲", text="一")
    if mode in ("hang", "lose"):
        with past_its_deadline():
            await send
    else:
        with pytest.raises(GRPCError, match="操作过于频繁"):
            await send
    assert len(await gateway.wait_sent(int(done))) == int(done)
    await client.call("MessageSendText", conversation_id="甲", text="二")
    assert len(await gateway.wait_calls("MessageSendText", 2)) == 2


async def test_call_is_ignored_skipped_or_late(gateway: OfficialGateway, client: Client) -> None:
    await gateway.room("r@chatroom", "旧", ["wxid_bot", "甲"])
    await gateway.fault("RoomTopic", "ignore", skip=1, times=1)
    await gateway.fault("RoomAdd", "late", ms=300)
    await client.call("RoomTopic", id="r@chatroom", topic="一")
    await client.call("RoomTopic", id="r@chatroom", topic="二")
    assert (await client.call("RoomPayload", id="r@chatroom")).topic == "一"
    with past_its_deadline():
        await client.call("RoomAdd", 0.1, id="r@chatroom", contact_id="乙")
    await gateway.clear_faults()
    await client.call("RoomAdd", id="r@chatroom", contact_id="丙")


async def test_frozen_gateway_answers_after_thaw(gateway: OfficialGateway, client: Client) -> None:
    await client.call("Version")
    gateway.freeze()
    with pytest.raises(TimeoutError):
        await client.call("Version", 0.5)
    gateway.thaw()
    await client.call("Version")


async def test_state_survives_kill(official: Start, tmp_path: Path) -> None:
    gateway = await official(state=tmp_path / "state.jsonl")
    await gateway.contact("甲", "甲")
    message = await gateway.say("甲", "记住")
    client = Client.of(gateway)
    await client.call("MessageSendText", conversation_id="甲", text="好")
    client.close()
    port = gateway.port
    await gateway.restart()
    assert gateway.port == port
    client = Client.of(gateway)
    assert (await client.call("MessagePayload", id=message)).text == "记住"
    assert (await client.call("ContactPayload", id="甲")).friend
    assert [row["text"] for row in await gateway.sent()] == ["好"]
    client.close()


async def test_rejected_command_gives_the_reason(gateway: OfficialGateway) -> None:
    with pytest.raises(ControlError, match="nobody"):
        await gateway.say("nobody", "?")
