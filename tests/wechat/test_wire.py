"""Calls of a connection: translation of all errors, and no endless waits."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from errors import (
    WeChatError,
    WeChatNeedsConfirmation,
    WeChatOffline,
    WeChatRefused,
    WeChatTooFast,
    WeChatUnknown,
)
from protocol import CALLS
from protocol import puppet_pb2 as pb
from protocol import tls as gateway_tls
from protocol.certificates import WECHATY_CA
from sandbox.gateway.server import PuppetServer
from sandbox.world.world import SONG, XUANFENG, ZHIDUO, World
from tests.waiting import SECONDS, until
from tests.wechat.recording_listener import RecordedAccount, settings
from wechat import filebox, tls
from wechat.received_file import ReceivedFile
from wechat.wire import Wire, translate

ME = "wxid_weimi1001"


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (Status.UNKNOWN, "操作过于频繁，请稍后再试", WeChatTooFast),
        (Status.INTERNAL, "频率过快", WeChatTooFast),
        (Status.UNKNOWN, "roomAdd() rejection: -2012", WeChatNeedsConfirmation),
        (Status.UNKNOWN, "群主已启用群聊邀请确认(-2028)", WeChatNeedsConfirmation),
        (Status.UNKNOWN, "需要群主确认后才可邀请", WeChatNeedsConfirmation),
        (Status.UNKNOWN, "对方不是你的好友", WeChatRefused),
        (Status.UNIMPLEMENTED, None, WeChatRefused),
        (Status.RESOURCE_EXHAUSTED, "Received message larger than max", WeChatRefused),
        (Status.DEADLINE_EXCEEDED, "操作过于频繁", WeChatUnknown),
        (Status.UNAVAILABLE, "Connection dropped", WeChatUnknown),
        (Status.CANCELLED, "", WeChatUnknown),
        (Status.UNAUTHENTICATED, "Invalid Wechaty TOKEN 'secret-token'", WeChatOffline),
    ],
)
def test_rejection_is_classified(status: Status, text: str | None, kind: type[WeChatError]) -> None:
    error = translate("RoomAdd", GRPCError(status, text), "secret-token")
    assert type(error) is kind
    assert error.call == "RoomAdd"
    assert "secret-token" not in str(error)


def test_token_and_long_texts_are_removed_from_errors() -> None:
    error = translate(
        "RoomAdd", GRPCError(Status.UNKNOWN, "secret-token is bad\n  at stack\n" + "x" * 999), "secret-token"
    )
    assert error.text == "*** is bad"
    assert len(translate("RoomAdd", GRPCError(Status.UNKNOWN, "x" * 999)).text) == 300


@pytest.fixture
def wire(recorded: RecordedAccount) -> Wire:
    assert recorded.assistant._puppet_client.wire is not None
    return recorded.assistant._puppet_client.wire


def _text(text: str) -> pb.MessageSendTextRequest:
    return pb.MessageSendTextRequest(conversation_id=SONG, text=text)


@pytest.mark.parametrize("effect", ["hang", "lose", "lose_silently"])
async def test_lost_response_is_unknown(wire: Wire, world: World, effect: str) -> None:
    world.faults.call("MessageSendText", effect, count=1)
    with pytest.raises(WeChatUnknown):
        await wire.call("MessageSendText", _text("到了吗"), 1.0)
    assert not world.faults.calls, "it reached the gateway"
    await wire.call("MessageSendText", _text("到了"))  # the connection itself is fine


async def test_calls_in_flight_end_with_the_connection(server: PuppetServer, wire: Wire, world: World) -> None:
    world.faults.call("MessageSendText", "hang")
    calls = [asyncio.ensure_future(wire.call("MessageSendText", _text("一"), 60)) for _ in range(50)]
    await wire.is_alive(10)  # answered after them
    server.kill()
    done = await asyncio.gather(*calls, return_exceptions=True)
    kinds = [type(error) for error in done]
    assert kinds[:32] == [WeChatUnknown] * 32  # sent, so it may have happened
    assert set(kinds[32:]) == {WeChatOffline}  # still queued


async def test_concurrent_calls_are_limited_to_32(wire: Wire, world: World) -> None:
    world.faults.call("MessageSendText", "hang", count=32)
    calls = [asyncio.ensure_future(wire.call("MessageSendText", _text(str(n)), 60)) for n in range(40)]
    for _ in range(5):
        assert await asyncio.wait_for(wire.is_alive(5), SECONDS)  # the watchdog does not queue
    assert not any(call.done() for call in calls)  # a 33rd call would have been answered
    for call in calls[:8]:
        call.cancel()
    await asyncio.wait_for(asyncio.gather(*calls[32:]), SECONDS)
    for call in calls:
        call.cancel()


async def test_cancellation_during_loss_is_not_swallowed(wire: Wire, world: World) -> None:
    world.faults.call("MessageSendText", "hang")
    task = asyncio.create_task(wire.call("MessageSendText", _text("一")))
    await asyncio.sleep(0)
    await wire.is_alive(10)
    wire.close()
    task.cancel()
    await asyncio.wait([task], timeout=2)
    assert task.cancelled()


async def test_loss_leaves_no_pending_cancellation(wire: Wire, world: World) -> None:
    world.faults.call("MessageSendText", "hang", count=1)

    async def close() -> None:
        await until(lambda: not world.faults.calls, "the gateway has the call")
        wire.close()

    closing = asyncio.create_task(close())
    with pytest.raises(WeChatUnknown):
        await wire.call("MessageSendText", _text("一"))
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await closing


async def test_sandbox_rate_limit_is_too_fast(recorded: RecordedAccount, world: World) -> None:
    world.limits.set("message", 1, 60)
    await recorded.assistant.send_text(SONG, "一")
    with pytest.raises(WeChatTooFast):
        await recorded.assistant.send_text(SONG, "二")


async def test_adding_to_a_group_with_confirmation_is_reported(recorded: RecordedAccount, world: World) -> None:
    room = world.add_room(SONG, [ME, ZHIDUO], "要确认")
    world.rooms.set_confirm(SONG, room.id, True)
    await recorded.assistant.read_new_rooms()
    with pytest.raises(WeChatNeedsConfirmation):
        await recorded.assistant.add_member(room.id, XUANFENG)
    assert not await recorded.assistant.wait_member(room.id, XUANFENG, 0.1)


# ---- TLS and token ----


@pytest.mark.parametrize(
    ("token", "name"),
    [("insecure_abc", "insecure"), ("Puppet_WXWork_1-2", "puppet_wxwork"), ("uuid", ""), ("_x", ""), ("", "")],
)
def test_server_name_precedes_the_last_underscore(token: str, name: str) -> None:
    assert gateway_tls.server_name(token) == name


async def test_context_trusts_one_ca_only(tmp_path: Path) -> None:
    made = gateway_tls.context()
    subjects: list[Any] = [ca["subject"] for ca in made.get_ca_certs()]
    assert [dict(part[0] for part in subject)["organizationName"] for subject in subjects] == ["Wechaty"]
    assert made.check_hostname
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert not made.verify_flags & ssl.VERIFY_X509_STRICT
    own = tmp_path / "ca.pem"
    own.write_text(WECHATY_CA)
    assert len(gateway_tls.context(str(own)).get_ca_certs()) == 1


@pytest.mark.parametrize(("endpoint", "host"), [("[::1]:9", "::1"), ("gateway.example:9", "gateway.example")])
async def test_endpoints_are_parsed(endpoint: str, host: str) -> None:
    secure = tls.make_channel(settings(endpoint, "insecure_x"), secure=True)
    plain = tls.make_channel(settings(endpoint, "insecure_x"), secure=False)
    assert (secure._host, secure._port, secure._config.ssl_target_name_override) == (host, 9, "insecure")
    assert (plain._host, plain._authority) == (host, "insecure_x")
    named = tls.make_channel(settings(endpoint, "x", tls_server_name="own"), secure=True)
    assert named._config.ssl_target_name_override == "own"
    unnamed = tls.make_channel(settings(endpoint, "x"), secure=True)
    assert unnamed._config.ssl_target_name_override == "insecure"  # the name in the certificate shipped with gateways


async def test_file_transfer_counts_as_liveness(wire: Wire, world: World) -> None:
    id = await wire.upload(b"x" * 3_000_000)
    world.faults.call("Version", "hang")
    assert not await wire.is_alive(0.1)
    for move in (lambda: wire.download(id, ReceivedFile(3_000_000, on_disk=False).write), lambda: wire.upload(b"y")):
        looking = asyncio.create_task(wire.is_alive(2))
        await asyncio.sleep(0)
        await move()
        assert await looking
    assert not await wire.is_alive(0.1)


def test_every_call_has_a_path() -> None:
    assert CALLS["RoomQRCode"].path == "/wechaty.Puppet/RoomQRCode"


# ---- files ----


async def test_oversized_download_is_aborted(wire: Wire) -> None:
    id = await wire.upload(b"x" * 600_000)
    received = ReceivedFile(600_000, on_disk=False)
    await wire.download(id, received.write)
    assert (await received.media("a")).data == b"x" * 600_000
    with pytest.raises(WeChatRefused, match="more than"):
        await wire.download(id, ReceivedFile(599_999, on_disk=False).write)


@pytest.mark.parametrize("on_disk", [True, False])
async def test_large_file_is_written_to_disk_on_request(wire: Wire, on_disk: bool) -> None:
    data = bytes(range(256)) * 20_000
    box = json.dumps({"type": 7, "name": "a", "uuid": await wire.upload(data)})
    media = await filebox.from_box(box, wire, on_disk=on_disk)
    assert (media.file is not None) is on_disk
    assert media.size == len(data)
    assert b"".join(media.pieces()) == data == b"".join(media.pieces())


async def test_oversized_message_is_rejected_unread(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await wire.upload(b"x" * 100_000)
    monkeypatch.setattr("protocol.batched_channel.MAX_MESSAGE_BYTES", 1000)
    with pytest.raises(WeChatRefused, match="the limit is 1000"):
        await wire.download(id, ReceivedFile(600_000, on_disk=False).write)
    assert await wire.is_alive(2), "the connection goes on"
