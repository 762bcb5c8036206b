"""The control API over HTTP, as used by the page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

import sandbox
from sandbox import Sandbox
from sandbox.world.storage import snapshot
from sandbox.world.world import SONG, WENLONG, XUANFENG, ZHIDUO
from tests.sandbox.client import Client
from tests.sandbox.conftest import ACCOUNT, BOT
from tests.waiting import SECONDS

Json = dict[str, Any]


class Page:
    """A person at the page."""

    def __init__(self, running: Sandbox, session: aiohttp.ClientSession) -> None:
        self.running = running
        self.session = session

    async def __call__(self, method: str, path: str, given: Any = None, *, status: int = 200, **more: Any) -> Json:
        """Send a request and check the status; errors must have the common format."""
        async with self.session.request(method, f"{self.running.url}/api{path}", json=given, **more) as answer:
            body: Json = await answer.json()
            assert answer.status == status, body
            if status >= 400:
                assert set(body) == {"error"}
                assert set(body["error"]) == {"code", "message"}
                assert body["error"]["code"] == status
            return body

    @asynccontextmanager
    async def live(self, path: str) -> AsyncIterator[AsyncIterator[Json]]:
        """Read an event stream."""
        headers = {"Accept": "text/event-stream"}
        async with self.session.get(f"{self.running.url}/api{path}", headers=headers) as answer:
            assert answer.content_type == "text/event-stream"
            await answer.content.readline()

            async def items() -> AsyncIterator[Json]:
                async for line in answer.content:
                    if line.startswith(b"data: "):
                        yield json.loads(line[6:])

            yield items()


async def first(items: AsyncIterator[Json], **wanted: Any) -> Json:
    """Return the next item with these values, skipping others."""
    async with asyncio.timeout(SECONDS):
        async for item in items:
            if wanted.items() <= item.items():
                return item
    raise EOFError


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    running = await sandbox.start([ACCOUNT], port=0, token="insecure_x", seed=1)
    async with aiohttp.ClientSession() as session:
        yield Page(running, session)
    await running.stop()


async def test_state_contains_everything_except_tokens(page: Page) -> None:
    state = await page("GET", "/state")
    [account] = state["accounts"]
    assert (account["name"], account["id"], account["online"], account["connected"]) == (ACCOUNT, BOT, True, False)
    assert account["endpoint"] == page.running.endpoints[ACCOUNT]
    assert {person["name"] for person in state["people"]} == {"宋公明", "黑旋风", "智多星", "店长", "九纹龙", ACCOUNT}
    assert "insecure_x" not in json.dumps(state)


async def test_chat_with_the_assistant(page: Page) -> None:
    client = Client(page.running.servers[ACCOUNT].port, token="insecure_x")
    async with client.events() as events, page.live(f"/events?person={SONG}") as live:
        await events.ready()
        said = await page("POST", f"/people/{SONG}/chats/{BOT}/messages", {"text": "你好"}, status=201)
        assert (said["text"], said["mine"], said["kind"]) == ("你好", True, "text")
        told = await events.payload("message")
        assert (await client("MessagePayload", id=told["messageId"])).text == "你好"
        await client("MessageSendText", conversation_id=SONG, text="您好")
        await first(live, type="message", seq=said["seq"])
        item = await first(live, type="message", chat=BOT)
        assert (item["message"]["text"], item["message"]["mine"], item["line"]["unread"]) == ("您好", False, 1)
    client.close()
    [chat] = [chat for chat in (await page("GET", f"/people/{SONG}/chats"))["chats"] if chat["id"] == BOT]
    assert (chat["name"], chat["unread"], chat["last"]["text"], chat["room"]) == (ACCOUNT, 1, "您好", False)
    await page("POST", f"/people/{SONG}/chats/{BOT}/read")
    assert (await page("GET", f"/people/{SONG}/chats/{BOT}"))["unread"] == 0
    messages = (await page("GET", f"/people/{SONG}/chats/{BOT}/messages?limit=1"))["messages"]
    assert [message["text"] for message in messages] == ["您好"]
    older = await page("GET", f"/people/{SONG}/chats/{BOT}/messages?before={messages[0]['seq']}")
    assert older["messages"][-1]["text"] == "你好"


async def test_new_persons_friend_request_is_accepted(page: Page) -> None:
    made = await page("POST", "/people", {"name": "扈三娘"}, status=201)
    await page("POST", "/people", {"name": "又一个", "id": made["id"]}, status=400)
    path = f"/people/{made['id']}"
    await page("POST", f"{path}/chats/{BOT}/messages", {"text": "在吗"}, status=400)
    asked = await page("POST", f"{path}/friends", {"to": BOT, "hello": "我要入群"}, status=201)
    assert asked["state"] == "waiting"
    [request] = (await page("GET", f"/people/{BOT}/requests"))["requests"]
    assert (request["from"]["name"], request["hello"]) == ("扈三娘", "我要入群")
    assert (await page("POST", f"/people/{BOT}/requests/{request['id']}", {"accept": True}))["state"] == "accepted"
    assert (await page("GET", f"/people/{BOT}/requests"))["requests"] == []
    await page("POST", f"{path}/friends", {"to": BOT}, status=400)
    assert [friend["id"] for friend in (await page("GET", f"{path}/friends"))["friends"]] == [BOT]
    assert (await page("PATCH", path, {"name": "一丈青"}))["name"] == "一丈青"
    await page("PUT", f"/people/{BOT}/friends/{made['id']}/alias", {"alias": "三娘"})
    await page("DELETE", f"{path}/friends/{BOT}")
    await page("DELETE", f"{path}/friends/{BOT}", status=400)
    assert (await page("POST", f"{path}/friends", {"to": ZHIDUO, "now": True}, status=201))["state"] == "accepted"


async def test_group_lifecycle(page: Page) -> None:
    path = f"/people/{SONG}/rooms"
    await page("POST", path, {"members": [BOT], "topic": "x"}, status=400)
    made = await page("POST", path, {"members": [ZHIDUO, BOT], "topic": "梁山"}, status=201)
    room = f"{path}/{made['id']}"
    assert [member["name"] for member in made["members"]] == ["宋公明", "智多星", ACCOUNT]
    added = await page("POST", f"{room}/members", {"members": [XUANFENG]})
    assert (len(added["room"]["members"]), added["invitations"]) == (4, [])
    changed = await page("PATCH", room, {"topic": "水泊", "announcement": "集合", "alias": "大哥", "confirm": True})
    assert (changed["topic"], changed["announcement"], changed["confirm"]) == ("水泊", "集合", True)
    assert changed["members"][0]["name"] == "大哥"
    await page("DELETE", f"{room}/members/{XUANFENG}")
    await page("DELETE", f"{room}/members/{XUANFENG}", status=400)
    chat = await page("GET", f"/people/{ZHIDUO}/chats/{made['id']}")
    assert (chat["members"], chat["group"]["owner"], chat["group"]["manages"]) == (3, SONG, False)
    gone = await page("GET", f"/people/{XUANFENG}/chats/{made['id']}")
    assert (gone["name"], gone["gone"], "group" in gone) == ("水泊", True, False)
    await page("GET", f"/people/{WENLONG}/chats/{made['id']}", status=404)
    await page("GET", f"/people/{WENLONG}/chats/{made['id']}/messages", status=404)
    await page("PATCH", room, {"admins": [BOT], "owner": ZHIDUO})
    await page("PATCH", room, {"confirm": False}, status=400)
    await page("POST", f"{room}/leave")
    await page("POST", f"{room}/leave", status=404)


async def test_invitations_confirmations_and_qr_codes(page: Page) -> None:
    made = await page("POST", f"/people/{SONG}/rooms", {"members": [ZHIDUO, BOT], "topic": "梁山"}, status=201)
    room = f"/people/{ZHIDUO}/rooms/{made['id']}"
    [card] = (await page("POST", f"{room}/members", {"members": [XUANFENG], "card": True}))["invitations"]
    shown = (await page("GET", f"/people/{XUANFENG}/chats/{ZHIDUO}/messages"))["messages"][-1]
    assert (shown["kind"], shown["data"]["topic"], shown["data"]["state"]) == ("invitation", "梁山", "open")
    assert [one["id"] for one in (await page("GET", f"/people/{XUANFENG}/invitations"))["invitations"]] == [card]
    await page("POST", f"/people/{SONG}/invitations/{card}", status=404)
    await page("PATCH", f"/people/{SONG}/rooms/{made['id']}", {"confirm": True})
    assert (await page("POST", f"/people/{XUANFENG}/invitations/{card}"))["state"] == "waiting_owner"
    [waiting] = (await page("GET", f"/people/{SONG}/confirmations"))["confirmations"]
    assert (await page("GET", f"/people/{ZHIDUO}/confirmations"))["confirmations"] == []
    await page("POST", f"/people/{ZHIDUO}/confirmations/{waiting['id']}", {"approve": True}, status=400)
    decided = await page("POST", f"/people/{SONG}/confirmations/{waiting['id']}", {"approve": True})
    assert decided["state"] == "approved"
    await page("POST", f"/people/{SONG}/confirmations/{waiting['id']}", {"approve": True}, status=400)
    assert (await page("POST", f"/people/{XUANFENG}/invitations/{card}"))["state"] == "joined"
    await page("PATCH", f"/people/{SONG}/rooms/{made['id']}", {"confirm": False})
    code = (await page("POST", f"{room}/qrcode", status=201))["code"]
    assert (await page("POST", f"/people/{WENLONG}/scan", {"code": code}))["room"] == made["id"]
    await page("POST", f"/people/{WENLONG}/scan", {"code": "https://weixin.qq.com/g/x"}, status=404)
    asked = await page("POST", f"/people/{WENLONG}/scan", {"code": f"https://u.wechat.com/{BOT}", "hello": "扫码"})
    assert asked["state"] == "waiting"


async def test_other_message_kinds(page: Page) -> None:
    path = f"/people/{SONG}/chats/{BOT}/messages"
    kinds = [
        (await page("POST", path, given, status=201))["kind"]
        for given in (
            {"card": ZHIDUO},
            {"link": {"title": "官网", "url": "https://example.com"}},
            {"mini_program": {"appid": "wx1", "title": "点餐"}},
            {"location": {"name": "梁山", "latitude": 35.5, "longitude": 116.1}},
        )
    ]
    assert kinds == ["card", "link", "mini_program", "location"]
    for wrong in (
        {},
        {"text": ""},
        {"text": 1},
        {"card": "wxid_nobody"},
        {"link": {"title": "无"}},
        {"text": "x", "mentions": "y"},
    ):
        status = 404 if wrong == {"card": "wxid_nobody"} else 400
        await page("POST", path, wrong, status=status)
    said = await page("POST", path, {"text": "说错了"}, status=201)
    assert (await page("POST", f"/people/{SONG}/messages/{said['seq']}/recall"))["kind"] == "recalled"
    await page("POST", f"/people/{SONG}/messages/{said['seq']}/recall", status=400)
    [gone] = [m for m in (await page("GET", path))["messages"] if m["seq"] == said["seq"]]
    assert gone["recalled"]
    assert "说错了" not in json.dumps(gone, ensure_ascii=False)


async def test_pictures_and_files(page: Page) -> None:
    path = f"/people/{SONG}/chats/{BOT}/messages"

    async def upload(name: str, data: bytes, kind: str = "", status: int = 201) -> Json:
        form = aiohttp.FormData({"kind": kind}, quote_fields=False)  # like browsers
        form.add_field("file", data, filename=name)
        return await page("POST", path, data=form, status=status)

    picture = await upload("猫.png", b"\x89PNG")
    assert (picture["kind"], picture["file"]["name"], picture["file"]["size"]) == ("image", "猫.png", 4)
    assert (await upload("声音.mp3", b"mp3", "audio"))["kind"] == "audio"
    await upload("a.txt", b"x", "text", status=400)
    await upload("a.txt", b"x", "nonsense", status=400)
    await upload("空.txt", b"", status=400)
    page_file = await upload("坏.html", b"<script>alert(1)</script>")
    for file, mime in ((picture, "image/png"), (page_file, "application/octet-stream")):
        async with page.session.get(page.running.url + file["file"]["url"]) as answer:
            assert (answer.status, answer.content_type) == (200, mime)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    async with page.session.get(f"{page.running.url}/api/avatars/{SONG}.svg") as answer:
        assert "宋" in await answer.text()
    await page("GET", "/avatars/wxid_nobody.svg", status=404)
    await page("GET", "/media/none", status=404)
    async with page.session.get(f"{page.running.url}/api/qrcode.png?text=hi") as answer:
        assert (await answer.read()).startswith(b"\x89PNG")


async def test_faults_limits_rules_and_sessions(page: Page) -> None:
    world = page.running.world
    assert (await page("PUT", "/faults", {"event": "message", "lost": 1}))["events"]["message"]["lost"] == 1
    shown = await page("PUT", "/faults", {"call": "RoomCreate", "effect": "lose", "count": 2})
    assert (shown["calls"][0]["effect"], shown["calls"][0]["count"]) == ("lose", 2)
    for wrong in (
        {"event": "message", "gone": 1},
        {"event": "mesage", "lost": 1},
        {"event": "*", "lost": 7},
        {"call": "RoomCreate", "effect": "explode"},
        {"call": "RoomCreat", "effect": "fail"},
        {"call": "RoomCreate", "effect": "fail", "count": 1.5},
    ):
        await page("PUT", "/faults", wrong, status=400)
    assert await page("DELETE", "/faults") == {"events": {}, "calls": []}
    assert (await page("PUT", "/limits", {"action": "message", "times": 1, "seconds": 60}))["message"]["times"] == 1
    assert await page("PUT", "/limits", {"action": "message", "times": None}) == {}
    await page("PUT", "/limits", {"action": "message", "times": "many"}, status=400)
    await page("PUT", "/limits", {"action": "messages", "times": 1}, status=400)
    assert (await page("PUT", "/rules", {"direct_limit": 5}))["direct_limit"] == world.rules.direct_limit == 5
    await page("PUT", "/rules", {"capacity": 1}, status=400)
    assert (await page("POST", f"/accounts/{ACCOUNT}/logout", {"reason": "挤下线"}))["online"] is False
    assert (await page("POST", f"/accounts/{ACCOUNT}/logout"))["online"] is False
    assert (await page("POST", f"/accounts/{ACCOUNT}/login"))["online"] is True
    await page("POST", f"/accounts/{ACCOUNT}/error", {"text": '它说"坏了"'})
    await page("POST", "/accounts/nobody/login", status=404)
    trace = (await page("GET", f"/trace?account={ACCOUNT}"))["trace"]
    assert [item["name"] for item in trace][-5:] == ["logout", "scan", "login", "ready", "error"]
    assert json.loads(trace[-1]["payload"]["gerror"])["message"] == '它说"坏了"'
    async with page.live(f"/trace?account={ACCOUNT}") as live:
        world.chats.say(SONG, BOT, "跟踪")
        assert (await first(live, name="message"))["outcome"] == "unheard"


@pytest.mark.parametrize(
    ("method", "path", "data", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("DELETE", "/state", None, 405),
        ("GET", "/people/wxid_nobody/chats", None, 404),
        ("GET", f"/people/{SONG}/chats/1@chatroom", None, 404),
        ("GET", f"/people/{SONG}/chats/{BOT}/messages?limit=x", None, 400),
        ("GET", "/events", None, 404),
        ("GET", "/events?person=wxid_nobody", None, 404),
        ("POST", "/people", "nonsense", 400),
        ("POST", "/people", "[]", 400),
        ("POST", "/people", b"\xff", 400),
        ("POST", "/people", "[" * 100_000, 400),
        ("POST", "/people", '{"name": "\\ud83d"}', 400),  # a lone surrogate cannot be encoded as UTF-8
        ("POST", "/people", '{"name": "群", "id": "1@chatroom"}', 400),
        ("PUT", "/limits", '{"action": "message", "times": NaN}', 400),
        ("PUT", "/rules", '{"capacity": 1e400}', 400),
        ("GET", f"/qrcode.png?text={'x' * 3000}", None, 400),
        ("POST", f"/people/{SONG}/chats/{BOT}/messages", '{"text": " \\n"}', 400),
        ("POST", f"/people/{SONG}/messages/x/recall", None, 400),
    ],
)
async def test_errors_have_one_format(
    page: Page, method: str, path: str, data: str | bytes | None, status: int
) -> None:
    await page(method, path, data=data, status=status, headers={"Content-Type": "application/json"} if data else {})


@pytest.mark.parametrize(
    ("form", "status"),
    [
        (b"nonsense", 400),
        (b'--x\r\nContent-Disposition: form-data; name="file"; filename="\xcd\xbc.png"\r\n\r\npng\r\n--x--\r\n', 201),
    ],
)
async def test_form_uploads_are_validated(page: Page, form: bytes, status: int) -> None:
    """An invalid form is rejected; a file name in another encoding does not prevent saving the world."""
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    await page("POST", f"/people/{SONG}/chats/{BOT}/messages", data=form, headers=kind, status=status)
    assert json.dumps(snapshot(page.running.world.state), ensure_ascii=False).encode()


async def test_cross_origin_request_is_rejected(page: Page) -> None:
    host = page.running.url
    await page("POST", "/people", {"name": "甲"}, status=403, headers={"Origin": "http://evil.example"})
    await page("POST", "/people", {"name": "甲"}, status=201, headers={"Origin": host})


async def test_stop_ends_live_streams() -> None:
    running = await sandbox.start([ACCOUNT], port=0, seed=1)
    async with aiohttp.ClientSession() as session, Page(running, session).live(f"/events?person={SONG}") as live:
        running.world.chats.say(BOT, SONG, "最后一条")
        await first(live, type="message")
        async with asyncio.timeout(SECONDS):
            await running.stop()
        with pytest.raises((EOFError, aiohttp.ClientError)):
            await first(live, type="message")
