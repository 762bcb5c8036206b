"""Tickets in the console: actions, and their effects in the staff room and for the customer."""

from __future__ import annotations

import base64
from typing import Any

from sqlmodel import select

from models.durable import Action
from tests.console.conftest import Person
from tests.stories.conftest import BotEnvironment
from tests.waiting import until

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 32).decode()


async def _ticket(env: BotEnvironment, person: Person, who: str = "黑旋风") -> int:
    """Ask for a person; return the ticket's number."""
    env.say(who, "你好")
    env.say(who, "人工")

    async def found() -> Any:
        tickets = (await person.call("GET", "/ticket?view=open"))[1]["tickets"]
        return next((ticket["id"] for ticket in tickets if ticket["contact_id"] == env.id(who)), None)

    number = await until(found, "a ticket")
    await env.wait_idle()
    return int(number)


async def _talk(person: Person, number: int) -> list[dict[str, Any]]:
    return list((await person.call("GET", f"/ticket/{number}"))[1]["messages"])


async def test_answer_reaches_the_customer_and_the_staff_room(env: BotEnvironment, agent: Person) -> None:
    number = await _ticket(env, agent)
    assert (await agent.call("POST", f"/ticket/{number}/reply", json={"key": "a", "text": "马上为您处理"}))[0] == 202
    await env.receives("黑旋风", "马上为您处理")
    room = env.bot.container.staff_rooms.of("weimi1001")
    assert room is not None
    await env.receives("店长", "宋公明 在后台回复：马上为您处理", room.id)

    async def sent() -> bool:
        said = [message for message in await _talk(agent, number) if message["text"] == "马上为您处理"]
        return len(said) == 1 and said[0]["state"] == "sent" and said[0]["staff"] == "宋公明"

    await until(sent, "the answer is shown as sent")
    ticket = (await agent.call("GET", f"/ticket/{number}"))[1]["ticket"]
    assert ticket["staff"] == "宋公明"


async def test_messages_before_the_ticket_are_shown(env: BotEnvironment, agent: Person) -> None:
    number = await _ticket(env, agent)
    assert [message["text"] for message in await _talk(agent, number)][:1] == ["你好"]


async def test_repeated_key_sends_nothing_twice(env: BotEnvironment, agent: Person) -> None:
    number = await _ticket(env, agent)
    for _ in range(2):
        assert (await agent.call("POST", f"/ticket/{number}/reply", json={"key": "same", "text": "一次"}))[0] == 202
    await env.wait_idle()
    assert len([m for m in env.seen("黑旋风") if m.text == "一次"]) == 1


async def test_staff_room_answers_are_in_the_history(env: BotEnvironment, agent: Person) -> None:
    number = await _ticket(env, agent)
    room = env.bot.container.staff_rooms.of("weimi1001")
    assert room is not None
    env.say("店长", f"#{number} 群里的回答", room.id)

    async def there() -> bool:
        return any(
            message["text"] == "群里的回答" and message["staff"] == "店长" for message in await _talk(agent, number)
        )

    await until(there, "the staff room's answer is in the talk")


async def test_note_is_not_sent_to_the_customer(env: BotEnvironment, agent: Person) -> None:
    number = await _ticket(env, agent)
    assert (await agent.call("POST", f"/ticket/{number}/note", json={"text": "老客户"}))[0] == 200
    await env.wait_idle()
    assert [message["internal"] for message in await _talk(agent, number) if message["text"] == "老客户"] == [True]
    assert not any("老客户" in m.text for m in env.seen("黑旋风"))


async def test_picture_is_served_with_its_own_type_only(env: BotEnvironment, agent: Person) -> None:
    number = await _ticket(env, agent)
    part = {"name": "图.png", "base64": PNG}
    assert (await agent.call("POST", f"/ticket/{number}/reply", json={"key": "p", "image": part}))[0] == 202
    page = {"name": "x.html", "base64": base64.b64encode(b"<script>alert(1)</script>").decode()}
    assert (await agent.call("POST", f"/ticket/{number}/reply", json={"key": "h", "file": page}))[0] == 202
    await env.wait_idle()
    kinds = {}
    for message in await _talk(agent, number):
        if message["media"]:
            async with agent.http.get(f"{agent.url}/console/api/media/{message['id']}") as response:
                how = response.headers.get("Content-Disposition", "")
                kinds[message["text"]] = (response.status, response.content_type, how)
                assert "sandbox" in response.headers["Content-Security-Policy"]
    assert kinds["图.png"][:2] == (200, "image/png")
    assert kinds["x.html"][:2] == (200, "application/octet-stream") and kinds["x.html"][2].startswith("attachment")


async def test_ticket_is_closed_and_reopened(env: BotEnvironment, agent: Person) -> None:
    number = await _ticket(env, agent)
    assert (await agent.call("POST", f"/ticket/{number}/close", json={}))[0] == 200
    await env.receives("黑旋风", env.bot.config.texts.handoff_closed[:4])
    assert (await agent.call("POST", f"/ticket/{number}/reply", json={"key": "a", "text": "晚了"}))[0] == 400
    assert (await agent.call("POST", f"/ticket/{number}/close", json={}))[0] == 400
    assert (await agent.call("POST", f"/ticket/{number}/reopen", json={}))[0] == 200
    assert (await agent.call("POST", f"/ticket/{number}/reopen", json={}))[0] == 400
    assert (await agent.call("POST", f"/ticket/{number}/reply", json={"key": "b", "text": "又来了"}))[0] == 202
    await env.receives("黑旋风", "又来了")


async def test_ticket_is_not_reopened_while_customer_has_another(env: BotEnvironment, agent: Person) -> None:
    first = await _ticket(env, agent)
    assert (await agent.call("POST", f"/ticket/{first}/close", json={}))[0] == 200
    second = await _ticket(env, agent)
    assert second != first
    assert (await agent.call("POST", f"/ticket/{first}/reopen", json={}))[0] == 400


async def test_agents_see_each_other_at_a_ticket(env: BotEnvironment, admin: Person, agent: Person) -> None:
    number = await _ticket(env, agent)
    assert (await agent.call("POST", f"/ticket/{number}/presence", json={"doing": "writing"}))[0] == 200
    assert (await admin.call("GET", f"/ticket/{number}"))[1]["present"] == [{"name": "宋公明", "doing": "writing"}]
    assert (await agent.call("GET", f"/ticket/{number}"))[1]["present"] == []
    await agent.call("POST", f"/ticket/{number}/presence", json={"doing": "left"})
    assert (await admin.call("GET", f"/ticket/{number}"))[1]["present"] == []


async def test_ticket_is_assigned_to_staff_only(env: BotEnvironment, admin: Person) -> None:
    number = await _ticket(env, admin)
    wanted = {"staff": env.id("宋公明")}
    assert (await admin.call("POST", f"/ticket/{number}/assign", json=wanted))[0] == 200
    assert (await admin.call("GET", f"/ticket/{number}"))[1]["ticket"]["staff"] == "宋公明"
    assert (await admin.call("POST", f"/ticket/{number}/assign", json={"staff": env.id("黑旋风")}))[0] == 400


async def test_every_change_names_its_actor(env: BotEnvironment, agent: Person) -> None:
    number = await _ticket(env, agent)
    await agent.call("POST", f"/ticket/{number}/note", json={"text": "看过"})
    await agent.call("POST", f"/ticket/{number}/close", json={})
    actions = await env.bot.container.store.read(lambda s: s.exec(select(Action)).all())
    mine = {a.kind for a in actions if a.who == f"console:{env.id('宋公明')}" and a.target == str(number)}
    assert mine == {"ticket_note", "ticket_close"}


async def test_missed_events_are_sent_after_reconnect(env: BotEnvironment, agent: Person) -> None:
    events = f"{agent.url}/console/api/events"
    async with agent.http.get(events) as stream:
        first = (await stream.content.readline()).decode().strip()
    number = await _ticket(env, agent)
    async with agent.http.get(events, headers={"Last-Event-ID": first.removeprefix("id: ")}) as stream:
        missed = b""
        while f'"id": {number}'.encode() not in missed:
            missed += await stream.content.readline()
    async with agent.http.get(events, headers={"Last-Event-ID": "another-5"}) as stream:
        assert b"reset" in await stream.content.readline() + await stream.content.readline()


async def test_login_link_is_sent_to_its_user_only(env: BotEnvironment, admin: Person, agent: Person) -> None:
    _, body = await agent.call("GET", "/message")
    texts = [message["text"] for message in body["messages"] if "/console/login/" in message["text"]]
    assert texts and all(text.partition("/console/login/")[2].startswith("…") for text in texts)
