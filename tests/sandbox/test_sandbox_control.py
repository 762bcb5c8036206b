"""The control API over HTTP, as used by the page."""

from __future__ import annotations

import json

import aiohttp

from sandbox.world.world import SONG, WENLONG, XUANFENG, ZHIDUO
from tests.sandbox.client import Client
from tests.sandbox.conftest import ACCOUNT, BOT
from tests.sandbox.control_client import Json, Page, first, page

__all__ = ["page"]


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
    assert [
        invitation["id"] for invitation in (await page("GET", f"/people/{XUANFENG}/invitations"))["invitations"]
    ] == [card]
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
        assert (await first(live, name="message"))["outcome"] == "unsubscribed"
