"""The gateway's lifecycle: stopped, killed, frozen, with TLS, and with faults."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from grpclib.exceptions import GRPCError, StreamTerminatedError

from sandbox.gateway.server import PuppetServer, tls_context
from sandbox.world.world import SONG, ZHIDUO, World
from tests.sandbox.client import TOKEN, Client, until
from tests.sandbox.conftest import ACCOUNT, BOT
from tests.waiting import SECONDS

GONE = (StreamTerminatedError, ConnectionError, EOFError, AttributeError)


async def test_restart_on_the_same_port(world: World) -> None:
    server = PuppetServer(world, ACCOUNT, TOKEN)
    port = await server.start()
    with pytest.raises(RuntimeError, match="already"):
        await server.start()
    client = Client(port)
    async with client.events() as events:
        await events.ready()
        await server.stop()
        with pytest.raises(GONE):
            while True:
                await events.next()
    await server.stop()
    assert await server.start() == port
    async with client.events() as events:
        await events.ready()
    client.close()
    await server.stop()


async def test_kill_disconnects_at_once_and_restart_works(world: World) -> None:
    server = PuppetServer(world, ACCOUNT, TOKEN)
    port = await server.start()
    for _ in range(2):
        client = Client(port)
        async with client.events() as events:
            await events.ready()
            server.kill()
            assert not server.listening
            with pytest.raises(GONE):
                while True:
                    await events.next()
        client.close()
        lost = Client(port)
        with pytest.raises(OSError):
            await lost("Version")
        lost.close()
        assert await server.start() == port
    await server.stop()


async def test_frozen_gateway_answers_after_thaw(world: World, server: PuppetServer, client: Client) -> None:
    async with client.events() as events:
        await events.ready()
        server.freeze()
        call = asyncio.create_task(client("Version"))
        newcomer = Client(server.port)
        second = asyncio.create_task(newcomer("Version"))
        said = world.chats.say(SONG, BOT, "没人说出去")
        event = asyncio.create_task(events.payload("message"))
        done, _ = await asyncio.wait({call, second, event}, timeout=0.3)
        assert not done
        server.thaw()
        assert (await call).version == (await second).version
        assert (await event)["messageId"] == world.chats.wire_id(ACCOUNT, said)
        newcomer.close()


async def test_frozen_gateway_can_be_stopped_and_killed(world: World) -> None:
    server = PuppetServer(world, ACCOUNT, TOKEN)
    for end in ("stop", "kill"):
        client = Client(await server.start())
        async with client.events() as events:
            await events.ready()
            server.freeze()
            world.chats.say(SONG, BOT, "在途")
            async with asyncio.timeout(SECONDS):
                if end == "stop":
                    await server.stop()
                else:
                    server.kill()
            with pytest.raises(GONE):
                while True:
                    await events.next()
        client.close()


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


async def test_tls_rejects_plaintext_and_unknown_certificates(world: World, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "insecure")
    server = PuppetServer(world, ACCOUNT, TOKEN, ssl=tls_context(cert, key))
    port = await server.start()
    trusting = ssl.create_default_context(cafile=str(cert))
    trusting.set_alpn_protocols(["h2"])
    client = Client(port, tls=trusting, name="insecure")
    async with client.events() as events:
        await events.ready()
        assert (await client("Version")).version
    client.close()
    plain = Client(port)
    with pytest.raises(GONE):
        await plain("Version")
    plain.close()
    wary = ssl.create_default_context()
    wary.set_alpn_protocols(["h2"])
    doubting = Client(port, tls=wary, name="insecure")
    with pytest.raises(ssl.SSLError):
        await doubting("Version")
    doubting.close()
    await server.stop()


async def test_call_fails_a_number_of_times(client: Client, world: World) -> None:
    world.faults.call("ContactPayload", "fail", count=2, text="操作过于频繁")
    for _ in range(2):
        with pytest.raises(GRPCError, match="操作过于频繁"):
            await client("ContactPayload", id=SONG)
    assert (await client("ContactPayload", id=SONG)).name == "宋公明"
    assert world.faults.calls == []


async def test_call_with_lost_response_has_its_effect(client: Client, world: World) -> None:
    world.faults.call("RoomCreate", "lose", count=1)
    with pytest.raises(StreamTerminatedError):
        await client("RoomCreate", contact_ids=[SONG, ZHIDUO], topic="半个群")
    assert [room.topic for room in world.rooms.of(BOT)] == ["半个群"]
    await client("RoomCreate", contact_ids=[SONG, ZHIDUO], topic="第二个群")
    assert len(world.rooms.of(BOT)) == 2


@pytest.mark.parametrize(("effect", "made"), [("hang", 0), ("lose_silently", 1)])
async def test_hanging_call_never_answers(
    client: Client, world: World, effect: str, made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.sandbox.client.SECONDS", 1.0)
    world.faults.call("RoomCreate", effect, count=1)
    with pytest.raises((TimeoutError, GRPCError)):
        await client("RoomCreate", contact_ids=[SONG, ZHIDUO], topic="x")
    assert len(world.rooms.of(BOT)) == made


async def test_slow_call_answers_after_its_delay(client: Client, world: World) -> None:
    world.faults.call("*", "slow", ms=100, count=1)
    began = asyncio.get_running_loop().time()
    await client("Version")
    assert asyncio.get_running_loop().time() - began >= 0.1


async def test_late_events_arrive_and_lost_ones_do_not(client: Client, world: World) -> None:
    async with client.events() as events:
        await events.ready()
        world.faults.event("message", late=1, late_ms=50)
        late = world.chats.say(SONG, BOT, "晚到")
        world.faults.event("message", lost=1)
        world.chats.say(SONG, BOT, "没到")
        world.faults.event("message")
        prompt = world.chats.say(SONG, BOT, "准时")
        told = [(await events.payload("message"))["messageId"] for _ in range(2)]
    assert told == [world.chats.wire_id(ACCOUNT, prompt), world.chats.wire_id(ACCOUNT, late)]


async def test_delayed_events_end_with_their_stream(server: PuppetServer, client: Client, world: World) -> None:
    world.faults.event("message", late=1, late_ms=100)
    async with client.events() as events:
        await events.ready()
        world.chats.say(SONG, BOT, "晚到")
    await until(lambda: not server.listening)
    world.faults.clear()
    async with client.events() as events:
        await events.ready()
        world.faults.event("dong", late=1, late_ms=200)
        await client("Ding", data="x")
        assert (await events.wait("dong", "message"))[0] == "dong"
