"""Two accounts in one process, in two worlds with the same ids for different people."""

from __future__ import annotations

from sandbox.gateway.server import PuppetServer
from sandbox.world.world import SONG, ZHIDUO, World
from tests.wechat.conftest import Connect
from tests.wechat.recording_listener import RecordedAccount
from wechat.compat import PuppetService, Wechaty
from wechat.events import MessageKind


async def start_account(connect: Connect, account: str, token: str) -> tuple[World, PuppetServer, RecordedAccount]:
    world = World.default([account], seed=7)  # the same seed gives the same ids
    server = PuppetServer(world, account, token)
    recorded = await connect(f"127.0.0.1:{await server.start()}", token, account=account, tls=False)
    await recorded.online()
    return world, server, recorded


async def test_accounts_share_nothing(connect: Connect) -> None:
    world1, server1, one = await start_account(connect, "weimi1001", "insecure_one")
    world2, server2, two = await start_account(connect, "weimi1002", "insecure_two")
    world2.people.rename(SONG, "另一个宋公明")
    await two.assistant.contact(SONG, fresh=True)
    assert [c.name for c in one.assistant.directory.find(SONG)] == ["宋公明"]
    assert [c.name for c in two.assistant.directory.find(SONG)] == ["另一个宋公明"]
    assert one.assistant.directory.find("另一个宋公明") == []

    room = await two.assistant.create_room([SONG, ZHIDUO], "第二个号的群")
    assert one.assistant.directory.room_by_topic("第二个号的群") == []
    assert [r.id for r in two.assistant.directory.room_by_topic("第二个号的群")] in ([room], [])

    world1.chats.say(SONG, one.assistant.self_id, "给一")
    world2.chats.say(SONG, two.assistant.self_id, "给二")
    first, second = await one.resolved("message"), await two.resolved("message")
    assert (first.account, first.text, first.name) == ("weimi1001", "给一", "宋公明")
    assert (second.account, second.text, second.name) == ("weimi1002", "给二", "另一个宋公明")

    await one.assistant.send_text(SONG, "一说的")
    await two.assistant.send_text(SONG, "二说的")
    assert _sent(world1, SONG) == ["给一", "一说的"]
    assert _sent(world2, SONG) == ["给二", "二说的"]

    server1.kill()
    assert two.assistant.state.value == "online"
    await server2.stop()


async def test_bot_is_a_wechaty_bot_with_working_sdk_calls(recorded: RecordedAccount) -> None:
    bot = recorded.assistant
    assert isinstance(bot, Wechaty)
    assert isinstance(bot.puppet, PuppetService)
    assert bot.puppet.login_user_id == bot.contact_id == bot.self_id
    assert await bot.puppet.tag_contact_list() == []  # not overridden: the SDK's own call over our connection
    assert SONG in await bot.puppet.contact_list()
    assert str(bot) == f"Wechaty<default_puppet, {bot.self_id}>"


def _sent(world: World, person: str) -> list[str]:
    account = world.accounts.person(next(iter(world.state.accounts)))
    texts = [message for message in world.chats.history(person, account.id) if message.kind.value == MessageKind.TEXT]
    return [message.text for message in texts]
