"""Friends and groups on the sandbox's page: requests, invitations, confirmations and permissions."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from sandbox.world.model import WorldRoom
from sandbox.world.world import ADMIN, SONG, WENLONG, XUANFENG, ZHIDUO
from tests.browser.conftest import ACCOUNT, BOT, Chat
from tests.browser.held import FRAMES_AFTER_ONE_SECOND

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
TOKEN = "NTkxNjkwNzE4RDY2"


def room(chat: Chat, owner: str = SONG) -> WorldRoom:
    return chat.world.rooms.create(owner, [person for person in (SONG, XUANFENG, ZHIDUO) if person != owner], "梁山")


async def details(page: Page) -> None:
    await page.get_by_role("button", name="聊天详情").click()


async def find(page: Page, weixin: str) -> None:
    await page.get_by_role("button", name="添加朋友或发起群聊").click()
    await page.get_by_label("微信号、微信 id 或二维码内容").fill(weixin)
    await page.get_by_role("button", name="查找").click()


async def test_create_person(chat: Chat) -> None:
    page = await chat.windows.page(chat.running.url)
    await expect(page.get_by_role("list", name="选择身份").get_by_role("listitem")).to_have_count(5)
    await page.get_by_label("昵称").fill("浪里白条")
    await page.get_by_label("微信号（可不填）").fill("zhangshun")
    await page.keyboard.press("Enter")
    await expect(page).to_have_title("浪里白条 · 微信沙箱")
    created = chat.world.people.by_weixin("zhangshun")
    assert created is not None
    assert f"as={created.id}" in page.url
    await expect(page.get_by_text("还没有聊天")).to_be_visible()


async def test_used_name_is_reported(chat: Chat) -> None:
    chat.windows.refused = "status of 400"
    page = await chat.windows.page(chat.running.url)
    await page.get_by_label("昵称").fill("又一个")
    await page.get_by_label("微信号（可不填）").fill("jishiyu")
    await page.get_by_role("button", name="进入微信").click()
    await expect(page.get_by_role("alert").filter(has_text="已存在")).to_be_visible()
    assert "as=" not in page.url


async def test_unknown_id_is_reported(chat: Chat) -> None:
    page = await chat.windows.page(f"{chat.running.url}/?as=wxid_nobody")
    await expect(page.get_by_role("list", name="选择身份")).to_be_visible()


async def test_unknown_id_is_reported_before_the_first_frame(chat: Chat) -> None:
    context = await chat.windows.context()
    await context.add_init_script(FRAMES_AFTER_ONE_SECOND)
    page = await chat.windows.page(f"{chat.running.url}/?as=wxid_nobody", context)
    await expect(page.get_by_role("list", name="选择身份")).to_be_visible()


async def test_friend_request_is_accepted(chat: Chat) -> None:
    asker = await chat.open(WENLONG)
    owner = await chat.open(SONG)
    chat.world.people.forget(WENLONG, SONG)
    chat.world.people.forget(SONG, WENLONG)
    await find(asker, "jishiyu")
    await asker.get_by_role("button", name="添加到通讯录").click()
    await expect(asker.get_by_label("发送添加朋友申请")).to_have_value("我是九纹龙")
    await asker.get_by_label("发送添加朋友申请").fill("小弟史进")
    await asker.get_by_role("button", name="发送").click()
    await expect(asker.get_by_role("status")).to_have_text("已发送，等待对方验证")
    await owner.get_by_role("button", name="通讯录").filter(has=owner.get_by_label("1 个新的朋友")).click()
    request = owner.get_by_role("list", name="新的朋友").get_by_role("listitem")
    await expect(request).to_contain_text("小弟史进")
    await request.get_by_role("button", name="接受").click()
    await expect(request).to_have_count(0)
    await asker.get_by_role("button", name="宋公明").first.click()
    await expect(asker.get_by_role("log")).to_contain_text("现在我们可以开始聊天了")
    assert chat.world.people.are_friends(WENLONG, SONG)


async def test_friend_request_is_refused(chat: Chat) -> None:
    stranger = chat.world.people.create("路人")
    owner = await chat.open(SONG)
    request = chat.world.people.ask(stranger.id, SONG, "你好")
    await owner.get_by_role("button", name="通讯录").click()
    await owner.get_by_role("button", name="拒绝").click()
    await expect(owner.get_by_role("list", name="新的朋友")).to_have_count(0)
    assert (request.state, chat.world.people.are_friends(stranger.id, SONG)) == ("refused", False)


async def test_repeated_friend_request_is_rejected(chat: Chat) -> None:
    """The rejection is shown inside the dialog."""
    chat.windows.refused = "status of 400"
    page = await chat.open(SONG)
    await find(page, "likui01")
    await expect(page.get_by_role("button", name="发消息")).to_be_visible()
    chat.world.people.forget(SONG, XUANFENG)
    await page.get_by_role("button", name="添加到通讯录").click()
    chat.world.people.befriend(SONG, XUANFENG)
    await page.get_by_role("button", name="发送").click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text("对方已经是你的好友")


async def test_unknown_weixin_is_reported(chat: Chat) -> None:
    page = await chat.open(SONG)
    await find(page, "没有这个号")
    await expect(page.get_by_role("alert").filter(has_text="没有找到“没有这个号”")).to_be_visible()


async def test_token_in_the_address_is_sent_to_the_assistant(chat: Chat) -> None:
    """Without friendship it becomes the verification text, with it a message. The sandbox recognises tokens by
    format.
    """
    page = await chat.windows.page(f"{chat.running.url}/?as={WENLONG}&token={TOKEN}")
    await page.get_by_role("group", name="入群令牌").get_by_role("button", name=f"添加{ACCOUNT}").click()
    await expect(page.get_by_label("发送添加朋友申请")).to_have_value(TOKEN)
    await page.get_by_role("button", name="发送").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    request = chat.world.people.pending_request(WENLONG, BOT)
    assert request is not None
    assert request.hello == TOKEN
    chat.world.people.accept(BOT, request.id)
    await page.get_by_role("group", name="入群令牌").get_by_role("button", name=f"发给{ACCOUNT}").click()
    await expect(page.get_by_role("article")).to_contain_text(TOKEN)
    assert chat.world.chats.history(BOT, WENLONG)[-1].text == TOKEN


async def test_link_with_token_in_a_message_is_sent_to_the_assistant(chat: Chat) -> None:
    chat.world.chats.say(XUANFENG, SONG, f"令牌：{TOKEN}，不是令牌：AAAAAAAAAAAAAAAA")
    page = await chat.open(SONG, XUANFENG)
    bubble = page.get_by_role("article")
    await expect(bubble.locator("code")).to_have_text([TOKEN])
    await bubble.get_by_role("button", name=f"发给{ACCOUNT}").click()
    await expect(page.get_by_role("heading", name=ACCOUNT)).to_be_visible()
    assert chat.world.chats.history(BOT, SONG)[-1].text == TOKEN


async def test_group_is_created_and_changed(chat: Chat) -> None:
    page = await chat.open(SONG)
    await page.get_by_role("button", name="添加朋友或发起群聊").click()
    await page.get_by_role("button", name="发起群聊", exact=True).click()
    await page.get_by_label("群聊名称（可不填）").fill("聚义厅")
    await page.get_by_role("dialog").get_by_text("黑旋风").click()
    await expect(page.get_by_role("button", name="至少选两位")).to_be_disabled()
    await page.get_by_role("dialog").get_by_text("智多星").click()
    await page.get_by_role("button", name="完成（2）").click()
    await expect(page.get_by_role("heading", name="聚义厅（3）")).to_be_visible()
    created = next(iter(chat.world.state.rooms.values()))
    await details(page)
    await page.get_by_label("群聊名称").fill("忠义堂")
    await page.get_by_label("群聊名称").press("Enter")
    await expect(page.get_by_role("heading", name="忠义堂（3）")).to_be_visible()
    await expect(page.get_by_role("log")).to_contain_text("修改群名为“忠义堂”")
    chat.windows.refused = "status of 400"
    await page.get_by_label("群聊名称").fill("  ")
    await page.get_by_label("群聊名称").press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="群名不能为空")).to_be_visible()
    await expect(page.get_by_label("群聊名称")).to_have_value("忠义堂")
    await page.get_by_role("switch", name="群聊邀请确认").check()
    await expect(page.get_by_role("log")).to_contain_text("群主已启用群聊邀请确认")
    await page.get_by_role("button", name="添加", exact=True).click()
    await page.get_by_role("dialog").get_by_text("店长").click()
    await page.get_by_role("dialog").get_by_role("button", name="邀请").click()
    await expect(page.get_by_role("heading", name="忠义堂（4）")).to_be_visible()
    await page.get_by_role("button", name="移出", exact=True).click()
    await page.get_by_role("button", name="移出店长").click()
    await expect(page.get_by_role("heading", name="忠义堂（3）")).to_be_visible()
    assert (created.topic, created.confirm, set(created.members)) == ("忠义堂", True, {SONG, XUANFENG, ZHIDUO})
    await page.get_by_role("switch", name="群聊邀请确认").uncheck()
    await expect(page.get_by_role("log")).to_contain_text("群主已关闭群聊邀请确认")


async def test_member_lacks_owner_permissions(chat: Chat) -> None:
    group = room(chat)
    page = await chat.open(XUANFENG, group.id)
    await details(page)
    await expect(page.get_by_role("switch", name="群聊邀请确认")).to_be_disabled()
    await expect(page.get_by_label("群公告")).to_be_disabled()
    await expect(page.get_by_role("button", name="移出", exact=True)).to_have_count(0)
    await page.get_by_label("群聊名称").fill("谁都可以改名")
    await page.get_by_label("群聊名称").press("Enter")
    await expect(page.get_by_role("heading", name="谁都可以改名（3）")).to_be_visible()


async def test_invitation_is_accepted(chat: Chat) -> None:
    group = room(chat)
    chat.world.joins.add(SONG, group.id, ADMIN, card=True)
    page = await chat.open(ADMIN, SONG)
    card = page.get_by_role("button", name="邀请你加入群聊")
    await expect(card).to_contain_text("“宋公明”邀请你加入群聊“梁山”")
    await card.click()
    await expect(page.get_by_role("heading", name="梁山（4）")).to_be_visible()
    assert ADMIN in group.members
    await page.go_back()
    await expect(card).to_contain_text("已加入")


@pytest.mark.parametrize(("answer", "inside"), [("同意", True), ("拒绝", False)])
async def test_owner_confirms_or_rejects_a_join(chat: Chat, answer: str, inside: bool) -> None:
    group = room(chat)
    chat.world.rooms.set_confirm(SONG, group.id, True)
    chat.windows.refused = "status of 400"
    owner = await chat.open(SONG, group.id)
    member = await chat.open(XUANFENG, group.id)
    await details(member)
    await member.get_by_role("button", name="添加", exact=True).click()
    await member.get_by_role("dialog").get_by_text("店长").click()
    await member.get_by_role("dialog").get_by_role("button", name="邀请").click()
    await expect(member.get_by_role("alert").filter(has_text="需群主或管理员确认")).to_be_visible()
    await expect(owner.get_by_role("log")).to_contain_text("“黑旋风”想邀请“店长”加入群聊")
    await expect(member.get_by_role("button", name=answer)).to_have_count(0)
    await owner.get_by_role("button", name=answer).click()
    await expect(owner.get_by_role("log")).to_contain_text(f"已{answer}")
    assert (ADMIN in group.members) == inside


async def test_member_leaves_or_is_removed(chat: Chat) -> None:
    group = room(chat)
    leaver = await chat.open(XUANFENG, group.id)
    removed = await chat.open(ZHIDUO, group.id)
    await details(leaver)
    await leaver.get_by_role("button", name="退出群聊").click()
    await leaver.get_by_role("button", name="取消").click()
    assert XUANFENG in group.members
    await leaver.get_by_role("button", name="退出群聊").click()
    await leaver.get_by_role("dialog").get_by_role("button", name="退出群聊").click()
    await expect(leaver.get_by_role("button", name="梁山")).to_have_count(0)
    assert XUANFENG not in group.members
    chat.world.rooms.remove(SONG, group.id, ZHIDUO)
    for _ in range(2):  # also after reloading the page
        await expect(removed.get_by_text("你已不在这个群聊里")).to_be_visible()
        await expect(removed.get_by_role("heading", name="梁山")).to_be_visible()
        await expect(removed.get_by_label("输入消息")).to_have_count(0)
        await removed.reload()


async def test_unknown_chat_is_closed(chat: Chat) -> None:
    chat.windows.refused = "status of 404"
    page = await chat.open(SONG, "wxid_nobody")
    await expect(page.get_by_role("alert").filter(has_text="没有这个人：wxid_nobody")).to_be_visible()
    await expect(page.get_by_label("输入消息")).to_have_count(0)


async def test_join_by_group_qr_code(chat: Chat) -> None:
    group = room(chat)
    owner = await chat.open(SONG, group.id)
    await details(owner)
    await owner.get_by_role("button", name="群二维码").click()
    picture = owner.get_by_role("img", name="群二维码")
    await expect(picture).to_be_visible()
    code = await owner.locator(".qr code").inner_text()
    guest = await chat.open(WENLONG)
    await find(guest, code)
    await expect(guest.get_by_role("heading", name="梁山（4）")).to_be_visible()
    assert WENLONG in group.members


async def test_remark_is_set_and_friend_deleted(chat: Chat) -> None:
    page = await chat.open(SONG)
    await page.get_by_role("button", name="通讯录").click()
    await page.get_by_role("list", name="朋友", exact=True).get_by_role("button", name="黑旋风").click()
    await page.get_by_label("备注").fill("铁牛")
    await page.get_by_label("备注").press("Enter")
    await expect(page.get_by_role("dialog").get_by_text("昵称：黑旋风")).to_be_visible()
    assert chat.world.people.get(SONG).aliases == {XUANFENG: "铁牛"}
    await page.get_by_role("button", name="删除联系人").click()
    await expect(page.get_by_role("button", name="铁牛")).to_have_count(0)
    assert XUANFENG not in chat.world.people.get(SONG).friends
