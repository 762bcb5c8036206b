"""/欢迎 /公告 /群名: how a group presents itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from sqlmodel import Session

from config.texts import fill
from errors import WeChatError
from models.groups import Qun, QunRoom
from services.commands.ask import MOST, Answer, Ask, why

OFF: Final = "关"
USUAL: Final = "默认"
MOST_TOPIC: Final = 30
MOST_ANNOUNCEMENT: Final = 2000


async def welcome(ask: Ask) -> Answer:
    """What newcomers are told: shown, changed, switched off, or back to the usual."""
    usual, now = ask.house.config.groups.welcome, ask.group.welcome
    if not ask.rest:
        return Answer(fill(ask.texts.welcome_shown, welcome=(usual if now is None else now) or ask.texts.nothing))
    if len(ask.rest) > MOST:
        return Answer(fill(ask.texts.too_long, most=MOST))
    wanted = {OFF: "", USUAL: None}.get(ask.rest, ask.rest)

    def act(session: Session) -> str:
        ask.house.groups.patch(session, ask.group.number, welcome=wanted)
        ask.note(session, "welcome")
        shown = usual if wanted is None else wanted
        return fill(ask.texts.welcome_set, welcome=shown) if shown else ask.texts.welcome_off

    return Answer(act=act)


async def announcement(ask: Ask) -> Answer:
    """The group's announcement: shown, or published in WeChat, read back, and held true from then on."""
    wechat = ask.house.accounts.get(ask.account)
    if not ask.rest:
        return await _shown(ask)
    if len(ask.rest) > MOST_ANNOUNCEMENT:
        return Answer(fill(ask.texts.too_long, most=MOST_ANNOUNCEMENT))
    if not ask.rooms:
        return Answer(fill(ask.texts.wechat_refused, why=ask.texts.refused_not_in_group))

    def keep(session: Session) -> str:
        ask.house.groups.patch(session, ask.group.number, announcement=ask.rest)
        return fill(ask.texts.announcement_set, words=ask.rest)

    return await _change(ask, "announce", wechat.set_announcement, {room.id: ask.rest for room in ask.rooms}, keep)


async def _shown(ask: Ask) -> Answer:
    if not ask.rooms:
        return Answer(fill(ask.texts.wechat_refused, why=ask.texts.refused_not_in_group))
    try:
        now = await ask.house.accounts.get(ask.account).announcement(ask.rooms[0].id)
    except WeChatError as error:
        return Answer(fill(ask.texts.wechat_refused, why=why(ask.texts, error)))
    return Answer(fill(ask.texts.announcement_shown, words=now or ask.texts.nothing))


async def topic(ask: Ask) -> Answer:
    """The group's name, in WeChat and from then on held true; its further rooms are counted up."""
    name = " ".join(ask.rest.split())
    if not name:
        return ask.misuse()
    if len(name) > MOST_TOPIC:
        return Answer(fill(ask.texts.too_long, most=MOST_TOPIC))
    rooms = ask.house.groups.rooms(ask.group)
    if not rooms:
        return Answer(fill(ask.texts.wechat_refused, why=ask.texts.refused_not_in_group))
    wanted = {room.room_id or "": room_topic(name, room) for room in rooms}
    change = ask.house.accounts.get(ask.account).set_topic
    return await _change(ask, "topic", change, wanted, lambda session: _keep_topic(ask, session, ask.group, name))


async def _change(
    ask: Ask,
    kind: str,
    change: Callable[[str, str], Awaitable[None]],
    wanted: Mapping[str, str],
    keep: Callable[[Session], str],
) -> Answer:
    """Change every room (`wanted`: by room id) in WeChat. The log's lines end with what is kept of it, in one
    transaction: until then the drift check leaves alone what is being changed."""
    actions: list[int] = []
    for room_id, words in wanted.items():
        action = await ask.house.audit.tried(ask.account, kind, ask.actor, room_id, number=str(ask.number))
        try:
            await change(room_id, words)
        except WeChatError as error:
            ask.house.accounts.heed(ask.account, error)
            await ask.house.audit.ended(action, "failed", str(error))
            for done in actions:
                await ask.house.audit.ended(done, "done")
            return Answer(fill(ask.texts.wechat_refused, why=why(ask.texts, error)))
        actions.append(action)

    def act(session: Session) -> str:
        for action in actions:
            ask.house.audit.end(session, action, "done")
        return keep(session)

    return Answer(act=act)


def _keep_topic(ask: Ask, session: Session, qun: Qun, name: str) -> str:
    ask.house.groups.patch(session, qun.number, topic=name)
    for room in ask.house.groups.rooms(qun):  # not the half-made: they are looked for by the name they were asked for
        ask.house.groups.patch_room(session, room, topic=room_topic(name, room))
    return fill(ask.texts.topic_set, topic=name)


def room_topic(name: str, room: QunRoom) -> str:
    """What a room of the group is called: the first as the group, the next with its number."""
    return name if room.ordinal == 1 else f"{name}·{room.ordinal}"
