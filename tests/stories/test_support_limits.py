"""Time limits of customer service: ratings, and the ticket of a picture."""

from __future__ import annotations

from pathlib import Path

from sandbox.world.model import Kind
from tests.stories.conftest import MakeEnv
from tests.stories.service import ask_person, replies_to, with_staff_room, with_ticket, words
from tests.waiting import until

THANKS = "感谢您的评价！"
DAY = 24 * 3600.0


async def test_rating_is_accepted_for_24_hours(make_env: MakeEnv) -> None:
    env, room = await with_ticket(make_env, handoff={"idle_minutes": 100_000})
    env.say("宋公明", "#1 结束", room)
    await env.receives("黑旋风", "请回复 1–5 为本次服务打分")
    env.say("智多星", "人工")
    await env.receives("宋公明", "【#2 智多星】请求人工服务", room)
    env.say("宋公明", "#2 结束", room)
    await env.receives("智多星", "请回复 1–5 为本次服务打分")
    env.ahead = DAY - 60
    assert await replies_to(env, "黑旋风", "5") == [THANKS]
    env.ahead = DAY + 1
    assert THANKS not in await replies_to(env, "智多星", "5")


async def test_repeated_rating_is_no_choice_from_an_older_menu(make_env: MakeEnv, tmp_path: Path) -> None:
    faq = tmp_path / "faq.yaml"
    faq.write_text("- {questions: [会员怎么办理], answer: 绑定手机号即可。}\n", encoding="utf-8")
    env, room = await with_staff_room(make_env, faq=str(faq))
    (menu,) = await replies_to(env, "黑旋风", "会员怎么弄呀")
    assert "1. 会员怎么办理" in menu
    await ask_person(env, room)
    env.say("宋公明", "#1 结束", room)
    await env.receives("黑旋风", "请回复 1–5 为本次服务打分")
    assert await replies_to(env, "黑旋风", "1") == [THANKS]
    await env.restart_bot()
    assert [said for said in await replies_to(env, "黑旋风", "1") if said in (menu, "绑定手机号即可。")] == []


async def test_picture_goes_to_the_ticket_named_within_two_minutes(make_env: MakeEnv) -> None:
    env, room = await with_ticket(make_env, handoff={"idle_minutes": 100_000})

    def pictures() -> int:
        return sum(message.kind is Kind.IMAGE for message in env.seen("黑旋风"))

    def send(name: str) -> None:
        env.world.chats.send_media(env.id("宋公明"), room, Kind.IMAGE, name, b"\x89PNG")

    env.say("宋公明", "#1 请看图", room)
    await env.receives("黑旋风", "请看图")
    env.ahead = 110
    send("in-time.png")
    await until(lambda: pictures() == 1, "the picture is for #1")
    await env.receives("宋公明", "已", room)
    env.ahead = 110 + 110  # a picture sent on names the ticket once more
    send("next.png")
    await until(lambda: pictures() == 2, "it goes on")
    await env.wait_idle()
    env.ahead = 220 + 121
    send("for-colleagues.png")
    await env.wait_idle()
    assert pictures() == 2
    assert len(words(env.seen("店长", room))) >= 2


async def test_picture_of_another_colleague_goes_nowhere(make_env: MakeEnv) -> None:
    env, room = await with_ticket(make_env, handoff={"idle_minutes": 100_000})
    env.say("宋公明", "#1 请看图", room)
    await env.receives("黑旋风", "请看图")
    env.world.chats.send_media(env.id("店长"), room, Kind.IMAGE, "lunch.png", b"\x89PNG")
    await env.wait_idle()
    assert not [message for message in env.seen("黑旋风") if message.kind is Kind.IMAGE]
