"""Files in both directions, cards, links and mini-programs, over gRPC."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from grpclib.exceptions import GRPCError

from protocol import puppet_pb2 as pb
from sandbox.gateway.server import PuppetServer
from sandbox.world.model import Kind
from sandbox.world.world import SONG, ZHIDUO, World
from tests.sandbox.client import TOKEN, Client
from tests.sandbox.conftest import ACCOUNT, BOT

PNG = b"\x89PNG small"
BIG = bytes(range(256)) * 20_000  # 5 MB


def box(**fields: object) -> str:
    return json.dumps(fields)


def told(world: World, sent_seq: int) -> str:
    return world.chats.wire_id(ACCOUNT, world.state.messages[sent_seq])


async def test_small_file_is_inline_and_large_file_by_uuid(client: Client, world: World) -> None:
    small = world.chats.send_media(SONG, BOT, Kind.IMAGE, "a.png", PNG)
    got = json.loads((await client("MessageImage", id=told(world, small.seq), type=3)).file_box)
    assert got["type"] == got["boxType"]
    assert (got["type"], got["name"], base64.b64decode(got["base64"])) == (1, "a.png", PNG)
    payload = await client("MessagePayload", id=told(world, small.seq))
    assert (payload.type, payload.filename, payload.text) == (6, "a.png", "")

    large = world.chats.send_media(SONG, BOT, Kind.FILE, "b.bin", BIG)
    got = json.loads((await client("MessageFile", id=told(world, large.seq))).file_box)
    assert (got["type"], got["size"]) == (7, len(BIG))
    pieces = await client.receive("Download", id=got["uuid"])
    assert b"".join(piece.chunk for piece in pieces) == BIG


async def test_legacy_file_stream(client: Client, world: World) -> None:
    said = world.chats.send_media(SONG, BOT, Kind.FILE, "b.bin", BIG)
    first, *rest = await client.receive("MessageFileStream", id=told(world, said.seq))
    assert first.file_box_chunk.name == "b.bin"
    assert b"".join(piece.file_box_chunk.data for piece in rest) == BIG


async def test_text_has_no_file_and_unknown_uuid_fails(client: Client, world: World) -> None:
    said = world.chats.say(SONG, BOT, "不是文件")
    with pytest.raises(GRPCError, match="不是文件消息"):
        await client("MessageFile", id=told(world, said.seq))
    with pytest.raises(GRPCError, match="没有这个文件"):
        await client.receive("Download", id="00000000-0000-0000-0000-000000000000")
    assert (await client("Version")).version


async def test_uuids_are_lost_with_the_gateway(world: World) -> None:
    server = PuppetServer(world, ACCOUNT, TOKEN)
    client = Client(await server.start())
    made = await client.send("Upload", [pb.Chunk(chunk=b"abc")])
    server.kill()
    client.close()
    client = Client(await server.start())
    with pytest.raises(GRPCError, match="没有这个文件"):
        await client("MessageSendFile", conversation_id=SONG, file_box=box(type=7, uuid=made.id, name="a.txt"))
    client.close()
    await server.stop()


async def test_send_file_inline_by_uuid_and_streamed(client: Client, world: World) -> None:
    await client(
        "MessageSendFile",
        conversation_id=SONG,
        file_box=box(type=1, base64=base64.b64encode(PNG).decode(), name="a.png"),
    )
    made = await client.send("Upload", [pb.Chunk(chunk=BIG[n : n + 100_000]) for n in range(0, len(BIG), 100_000)])
    await client("MessageSendFile", conversation_id=SONG, file_box=box(type=7, uuid=made.id, name="b.bin"))
    piece = pb.MessageSendFileStreamRequest
    sent = await client.send(
        "MessageSendFileStream",
        [
            piece(conversation_id=SONG),
            piece(file_box_chunk=pb.FileBoxChunk(name="c.mp4")),
            piece(file_box_chunk=pb.FileBoxChunk(data=b"mp4")),
        ],
    )
    got = [
        (said.kind, said.filename, world.state.media[said.media].data) for said in world.chats.history(SONG, BOT)[-3:]
    ]
    assert got == [(Kind.IMAGE, "a.png", PNG), (Kind.FILE, "b.bin", BIG), (Kind.VIDEO, "c.mp4", b"mp4")]
    assert sent.id == sent.id_wrapped.value


async def test_legacy_file_box_key_is_accepted(client: Client, world: World) -> None:
    await client("MessageSendFile", conversation_id=SONG, file_box=box(boxType=1, base64="aGk=", name="a.txt"))
    assert world.chats.history(SONG, BOT)[-1].filename == "a.txt"


async def test_send_qr_code_and_url_boxes(client: Client, world: World) -> None:
    await client("MessageSendFile", conversation_id=SONG, file_box=box(type=3, qrCode="你好", name="qr.png"))
    said = world.chats.history(SONG, BOT)[-1]
    assert world.state.media[said.media].data.startswith(b"\x89PNG")
    with pytest.raises(GRPCError, match="cannot fetch"):
        await client(
            "MessageSendFile", conversation_id=SONG, file_box=box(type=2, url="http://127.0.0.1:1/a", name="a")
        )


@pytest.mark.parametrize(
    "odd",
    ["", "[]", "{", '{"type": 1, "base64": "§"}', '{"type": 1}', '{"type": 99}', '{"type": 7, "uuid": "x"}', "{}"],
)
async def test_invalid_file_boxes_are_rejected(client: Client, world: World, odd: str) -> None:
    before = len(world.state.messages)
    with pytest.raises(GRPCError, match=r"file box|没有这个文件"):
        await client("MessageSendFile", conversation_id=SONG, file_box=odd)
    assert len(world.state.messages) == before


async def test_stream_without_conversation_is_rejected(client: Client) -> None:
    with pytest.raises(GRPCError, match="no conversation id"):
        await client.send("MessageSendFileStream", [pb.MessageSendFileStreamRequest()])


async def test_cards_links_and_mini_programs_in_both_directions(client: Client, world: World) -> None:
    card = world.chats.send_card(SONG, BOT, ZHIDUO)
    assert (await client("MessageContact", id=told(world, card.seq))).id == ZHIDUO
    await client("MessageSendContact", conversation_id=SONG, contact_id=ZHIDUO)

    link = pb.UrlLinkPayload(title="官网", url="https://example.com", description="说明", thumbnail_url="https://t")
    sent = await client("MessageSendUrl", conversation_id=SONG, url_link=link)
    got = await client("MessageUrl", id=sent.id)
    assert got.url_link == link
    assert json.loads(got.url_link_json)["thumbnailUrl"] == "https://t"
    old = await client("MessageSendUrl", conversation_id=SONG, url_link_json='{"title": "旧", "url": "https://old"}')
    assert (await client("MessageUrl", id=old.id)).url_link.title == "旧"

    program = pb.MiniProgramPayload(appid="wx1", title="点餐", page_path="pages/index")
    sent = await client("MessageSendMiniProgram", conversation_id=SONG, mini_program=program)
    got = await client("MessageMiniProgram", id=sent.id)
    assert got.mini_program == program
    assert json.loads(got.mini_program_json)["pagePath"] == "pages/index"
    place = pb.LocationPayload(name="梁山", latitude=35.5, longitude=116.1)
    sent = await client("MessageSendLocation", conversation_id=SONG, location=place)
    assert (await client("MessageLocation", id=sent.id)).location == place

    kinds = [said.kind for said in world.chats.history(SONG, BOT)[-5:]]
    assert kinds == [Kind.CARD, Kind.LINK, Kind.LINK, Kind.MINI_PROGRAM, Kind.LOCATION]
    with pytest.raises(GRPCError, match="不是 link 消息"):
        await client("MessageUrl", id=told(world, card.seq))
    with pytest.raises(GRPCError, match="url"):
        await client("MessageSendUrl", conversation_id=SONG, url_link_json='{"title": "没有地址"}')
    with pytest.raises(GRPCError, match="JSON"):
        await client("MessageSendMiniProgram", conversation_id=SONG, mini_program_json="nonsense")


async def test_recall_names_the_recalled_message(client: Client, world: World) -> None:
    said = world.chats.say(SONG, BOT, "说错了")
    recalled = world.chats.recall(SONG, said.seq)
    got = await client("MessagePayload", id=told(world, recalled.seq))
    assert (got.type, got.text) == (13, told(world, said.seq))
    sent = await client("MessageSendText", conversation_id=SONG, text="收回")
    assert (await client("MessageRecall", id=sent.id)).success
    with pytest.raises(GRPCError, match="不能撤回"):
        await client("MessageRecall", id=sent.id)


async def test_message_is_forwarded(client: Client, world: World) -> None:
    said = world.chats.send_media(SONG, BOT, Kind.FILE, "合同.pdf", b"pdf")
    await client("MessageForward", message_id=told(world, said.seq), conversation_id=ZHIDUO)
    assert world.chats.history(ZHIDUO, BOT)[-1].filename == "合同.pdf"


async def test_avatars_are_generated_from_the_name(client: Client, world: World) -> None:
    got = await client("ContactAvatar", id=SONG)
    drawn = json.loads(got.file_box)
    assert got.file_box_wrapped.value == got.file_box
    assert "宋" in base64.b64decode(drawn["base64"]).decode()
    room = world.rooms.create(SONG, [ZHIDUO, BOT], "<梁山>")
    assert "&lt;" in base64.b64decode(json.loads((await client("RoomAvatar", id=room.id)).file_box)["base64"]).decode()


def test_media_survive_save_and_load(world: World, tmp_path: Path) -> None:
    said = world.chats.send_media(SONG, BOT, Kind.FILE, "b.bin", BIG)
    world.save(tmp_path / "world.json")
    again = World.load(tmp_path / "world.json")
    assert again.state.media[said.media].data == BIG
