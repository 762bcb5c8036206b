"""Keywords, FAQ with menu, and fallback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from config.customer_service import KeywordRule
from sandbox.world.model import Kind
from services.support.missed_questions import most_missed
from tests.command_line import RunBot, run_bot
from tests.stories.conftest import BotEnvironment
from tests.stories.official_environment import AnyEnvironment, MakeAny, gateway_only, make_any
from tests.stories.service import MARKER, MEMBER_FAQ, replies_to, service, words
from tests.waiting import until

__all__ = ["make_any", "run_bot"]
FALLBACK = "抱歉，我没听懂。回复“人工”转人工客服。"
FORWARDED = ("暂时联系不上人工客服，已记下您的请求，会尽快回复您。", "正在为您转接人工客服，请稍候。")  # by channel
AGAIN = "还是没明白您的意思。需要人工服务的话，请回复“人工”，我为您转接。"
KEYWORDS: list[dict[str, Any]] = [
    MARKER,
    {"equals": "营业时间", "reply": "我们每天 9:00-18:00 营业。"},
    {"contains": "发票", "reply": "开发票请发抬头和税号。", "where": "private"},
    {"contains": "电子发票", "reply": "电子发票发到邮箱。"},
    {"regex": "订单\\s*(\\d+)", "reply": "订单 {1} 已收到，请稍候。"},
    {"contains": "群规", "reply": "请文明发言。", "where": "group"},
]
FAQ = f"""{MEMBER_FAQ}
- questions: [门店地址在哪里]
  answer: 人民路 1 号。
"""


@pytest.fixture
async def shop(make_any: MakeAny, tmp_path: Path) -> AnyEnvironment:
    faq = tmp_path / "faq.yaml"
    faq.write_text(FAQ, encoding="utf-8")
    picture = tmp_path / "map.png"
    picture.write_bytes(b"\x89PNG not really")
    several = [
        {"text": "这是地图："},
        {"image": str(picture)},
        {"link": {"title": "导航", "url": "https://map.example/{1}"}},
    ]
    keywords = [*KEYWORDS, {"regex": "怎么去(\\S+)店", "reply": several}]
    return await make_any(customer_service=service(keywords=keywords, faq=str(faq)))


async def test_keywords_in_private(shop: AnyEnvironment) -> None:
    """Equals, contains (the longest word), regex with a group; group-only rules are not used."""
    assert await replies_to(shop, "黑旋风", " 营业时间 ") == ["我们每天 9:00-18:00 营业。"]
    assert await replies_to(shop, "黑旋风", "请问发票怎么开") == ["开发票请发抬头和税号。"]
    assert await replies_to(shop, "黑旋风", "要电子发票") == ["电子发票发到邮箱。"]
    assert await replies_to(shop, "黑旋风", "我的订单 1234 呢") == ["订单 1234 已收到，请稍候。"]
    assert await replies_to(shop, "黑旋风", "群规") == [FALLBACK]


async def test_reply_of_several_parts(shop: AnyEnvironment) -> None:
    shop.say("黑旋风", "怎么去人民路店")
    await until(lambda: len(words(shop.seen("黑旋风"))) == 3, "three parts")
    text, picture, link = [m for m in shop.seen("黑旋风") if m.kind is not Kind.NOTE]
    assert (text.text, picture.kind, link.kind) == ("这是地图：", Kind.IMAGE, Kind.LINK)
    assert shop.file_of(picture) == b"\x89PNG not really"
    assert link.data["url"] == "https://map.example/%E4%BA%BA%E6%B0%91%E8%B7%AF"


@gateway_only("messages of groups cannot be read")
async def test_keywords_in_a_group_need_a_mention(shop: BotEnvironment) -> None:
    room = (await shop.make_group())["room"]
    await shop.join((await shop.make_group())["token"], "黑旋风")
    await shop.receives("宋公明", "欢迎 @黑旋风", room)
    shop.say("黑旋风", "群规是什么", room)  # no one was called
    received = await replies_to(shop, "黑旋风", "群规是什么", room)
    assert received == ["@黑旋风\u2005请文明发言。"]
    assert await replies_to(shop, "黑旋风", "发票", room) == []  # private only; and no fallback in groups


async def test_fallback_is_limited_also_across_restart(shop: AnyEnvironment) -> None:
    """The second time the reply offers a person in other words, the third time there is no reply."""
    assert await replies_to(shop, "黑旋风", "今天天气真好") == [FALLBACK]
    await shop.restart_bot()
    assert await replies_to(shop, "黑旋风", "你听见了吗") == [AGAIN]
    await shop.restart_bot()
    assert await replies_to(shop, "黑旋风", "听见我说话没有") == []
    shop.ahead = 601
    assert await replies_to(shop, "黑旋风", "唱首歌吧") == [FALLBACK]
    assert await replies_to(shop, "黑旋风", "再唱一首") == [AGAIN]
    assert await replies_to(shop, "宋公明", "今天天气真好") == [FALLBACK]  # per person
    misses = await shop.bot.container.store.read(lambda s: most_missed(s, 3))
    assert misses[0] == ("今天天气真好", 2)


async def test_listed_question_matches_in_any_form(shop: AnyEnvironment) -> None:
    assert await replies_to(shop, "黑旋风", "会员，怎么办理？") == ["绑定手机号即可。"]
    assert await replies_to(shop, "黑旋风", "请问 会员怎么办理 呢") == ["绑定手机号即可。"]


async def test_menu_number_answers_after_restart(shop: AnyEnvironment) -> None:
    (menu,) = await replies_to(shop, "黑旋风", "会员怎么弄呀")
    lines = menu.splitlines()
    assert lines[0] == "您是不是想问："
    offered = [line.partition(". ")[2] for line in lines if line[:1] in "123"]
    assert len(offered) == 3
    assert "回复 1、2、3 查看答案" in menu
    await shop.restart_bot()
    known = {"怎么开通会员": "绑定手机号即可。", "会员怎么办理": "绑定手机号即可。", "会员积分怎么查": "在“我的”里查。"}
    known |= {"会员卡丢了怎么办": "不用实体卡。"}
    assert await replies_to(shop, "黑旋风", "2") == [known[offered[1]]]
    assert await replies_to(shop, "黑旋风", "①") == [known[offered[0]]]
    assert await replies_to(shop, "黑旋风", "回复 2") == [known[offered[1]]]
    assert await replies_to(shop, "黑旋风", "第三个") == [known[offered[2]]]
    assert await replies_to(shop, "黑旋风", "4") == [menu]
    assert await replies_to(shop, "宋公明", "1") == [FALLBACK]  # the menu was offered to someone else


async def test_quoted_text_is_ignored(shop: AnyEnvironment) -> None:
    """Phones put the quote into the text; only the text below it counts."""
    under = "「助手：{}」\n- - - - - - - - - - - - - - -\n{}"
    (menu,) = await replies_to(shop, "黑旋风", "会员怎么弄呀")
    said = await replies_to(shop, "黑旋风", under.format(menu, "1"))
    assert said in (["绑定手机号即可。"], ["在“我的”里查。"], ["不用实体卡。"])
    assert await replies_to(shop, "黑旋风", under.format("开发票请发抬头和税号。", "营业时间")) == [
        "我们每天 9:00-18:00 营业。"
    ]
    assert await replies_to(shop, "黑旋风", under.format("开发票请发抬头和税号。", "红烧肉")) == [FALLBACK]
    shop.say("黑旋风", under.format(FALLBACK, "人工"))
    await until(lambda: words(shop.seen("黑旋风"))[-1] in FORWARDED, "the request for staff is answered")


async def test_echo_of_its_own_reply_is_not_answered(shop: AnyEnvironment) -> None:
    """A bot that echoes everything gets no second reply."""
    shop.say("黑旋风", "发票")
    reply = await shop.receives("黑旋风", "开发票请发抬头")
    assert await replies_to(shop, "黑旋风", reply.text) == []


@gateway_only("five replies answer a burst of messages; the others wait until the customer writes again")
async def test_reply_loop_between_two_bots_stops(shop: BotEnvironment) -> None:
    """A bot whose reply contains a keyword would be answered forever."""
    for _ in range(30):
        shop.say("黑旋风", "您的发票正在处理")
    shop.say("黑旋风", "营业时间")
    await shop.receives("黑旋风", "9:00-18:00")
    assert sum("抬头" in w for w in words(shop.seen("黑旋风"))) == 20


@gateway_only("only people write to 微信客服")
async def test_official_accounts_are_stored_and_not_answered(shop: BotEnvironment) -> None:
    paper = shop.world.people.create("早报", official=True)
    shop.world.people.befriend(paper.id, shop.id("bot"))
    shop.say(paper.id, "营业时间")
    shop.say("黑旋风", "营业时间")
    await shop.receives("黑旋风", "9:00-18:00")
    container = shop.bot.container
    await until(lambda: all(len(r.inbox) == 0 for r in shop.bot.listeners))
    kept = await container.store.read(lambda s: container.conversations.last(s, shop.accounts[0], paper.id, 5))
    assert [row.text for row in kept if row.by] == ["营业时间"]
    assert "9:00" not in "".join(words(shop.seen(paper.id)))


async def test_keywords_by_chat_come_first_and_survive_restart(shop: AnyEnvironment) -> None:
    container, account = shop.bot.container, shop.accounts[0]
    rule = KeywordRule(contains="营业", reply="今天休息。")
    await container.store.write(lambda s: container.keywords.put(s, account, None, rule, shop.id("店长")))
    assert await replies_to(shop, "黑旋风", "营业时间") == ["今天休息。"]
    await shop.restart_bot()
    assert await replies_to(shop, "黑旋风", "营业时间") == ["今天休息。"]
    container = shop.bot.container
    assert await container.store.write(lambda s: container.keywords.drop(s, account, None, "营业"))
    assert not await container.store.write(lambda s: container.keywords.drop(s, account, None, "营业"))
    assert await replies_to(shop, "黑旋风", "营业时间") == ["我们每天 9:00-18:00 营业。"]


@gateway_only("messages of groups cannot be read")
async def test_faq_in_a_group_needs_a_mention(shop: BotEnvironment) -> None:
    qun = await shop.make_group()
    await shop.join(qun["token"], "黑旋风")
    await shop.receives("宋公明", "欢迎 @黑旋风", qun["room"])
    assert await replies_to(shop, "黑旋风", "门店地址在哪里？", qun["room"]) == ["@黑旋风\u2005人民路 1 号。"]
    (menu,) = await replies_to(shop, "黑旋风", "会员怎么弄呀", qun["room"])
    assert menu.startswith("@黑旋风\u2005您是不是想问：\n1. ")
    (answer,) = await replies_to(shop, "黑旋风", "1", qun["room"])
    assert answer.startswith("@黑旋风")
    assert await replies_to(shop, "宋公明", "1", qun["room"]) == []  # the menu was offered to someone else
    assert await replies_to(shop, "黑旋风", "1") == [FALLBACK]  # the menu was offered in the group
    (told,) = await replies_to(shop, "黑旋风", "转人工", qun["room"])
    assert "请私聊我发送“人工”" in told


async def test_voice_message_gets_a_reply(shop: AnyEnvironment) -> None:
    shop.send_file("黑旋风", Kind.AUDIO, "voice.mp3", b"ID3 voice")
    await shop.receives("黑旋风", FALLBACK)


@gateway_only("customers of 微信客服 have no stickers")
async def test_sticker_is_not_answered(shop: BotEnvironment) -> None:
    shop.send_file("宋公明", Kind.EMOTICON, "smile.gif", b"GIF89a smile")
    assert await replies_to(shop, "宋公明") == []


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ({"faq": "{folder}/broken.yaml"}, "1.answer: this key is required"),
        ({"keywords": [{"equals": "a", "reply": [{"image": "{folder}/none.png"}]}]}, "file not found"),
        ({"keywords": [{"regex": "(", "reply": "b"}]}, "customer_service.keywords.1.regex"),
    ],
)
def test_invalid_file_stops_the_start_with_one_line(
    run_bot: RunBot, tmp_path: Path, section: dict[str, Any], names: str
) -> None:
    (tmp_path / "broken.yaml").write_text("- questions: [a]", encoding="utf-8")
    config: dict[str, Any] = {"database": f"sqlite:///{tmp_path}/wxbot.db", "api": {"port": 0}}
    config["customer_service"] = section
    config["assistants"] = [{"account": "weimi1001", "endpoint": "127.0.0.1:9"}]
    config["language"] = "en"
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(config).replace("{folder}", str(tmp_path)), encoding="utf-8")
    done = run_bot("--config", path)
    assert done.code == 2
    assert done.stderr.startswith("config: ")
    assert names in done.stderr
    assert done.stderr.count("\n") == 1
