"""The gateway over gRPC: authentication, the event stream, several accounts, limits."""

from __future__ import annotations

import contextlib

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from protocol import puppet_pb2 as pb
from sandbox.gateway.server import PuppetServer
from sandbox.world.world import SONG, World
from tests.sandbox.client import TOKEN, Client
from tests.sandbox.conftest import ACCOUNT, BOT
from tests.waiting import until

GONE = (StreamTerminatedError, ConnectionError, EOFError)


async def test_token_is_accepted_in_metadata_or_authority(server: PuppetServer) -> None:
    for client in (Client(server.port), Client(server.port, token="", authority=TOKEN)):
        assert (await client("Version")).version
        client.close()


@pytest.mark.parametrize(("token", "authority"), [("wrong", ""), ("wrong", TOKEN), ("", "wrong"), ("", "")])
async def test_missing_or_wrong_token_is_rejected(server: PuppetServer, token: str, authority: str) -> None:
    client = Client(server.port, token=token, authority=authority)
    with pytest.raises(GRPCError) as refused:
        await client("Version")
    assert refused.value.status is Status.UNAUTHENTICATED
    assert TOKEN not in str(refused.value)
    with pytest.raises(GRPCError) as refused:
        async with client.events() as events:
            await events.next()
    assert refused.value.status is Status.UNAUTHENTICATED
    assert not server.listening
    client.close()


async def test_malformed_authorization_is_rejected(server: PuppetServer) -> None:
    client = Client(server.port, token="")
    for metadata in ({"authorization": f"Bearer {TOKEN}"}, {"x-authority": TOKEN}):
        client.metadata = metadata
        with pytest.raises(GRPCError) as refused:
            await client("Version")
        assert refused.value.status is Status.UNAUTHENTICATED
    client.close()


async def test_stream_starts_with_heartbeat_login_ready(client: Client) -> None:
    async with client.events() as events:
        assert [await events.next() for _ in range(3)] == [
            ("heartbeat", {"data": "Wechaty Puppet gRPC stream connect successfully"}),
            ("login", {"contactId": BOT}),
            ("ready", {"data": "ready"}),
        ]


async def test_heartbeats_are_sent_while_idle(world: World) -> None:
    server = PuppetServer(world, ACCOUNT, TOKEN, heartbeat=0.05)
    client = Client(await server.start())
    async with client.events() as events:
        await events.ready()
        assert [(await events.next())[0] for _ in range(2)] == ["heartbeat", "heartbeat"]
    client.close()
    await server.stop()


async def test_second_subscriber_is_rejected(server: PuppetServer, client: Client, world: World) -> None:
    second = Client(server.port)
    async with client.events() as events:
        await events.ready()
        with pytest.raises(GRPCError) as refused:
            async with second.events() as others:
                await others.next()
        assert refused.value.status is Status.ALREADY_EXISTS
        world.chats.say(SONG, BOT, "还在吗")
        assert "messageId" in await events.payload("message")
    second.close()


async def test_broken_stream_can_be_reopened(server: PuppetServer, client: Client) -> None:
    async with client.events() as events:
        await events.ready()
    await until(lambda: not server.listening)
    rude = Client(server.port)
    with contextlib.suppress(*GONE):
        async with rude.events() as events:
            await events.ready()
            rude.close()
            await until(lambda: not server.listening)
    async with client.events() as events:
        await events.ready()


async def test_stop_ends_the_stream_and_it_can_be_reopened(client: Client) -> None:
    async with client.events() as events:
        await events.ready()
        await client("Stop")
        with pytest.raises(EOFError):
            await events.next()
    await client("Start")
    async with client.events() as events:
        await events.ready()


async def test_calls_are_rejected_while_logged_out(client: Client, world: World) -> None:
    async with client.events() as events:
        await events.ready()
        await client("Logout")
        assert (await events.payload("logout"))["contactId"] == BOT
        assert (await events.payload("scan"))["status"] == 2
        with pytest.raises(GRPCError, match="not logged in"):
            await client("ContactList")
        world.chats.say(SONG, BOT, "没人听见")
        world.accounts.login(ACCOUNT)
        assert [(await events.next())[0] for _ in range(2)] == ["login", "ready"]
        assert BOT in (await client("ContactList")).ids


async def test_stream_starts_with_scan_while_logged_out(client: Client, world: World) -> None:
    world.accounts.logout(ACCOUNT)
    world.accounts.logout(ACCOUNT)
    async with client.events() as events:
        assert [(await events.next())[0] for _ in range(2)] == ["heartbeat", "scan"]


async def test_ding_and_dirty_are_returned_as_events(client: Client) -> None:
    async with client.events() as events:
        await events.ready()
        await client("Ding", data="hello")
        assert await events.payload("dong") == {"data": "hello"}
        await client("DirtyPayload", type=2, id=SONG)
        assert await events.payload("dirty") == {"payloadType": 2, "payloadId": SONG}


async def test_unknown_calls_are_unimplemented(client: Client) -> None:
    with pytest.raises(GRPCError) as refused:
        await client("ContactPhone", contact_id=SONG)
    assert refused.value.status is Status.UNIMPLEMENTED


async def test_two_accounts_share_only_the_world(world: World, server: PuppetServer, client: Client) -> None:
    world.ensure(["weimi1002"])
    other = PuppetServer(world, "weimi1002", "insecure_other")
    stranger = Client(await other.start(), token="insecure_other")
    async with client.events() as mine, stranger.events() as theirs:
        await mine.ready()
        await theirs.ready()
        world.chats.say(SONG, "wxid_weimi1002", "给二号")
        told = await theirs.payload("message")
        with pytest.raises(GRPCError, match="没有这条消息"):
            await client("MessagePayload", id=told["messageId"])
        world.chats.say(SONG, BOT, "给一号")
        mine_told = await mine.payload("message")
        assert (await client("MessagePayload", id=mine_told["messageId"])).text == "给一号"
    stranger.close()
    await other.stop()


async def test_non_loopback_or_missing_token_is_rejected(world: World) -> None:
    with pytest.raises(ValueError, match="loopback"):
        PuppetServer(world, ACCOUNT, TOKEN, host="0.0.0.0")
    with pytest.raises(ValueError, match="token"):
        PuppetServer(world, ACCOUNT, "")


async def test_message_above_four_megabytes_is_rejected(client: Client) -> None:
    with pytest.raises(GRPCError) as refused:
        await client("MessageSendText", conversation_id=SONG, text="x" * (4 * 1024 * 1024))
    assert refused.value.status is Status.RESOURCE_EXHAUSTED


async def test_raw_event_is_sent_unchanged(server: PuppetServer, client: Client) -> None:
    async with client.events() as events:
        await events.ready()
        server.send_raw(pb.EventResponse(type=pb.EVENT_LOGOUT, payload="{}"))
        assert await events.next() == ("logout", {})


async def test_trace_contains_events_and_calls(client: Client, world: World) -> None:
    async with client.events() as events:
        await events.ready()
        world.chats.say(SONG, BOT, "你好")
        await events.payload("message")
        await client("ContactPayload", id=SONG)
        with pytest.raises(GRPCError):
            await client("ContactPayload", id="wxid_nobody")
    trace = [(item["what"], item["name"], item["outcome"]) for item in world.trace.of(ACCOUNT)]
    assert trace[-3:] == [
        ("event", "message", "sent"),
        ("call", "ContactPayload", "ok"),
        ("call", "ContactPayload", "没有这个人：wxid_nobody"),
    ]
