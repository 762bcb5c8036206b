"""Calls over a scripted channel: what is sent, what errors mean, cancellation, and monitoring."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.utils import DeadlineWrapper

from errors import WeChatError, WeChatOffline, WeChatRefused, WeChatUnknown
from protocol import puppet_pb2 as pb
from protocol.batched_channel import MessageTooLarge
from protocol.relaying import NO_GATEWAY, TAKEN_OVER
from tests.waiting import SECONDS, until
from tests.wechat.scripted_channel import ANSWER, ScriptedChannel, ScriptedStream, channel, failure, ignore, wire
from wechat.gateway_clock import GatewayClock
from wechat.relay_progress import RelayProgress
from wechat.wire import CancelOnce, Wire, translate

__all__ = ["channel", "wire"]


# ---- calls ----


async def test_call_is_sent_with_its_types_deadline_and_token(channel: ScriptedChannel, wire: Wire) -> None:
    assert await wire.call("RoomQuit", pb.Id(id="r"), 7.0) == ANSWER
    await wire.call("RoomQuit", pb.Id(id="r"))
    unary = Cardinality.UNARY_UNARY
    assert channel.asked == [("/wechaty.Puppet/RoomQuit", unary, pb.Id, pb.Empty, limit) for limit in (7.0, 10.0)]
    assert channel.metadata[0] == {"authorization": "Wechaty token"}
    assert (channel.streams[0].sent, channel.streams[0].ended) == ([pb.Id(id="r")], True)


async def test_metadata_without_a_token_and_with_a_relay(channel: ScriptedChannel) -> None:
    relay = RelayProgress()
    relay.begin(7, "ab12:4")
    wire = Wire(channel, "", relay=relay)  # type: ignore[arg-type]
    relay.opened("ab12")
    await wire.call("Version", pb.Empty())
    wire.events()
    assert channel.metadata == [
        {"relay-epoch": "7", "relay-acknowledged": "ab12:4"},
        {"relay-epoch": "7", "relay-acknowledged": "ab12:4", "relay-resume": "ab12:4"},
    ]
    assert channel.asked[1][1:] == (Cardinality.UNARY_STREAM, pb.Empty, pb.EventResponse, None), "it has no deadline"


async def test_clock_of_the_gateway_is_read_from_answers(channel: ScriptedChannel) -> None:
    clock = GatewayClock()
    await Wire(channel, "t", clock=clock).call("Version", pb.Empty())  # type: ignore[arg-type]
    assert clock.now is not None


async def test_connecting_has_a_limit(channel: ScriptedChannel, wire: Wire) -> None:
    await wire.connect()
    channel.connects = asyncio.Event()
    with pytest.raises(TimeoutError):
        await wire.connect(0.001)


async def test_closed_wire_sends_nothing(channel: ScriptedChannel, wire: Wire) -> None:
    wire.close()
    assert channel.closed == 1
    for call in (wire.call("Version", pb.Empty()), wire.upload(b"x"), wire.download("u", ignore)):
        error = await failure(call)
        assert (type(error), error.text) == (WeChatOffline, "not connected")
    assert channel.asked == []
    assert not await wire.is_alive(1)


# ---- errors ----


@pytest.mark.parametrize("error", [StreamTerminatedError("x"), OSError("x"), TimeoutError(), DecodeError("x"),
                                   AttributeError("x"), AssertionError("x")])  # fmt: skip
@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("open", WeChatOffline),
        ("send_request", WeChatOffline),
        ("send_message", WeChatUnknown),
        ("recv_message", WeChatUnknown),
        ("exit", WeChatUnknown),
    ],
)
async def test_loss_is_offline_before_the_request_and_unknown_afterwards(
    channel: ScriptedChannel, wire: Wire, error: Exception, step: str, kind: type[WeChatError]
) -> None:
    channel.fails[step] = error
    raised = await failure(wire.call("RoomQuit", pb.Id()))
    assert type(raised) is kind
    assert (raised.call, raised.text) == ("RoomQuit", f"{type(error).__name__}: connection lost or timeout")


async def test_other_errors_are_not_translated(channel: ScriptedChannel, wire: Wire) -> None:
    channel.fails["recv_message"] = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await wire.call("RoomQuit", pb.Id())


async def test_missing_answer_is_unknown(channel: ScriptedChannel, wire: Wire) -> None:
    channel.answers = []
    assert "without an answer" in (await failure(wire.call("RoomQuit", pb.Id()))).text
    assert "without an answer" in (await failure(wire.upload(b"x"))).text


async def test_rejections_and_oversized_answers_are_refused(channel: ScriptedChannel, wire: Wire) -> None:
    channel.fails["recv_message"] = GRPCError(Status.UNKNOWN, "token is bad")
    error = await failure(wire.call("RoomQuit", pb.Id()))
    assert (type(error), error.text) == (WeChatRefused, "*** is bad")
    channel.fails["recv_message"] = MessageTooLarge("the limit is 5")
    error = await failure(wire.call("RoomQuit", pb.Id()))
    assert (type(error), error.text) == (WeChatRefused, "the limit is 5")


@pytest.mark.parametrize("text", [f"{NO_GATEWAY} for a while", TAKEN_OVER])
def test_message_of_a_relay_means_that_nothing_was_sent(text: str) -> None:
    error = translate("RoomQuit", GRPCError(Status.UNAVAILABLE, text))
    assert (type(error), error.text) == (WeChatOffline, text)


def test_error_without_a_message_has_the_name_of_its_status() -> None:
    assert translate("RoomQuit", GRPCError(Status.NOT_FOUND)).text == "NOT_FOUND"
    assert translate("RoomQuit", GRPCError(Status.NOT_FOUND, "first\nsecond")).text == "first"
    assert len(translate("RoomQuit", GRPCError(Status.NOT_FOUND, "x" * 301)).text) == 300


# ---- cancellation ----


async def test_loss_cancels_a_call_once() -> None:
    wrapper: Any = DeadlineWrapper()
    wrapper.__class__ = CancelOnce

    async def call() -> int:
        task = asyncio.current_task()
        assert task is not None
        try:
            with wrapper:
                wrapper.cancel(OSError("first"))
                wrapper.cancel(OSError("second"))
                await asyncio.sleep(SECONDS)
        except OSError as error:
            assert str(error) == "first"
        return task.cancelling()

    assert await asyncio.create_task(call()) == 1


@pytest.mark.parametrize("by_owner", [True, False])
@pytest.mark.parametrize("name", ["call", "upload", "download"])
async def test_cancellation_by_the_caller_differs_from_one_by_a_lost_connection(
    channel: ScriptedChannel, wire: Wire, by_owner: bool, name: str
) -> None:
    """grpclib cancels the task of a call when the connection is lost, and turns any cancellation into an error."""
    lost = OSError("lost")

    async def cancel_and_fail() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        if by_owner:
            task.cancel()
        try:
            await asyncio.sleep(SECONDS)
        except asyncio.CancelledError:
            raise lost from None

    async def receive(_stream: Any) -> Any:
        await cancel_and_fail()

    async def take(_data: bytes) -> None:
        await cancel_and_fail()

    async def run() -> tuple[str, int]:
        calls: dict[str, Any] = {
            "call": lambda: wire.call("RoomQuit", pb.Id()),
            "upload": lambda: wire.upload(b"x"),
            "download": lambda: wire.download("u", take),
        }
        task = asyncio.current_task()
        assert task is not None
        try:
            await calls[name]()
        except (WeChatError, asyncio.CancelledError) as error:
            return type(error).__name__, task.cancelling()
        return "", 0

    channel.answers = [pb.Chunk(chunk=b"x")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptedStream, "recv_message", receive)
        result = await asyncio.create_task(run())
    assert result == (("CancelledError", 1) if by_owner else ("WeChatUnknown", 0))


# ---- limits and monitoring ----


async def test_32_calls_run_at_once_and_monitoring_does_not_wait(channel: ScriptedChannel, wire: Wire) -> None:
    channel.hangs = asyncio.Event()
    calls = [asyncio.create_task(wire.call("RoomQuit", pb.Id())) for _ in range(40)]
    await until(lambda: len(channel.asked) == 32)
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(channel.asked) == 32
    monitoring = asyncio.create_task(wire.is_alive(9.0))
    await until(lambda: len(channel.asked) == 33)
    assert channel.asked[-1][0::4] == ("/wechaty.Puppet/Version", 9.0)
    channel.hangs.set()
    await asyncio.wait_for(asyncio.gather(*calls), SECONDS)
    assert await monitoring


async def test_gateway_that_answers_anything_is_alive(channel: ScriptedChannel, wire: Wire) -> None:
    assert await wire.is_alive(1)
    channel.fails["recv_message"] = GRPCError(Status.UNIMPLEMENTED)
    assert await wire.is_alive(1)
    channel.fails["recv_message"] = GRPCError(Status.UNAVAILABLE)
    assert not await wire.is_alive(1)
    channel.fails["recv_message"] = TimeoutError()
    assert not await wire.is_alive(1)
