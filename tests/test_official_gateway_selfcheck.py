"""The gateway fixture itself: the official wire with a bare gRPC channel, WeChat's rules behind it, and its faults."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from protocol import CALLS
from protocol import puppet_pb2 as pb
from tests.official import SERVER_NAME, ControlError, OfficialGateway, Start, ca_certificate, official

__all__ = ["official"]

pytestmark = pytest.mark.gateway
SECONDS = 20.0


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ca_certificate())
    context.set_alpn_protocols(["h2"])
    return context


class Client:
    """A bare channel to a gateway."""

    def __init__(self, gateway: OfficialGateway, token: str | None = None) -> None:
        config = Configuration(ssl_target_name_override=SERVER_NAME) if gateway.tls else None
        self.channel = Channel("127.0.0.1", gateway.port, ssl=_tls() if gateway.tls else None, config=config)
        self.metadata = {"authorization": f"Wechaty {token or gateway.token}"}

    async def call(self, name: str, seconds: float = SECONDS, /, **fields: Any) -> Any:
        call = CALLS[name]
        async with self.channel.request(
            call.path, Cardinality.UNARY_UNARY, call.request, call.response, timeout=seconds, metadata=self.metadata
        ) as stream:
            await stream.send_message(call.request(**fields), end=True)
            return await stream.recv_message()

    @asynccontextmanager
    async def events(self) -> AsyncIterator[Callable[..., Any]]:
        """The event stream: a function that waits for the next event of a type and returns its payload's text."""
        call = CALLS["Event"]
        async with self.channel.request(
            call.path, Cardinality.UNARY_STREAM, call.request, call.response, metadata=self.metadata
        ) as stream:
            await stream.send_message(call.request(), end=True)

            async def next_of(kind: int) -> str:
                while (event := await asyncio.wait_for(stream.recv_message(), SECONDS)) is not None:
                    if event.type == kind:
                        return str(event.payload)
                raise EOFError

            yield next_of
            await stream.cancel()


@pytest.fixture
async def gateway(official: Start) -> OfficialGateway:
    gateway = await official()
    for name in ("甲", "乙", "丙"):
        await gateway.contact(name, name)
    return gateway


@pytest.fixture
async def client(gateway: OfficialGateway) -> AsyncIterator[Client]:
    client = Client(gateway)
    yield client
    client.channel.close()


async def test_text_in_and_out(gateway: OfficialGateway, client: Client) -> None:
    async with client.events() as next_of:
        assert json.loads(await next_of(pb.EVENT_LOGIN)) == {"contactId": "wxid_bot"}
        await next_of(pb.EVENT_READY)
        await gateway.say("甲", "你好")
        heard = json.loads(await next_of(pb.EVENT_MESSAGE))["messageId"]
        message = await client.call("MessagePayload", id=heard)
        assert (message.talker_id, message.listener_id, message.text, message.type) == ("甲", "wxid_bot", "你好", 7)
        answer = await client.call("MessageSendText", conversation_id="甲", text="您好")
        assert json.loads(await next_of(pb.EVENT_MESSAGE)) == {"messageId": answer.id}
    (sent,) = await gateway.sent("甲")
    assert (sent["id"], sent["text"], sent["delivered"]) == (answer.id, "您好", True)


async def test_wrong_token_is_unauthenticated(gateway: OfficialGateway) -> None:
    client = Client(gateway, token="insecure_other")
    with pytest.raises(GRPCError) as caught:
        await client.call("ContactList")
    assert caught.value.status is Status.UNAUTHENTICATED
    client.channel.close()


async def test_plaintext_gateway_answers_and_a_tls_one_refuses_plaintext(official: Start) -> None:
    plain, secure = await official(tls=False), await official()
    client = Client(plain)
    assert list((await client.call("ContactList")).ids) == ["wxid_bot"]
    client.channel.close()
    secure.tls = False
    client = Client(secure)
    with pytest.raises((StreamTerminatedError, ConnectionError)):
        await client.call("ContactList")
    client.channel.close()


async def test_a_group_takes_three_and_its_topic_changes(gateway: OfficialGateway, client: Client) -> None:
    with pytest.raises(GRPCError, match="三个人"):
        await client.call("RoomCreate", contact_ids=["甲"], topic="群")
    async with client.events() as next_of:
        room = (await client.call("RoomCreate", contact_ids=["甲", "乙"], topic="群")).id
        assert json.loads(await next_of(pb.EVENT_ROOM_JOIN))["inviteeIdList"] == ["甲", "乙"]
        await client.call("RoomAdd", id=room, contact_id="丙")
        assert json.loads(await next_of(pb.EVENT_ROOM_JOIN))["inviteeIdList"] == ["丙"]
        members = (await client.call("RoomMemberList", id=room)).member_ids
        assert list(members) == ["wxid_bot", "甲", "乙", "丙"]
        await client.call("RoomTopic", id=room, topic="新名")
        changed = json.loads(await next_of(pb.EVENT_ROOM_TOPIC))
        assert (changed["oldTopic"], changed["newTopic"]) == ("群", "新名")
        assert (await client.call("RoomPayload", id=room)).topic == "新名"


async def test_state_survives_a_kill(official: Start, tmp_path: Path) -> None:
    gateway = await official(state=tmp_path / "state.jsonl")
    await gateway.contact("甲", "甲")
    message = await gateway.say("甲", "记住")
    client = Client(gateway)
    await client.call("MessageSendText", conversation_id="甲", text="好")
    client.channel.close()
    port = gateway.port
    await gateway.restart()
    assert gateway.port == port
    client = Client(gateway)
    assert (await client.call("MessagePayload", id=message)).text == "记住"
    assert (await client.call("ContactPayload", id="甲")).friend
    assert [row["text"] for row in await gateway.sent()] == ["好"]
    client.channel.close()


async def test_a_refused_command_says_why(gateway: OfficialGateway) -> None:
    with pytest.raises(ControlError, match="nobody"):
        await gateway.say("nobody", "?")
