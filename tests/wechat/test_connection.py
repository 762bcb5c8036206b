"""The supervised connection, with the sandbox's gateway."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from errors import WeChatOffline, WeChatUnknown
from protocol import puppet_pb2 as pb
from protocol.certificates import WECHATY_CA
from sandbox.gateway.server import PuppetServer
from sandbox.world.world import SONG, World
from tests.waiting import until
from tests.wechat.conftest import TOKEN, Connect
from tests.wechat.recording_listener import RecordedAccount
from wechat.connection import HELD, Timing
from wechat.interface import State
from wechat.problems import Problem, Reason


async def test_unreachable_gateway_at_start_is_retried(world: World, connect: Connect) -> None:
    server = PuppetServer(world, "weimi1001", TOKEN)
    port = await server.start()
    await server.stop()
    recorded = await connect(f"127.0.0.1:{port}", TOKEN, tls=False)
    assert "Connection refused" in await recorded.listener.until(
        lambda: recorded.listener.states and recorded.listener.states[-1][1]
    )
    with pytest.raises(WeChatOffline):
        await recorded.assistant.send_text(SONG, "谁在？")
    await server.start()
    await recorded.online()
    await server.stop()


async def test_reconnects_after_every_kill(server: PuppetServer, world: World, recorded: RecordedAccount) -> None:
    for round in range(3):
        server.kill()
        await recorded.listener.state(State.CONNECTING)
        with pytest.raises(WeChatOffline):
            await recorded.assistant.send_text(SONG, "谁在？")
        await server.start()
        await recorded.online()
        world.chats.say(SONG, world.accounts.person("weimi1001").id, f"第{round}次")
        assert (await recorded.resolved("message", round + 1)).text == f"第{round}次"
    assert "Stop" not in {call["name"] for call in world.trace.of("weimi1001")}


async def test_stream_opens_before_start(recorded: RecordedAccount, world: World) -> None:
    calls = [entry for entry in world.trace.of("weimi1001") if entry["what"] == "call"]
    assert calls[0]["name"] in ("Start", "ContactList")  # Event itself is not traced
    assert [call["name"] for call in calls].count("Start") == 1


async def test_no_call_while_calls_are_not_allowed(server: PuppetServer, world: World, connect: Connect) -> None:
    allowed = [True]
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, tls=False, may_call=lambda: allowed[0])
    await recorded.online()
    world.faults.call("MessageSendText", "hang", count=1)
    sending = asyncio.create_task(recorded.assistant.send_text(SONG, "慢"))
    await until(lambda: not world.faults.calls, "the gateway has the call")
    called = len(world.trace.of("weimi1001"))
    allowed[0] = False
    with pytest.raises(WeChatOffline):
        await recorded.assistant.room("R:1", fresh=True)
    recorded.assistant.disconnect()
    with pytest.raises(WeChatUnknown):
        await sending
    await recorded.listener.state(State.CONNECTING)
    await until(lambda: not server.listening, "the event stream is free for the next holder")
    assert await recorded.assistant._connection._attempt() == (State.CONNECTING, Reason(Problem.STOPPED))
    later = {call["name"] for call in world.trace.of("weimi1001")[called:]}
    assert later <= {"MessageSendText", "Version"}, "calls are traced at their end, and one may have been under way"
    allowed[0] = True
    await recorded.online()


async def test_orderly_end_of_stream_is_a_lost_connection(server: PuppetServer, recorded: RecordedAccount) -> None:
    server._events.end()
    reason = await recorded.listener.state(State.CONNECTING)
    assert reason == "the gateway ended the event stream"
    await recorded.online()


async def test_logout_and_login_within_a_session(world: World, recorded: RecordedAccount) -> None:
    world.accounts.logout("weimi1001")
    await recorded.listener.state(State.LOGGED_OUT)
    with pytest.raises(WeChatOffline):
        await recorded.assistant.send_text(SONG, "谁在？")
    world.accounts.login("weimi1001")
    await recorded.online()
    assert recorded.listener.syncs[-1][0] is not None  # since when events may have been missed
    await recorded.assistant.send_text(SONG, "我在")
    assert State.CONNECTING not in [state for state, _ in recorded.listener.states]


async def test_logged_out_at_the_start(server: PuppetServer, world: World, connect: Connect) -> None:
    world.accounts.logout("weimi1001")
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, tls=False)
    await recorded.listener.state(State.LOGGED_OUT)
    world.accounts.login("weimi1001")
    await recorded.online()


async def test_login_of_another_person_resets_the_directory(server: PuppetServer, recorded: RecordedAccount) -> None:
    recorded.assistant.directory.put_room(
        await recorded.assistant.room(
            await recorded.assistant.create_room(
                [c.id for c in recorded.assistant.directory.contacts.values() if c.friend][:2], "旧群"
            )
        )
    )
    server.send_raw(pb.EventResponse(type=pb.EVENT_LOGIN, payload='{"contactId": "wxid_else"}'))
    await recorded.listener.until(lambda: recorded.assistant.self_id == "wxid_else")
    assert recorded.assistant.directory.room_by_topic("旧群") == []
    await recorded.online()


async def test_repeated_login_event_changes_nothing(server: PuppetServer, recorded: RecordedAccount) -> None:
    states = list(recorded.listener.states)
    server.send_raw(
        pb.EventResponse(type=pb.EVENT_LOGIN, payload=json.dumps({"contactId": recorded.assistant.self_id}))
    )
    server.send_raw(pb.EventResponse(type=pb.EVENT_MESSAGE, payload='{"messageId": "mark"}'))
    await recorded.listener.raw("message")
    assert recorded.listener.states == states


async def test_wrong_token_is_reported_once_and_retried(
    server: PuppetServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "wechat")
    recorded = await connect(f"127.0.0.1:{server.port}", "insecure_wrong-secret", tls=False)
    reason = await recorded.listener.state(State.REFUSED)
    assert reason == "the gateway rejects the token"
    await asyncio.sleep(0.6)  # several more rejections
    assert [state for state, _ in recorded.listener.states] == [State.REFUSED]
    assert sum("refused" in r.message for r in caplog.records) == 1
    assert "wrong-secret" not in caplog.text
    await server.stop()
    right = PuppetServer(server.world, "weimi1001", "insecure_wrong-secret", port=server.port)
    await right.start()
    await recorded.online()
    await right.stop()


async def test_missing_ca_file_is_reported(server: PuppetServer, connect: Connect, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(f"# 自己的 CA\n{WECHATY_CA}", encoding="utf-8")
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, tls=True, tls_ca=str(ca))
    assert "does not use TLS" in await recorded.listener.until(
        lambda: recorded.listener.states and recorded.listener.states[-1][1]
    )
    ca.unlink()
    await recorded.listener.until(lambda: str(ca) in recorded.listener.states[-1][1])


async def test_auto_detects_plaintext_and_keeps_it(
    server: PuppetServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wechat.connection")
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN)
    await recorded.online()
    server.kill()
    await recorded.listener.state(State.CONNECTING)
    await server.start()
    await recorded.online()
    assert [r.message for r in caplog.records].count("weimi1001: the gateway uses plaintext") == 1


async def test_stream_held_by_another_client_is_reported(
    server: PuppetServer, recorded: RecordedAccount, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wechat")
    second = await connect(f"127.0.0.1:{server.port}", TOKEN, tls=False)
    await second.listener.until(lambda: second.listener.states)
    await asyncio.sleep(0.5)  # several more attempts
    assert second.listener.states == [(State.CONNECTING, HELD)]
    assert sum("another client" in r.message for r in caplog.records) == 1
    assert recorded.assistant.state is State.ONLINE  # the first client is not affected
    await recorded.assistant.stop()
    await second.online()


async def test_gateway_without_version_call_is_alive(
    world: World, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = PuppetServer(world, "weimi1001", TOKEN)
    table = server.__mapping__()
    del table["/wechaty.Puppet/Version"]
    monkeypatch.setattr(PuppetServer, "__mapping__", lambda self: table)
    await server.start()
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, tls=False)
    await recorded.online()
    await asyncio.sleep(1.5)  # three checks of the watchdog
    assert recorded.assistant.state is State.ONLINE
    await server.stop()


async def test_rejected_start_is_retried(server: PuppetServer, world: World, connect: Connect) -> None:
    world.faults.call("Start", "fail", count=2, text="no licence")
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, tls=False)
    reason = await recorded.listener.until(
        lambda: next((r for s, r in recorded.listener.states if s is State.CONNECTING), "")
    )
    assert reason == "the gateway cannot start the account: no licence"
    await recorded.online()


async def test_frozen_gateway_is_detected_within_ten_seconds(server: PuppetServer, connect: Connect) -> None:
    """Slow (9 s): uses the default timing."""
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, timing=Timing(), tls=False)
    await recorded.online()
    began = time.monotonic()
    server.freeze()
    assert await recorded.listener.state(State.CONNECTING) == "the gateway does not respond"
    assert time.monotonic() - began < 10
    server.thaw()
    await recorded.online()


async def test_failing_listener_gets_the_event_again(recorded: RecordedAccount, world: World) -> None:
    failures = iter([ValueError("database is locked"), OSError("disk full")])

    async def fail(raw: object) -> None:
        if error := next(failures, None):
            raise error

    recorded.listener.on_taken = fail
    for text in ("一", "二"):
        world.chats.say(SONG, recorded.assistant.self_id, text)
    assert [(await recorded.resolved("message", n)).text for n in (1, 2)] == ["一", "二"]


async def test_slow_listener_gets_every_event_in_order(recorded: RecordedAccount, world: World) -> None:
    async def slow(raw: object) -> None:
        await asyncio.sleep(0.001)

    recorded.listener.on_taken = slow
    for n in range(300):
        world.chats.say(SONG, recorded.assistant.self_id, str(n))
    await recorded.listener.raw("message", 300)
    texts = [(await recorded.assistant.resolve(raw)).text for raw in recorded.listener.of("message")]  # type: ignore[union-attr]
    assert texts == [str(n) for n in range(300)]


async def test_stop_delivers_received_events(server: PuppetServer, recorded: RecordedAccount, world: World) -> None:
    async def slow(raw: object) -> None:
        await asyncio.sleep(0.01)

    recorded.listener.on_taken = slow
    for n in range(50):
        world.chats.say(SONG, recorded.assistant.self_id, str(n))
    await recorded.listener.raw("message", 1)
    waiting = recorded.assistant._queue.qsize()
    had = len(recorded.listener.of("message"))
    await recorded.assistant.stop()
    assert len(recorded.listener.of("message")) >= had + waiting > 1
    await recorded.assistant.stop()  # twice does nothing


async def test_gateway_error_text_is_not_logged(
    server: PuppetServer, connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def serve(stream: object) -> None:
        raise GRPCError(Status.INTERNAL, "token insecure_sandbox-token is odd")

    monkeypatch.setattr(server._events, "serve", serve)
    await server.stop()
    await server.start()
    recorded = await connect(f"127.0.0.1:{server.port}", TOKEN, tls=False)
    await recorded.listener.until(lambda: recorded.listener.states)
    assert recorded.listener.states[-1] == (State.CONNECTING, "the event stream failed: INTERNAL")
    assert "sandbox-token" not in "".join(r.getMessage() for r in caplog.records if r.name.startswith("wechat"))
