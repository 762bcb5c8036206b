"""The supervised connection, with the official Node.js gateway."""

from __future__ import annotations

import asyncio
import logging
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from errors import WeChatOffline
from tests.official import OfficialGateway, Start
from tests.wechat.conftest import Connect
from tests.wechat.recording_listener import QUICK, RecordedAccount
from wechat.connection import HELD, Timing
from wechat.interface import State
from wechat.problems import Problem

pytestmark = pytest.mark.gateway


async def _online(gateway: OfficialGateway, connect: Connect, **more: Any) -> RecordedAccount:
    recorded = await connect(gateway.endpoint, gateway.token, **more)
    await recorded.online()
    return recorded


@pytest.mark.parametrize(("tls", "wanted"), [(True, True), (True, "auto"), (False, False), (False, "auto")])
async def test_tls_and_plaintext_with_token(official: Start, connect: Connect, tls: bool, wanted: Any) -> None:
    gateway = await official(tls=tls)
    await gateway.contact("wxid_song", "宋公明")
    recorded = await _online(gateway, connect, tls=wanted)
    await recorded.assistant.send_text("wxid_song", "你好")
    assert [message["text"] for message in await gateway.sent()] == ["你好"]
    await gateway.kill()
    await recorded.listener.state(State.CONNECTING)
    await gateway.start()  # and it uses the same mode again
    await recorded.online()


@pytest.mark.parametrize("tls", [True, False])
async def test_wrong_token_is_refused_and_not_logged(
    official: Start, connect: Connect, tls: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway = await official(tls=tls)
    recorded = await connect(gateway.endpoint, "insecure_wrong-secret", tls=tls)
    assert await recorded.listener.state(State.REFUSED) == "the gateway rejects the token"
    await asyncio.sleep(0.5)
    assert [state for state, _ in recorded.listener.states] == [State.REFUSED]
    ours = [r.getMessage() for r in caplog.records if r.name.startswith(("wechat", "stamina"))]
    assert ours and not any("wrong-secret" in line for line in ours)


async def test_missing_token_is_refused(official: Start, connect: Connect) -> None:
    gateway = await official(tls=True)
    recorded = await connect(gateway.endpoint, "", tls=True, tls_server_name="insecure")
    await recorded.listener.state(State.REFUSED)


@pytest.mark.parametrize(
    ("tls", "wanted"), [(True, False), (False, True)], ids=["plaintext to TLS", "TLS to plaintext"]
)
async def test_wrong_tls_setting_never_connects(official: Start, connect: Connect, tls: bool, wanted: bool) -> None:
    gateway = await official(tls=tls)
    recorded = await connect(gateway.endpoint, gateway.token, tls=wanted)
    await recorded.listener.until(lambda: recorded.listener.states)
    await asyncio.sleep(0.3)
    assert {state for state, _ in recorded.listener.states} == {State.CONNECTING}
    assert not wanted or "the gateway does not use TLS" in recorded.listener.states[0][1]


@pytest.mark.parametrize("tls", [True, False])
async def test_token_may_contain_any_visible_characters(official: Start, connect: Connect, tls: bool) -> None:
    """Including tokens that are invalid as :authority, and tokens without a server name before an underscore."""
    gateway = await official(tls=tls, token='it\'s a "token" {+/=#%\\}~')
    await _online(gateway, connect, tls=tls)


async def test_certificate_of_another_name_is_rejected_without_plaintext(official: Start, connect: Connect) -> None:
    gateway = await official(tls=True)
    recorded = await connect(gateway.endpoint, gateway.token, tls_server_name="elsewhere")
    reason = await recorded.listener.until(lambda: recorded.listener.states and recorded.listener.states[-1][1])
    assert "certificate is not trusted" in reason
    assert recorded.assistant.reason is not None
    assert recorded.assistant.reason.problem is Problem.SERVER_NAME
    assert "elsewhere" in recorded.assistant.reason.text("zh")
    assert not (await gateway.status())["connected"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
async def test_custom_ca_is_used(official: Start, connect: Connect, tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=wechat.example", "-addext", "subjectAltName=DNS:wechat.example"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    made = [*command, "-days", "2", *subject, "-keyout", str(key), "-out", str(cert)]
    # short enough for a test
    subprocess.run(made, check=True, capture_output=True)  # noqa: ASYNC221 - a moment, in a test
    prefix = "WECHATY_PUPPET_SERVICE_TLS_"
    gateway = await official(
        tls=True,
        env={
            f"{prefix}CA_CERT": cert.read_text(),
            f"{prefix}SERVER_CERT": cert.read_text(),
            f"{prefix}SERVER_KEY": key.read_text(),
        },
    )
    await _online(gateway, connect, tls=True, tls_ca=str(cert), tls_server_name="wechat.example")
    other = await connect(gateway.endpoint, gateway.token, account="other", tls=True, tls_server_name="wechat.example")
    assert "certificate" in await other.listener.until(lambda: other.listener.states and other.listener.states[-1][1])


async def test_kill_and_restart(official: Start, connect: Connect, tmp_path: Path) -> None:
    gateway = await official(state=tmp_path / "state")
    await gateway.contact("wxid_song", "宋公明")
    recorded = await _online(gateway, connect)
    for round in range(2):
        await gateway.kill()
        await recorded.listener.state(State.CONNECTING)
        with pytest.raises(WeChatOffline):
            await recorded.assistant.send_text("wxid_song", "谁在？")
        await gateway.start()
        await recorded.online()
        await gateway.say("wxid_song", f"第{round}次")
        assert (await recorded.resolved("message", round + 1)).text == f"第{round}次"
    assert await gateway.calls("stop") == []


async def test_frozen_gateway_is_detected_within_ten_seconds(official: Start, connect: Connect) -> None:
    """Slow (9 s): uses the default timing."""
    gateway = await official()
    recorded = await _online(gateway, connect, timing=Timing())
    began = time.monotonic()
    gateway.freeze()
    await recorded.listener.state(State.CONNECTING)
    assert time.monotonic() - began < 10
    gateway.thaw()
    await recorded.online(60)


async def test_orderly_end_of_stream_and_logout(official: Start, connect: Connect) -> None:
    gateway = await official()
    recorded = await _online(gateway, connect)
    await gateway.end_stream()
    assert await recorded.listener.state(State.CONNECTING) == "the gateway ended the event stream"
    await recorded.online()
    await gateway.logout()
    await recorded.listener.state(State.LOGGED_OUT)
    await gateway.login()
    await recorded.online()


async def test_stream_held_by_another_client_is_reported(official: Start, connect: Connect) -> None:
    gateway = await official()
    first = await _online(gateway, connect)
    second = await connect(gateway.endpoint, gateway.token, timing=QUICK)
    reason = await second.listener.until(lambda: second.listener.states and second.listener.states[-1][1])
    assert reason == HELD
    assert first.assistant.state is State.ONLINE
    await first.assistant.stop()
    await second.online()


async def test_puppet_error_does_not_end_the_stream(official: Start, connect: Connect) -> None:
    gateway = await official()
    await gateway.contact("wxid_song", "宋公明")
    recorded = await _online(gateway, connect)
    for type, payload in (
        ("error", {"gerror": "{}"}),
        ("ready", {}),
        ("heartbeat", {}),
        ("logout", []),
        ("room-topic", {"roomId": "r", "newTopic": "t"}),
        ("room-join", {"roomId": "r", "inviteeIdList": ["a"]}),
        ("scan", {"status": 9}),
        ("message", {}),
    ):
        await gateway.emit_raw(type, payload)
    await gateway.say("wxid_song", "还听得见吗？")
    await recorded.listener.raw("message")
    assert State.CONNECTING not in [state for state, _ in recorded.listener.states]
    assert [raw.kind for raw in recorded.listener.raws] == ["room-topic", "room-join", "message"]


async def test_gateway_clock_is_read(official: Start, connect: Connect) -> None:
    recorded = await _online(await official(), connect)
    shown = recorded.assistant.gateway_time
    assert shown is not None
    assert abs(shown - time.time()) < 5
