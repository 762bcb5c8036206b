"""/欢迎 /公告 /群名: how a group presents itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from sqlmodel import Session

from config.texts import fill
from errors import WeChatError
from handlers.chat_commands.request import MAX, CommandReply, CommandRequest, why
from models.groups import Qun, QunRoom

OFF: Final = "关"
USUAL: Final = "默认"
MAX_TOPIC: Final = 30
MAX_ANNOUNCEMENT: Final = 2000


async def welcome(request: CommandRequest) -> CommandReply:
    """What newcomers are told: shown, changed, switched off, or back to the usual."""
    usual, now = request.container.config.groups.welcome, request.group.welcome
    if not request.rest:
        return CommandReply(
            fill(request.texts.welcome_shown, welcome=(usual if now is None else now) or request.texts.nothing)
        )
    if len(request.rest) > MAX:
        return CommandReply(fill(request.texts.too_long, most=MAX))
    wanted = {OFF: "", USUAL: None}.get(request.rest, request.rest)

    def act(session: Session) -> str:
        request.container.groups.patch(session, request.group.number, welcome=wanted)
        request.note(session, "welcome")
        shown = usual if wanted is None else wanted
        return fill(request.texts.welcome_set, welcome=shown) if shown else request.texts.welcome_off

    return CommandReply(act=act)


async def announcement(request: CommandRequest) -> CommandReply:
    """The group's announcement: shown, or published in WeChat, read back, and held true from then on."""
    wechat = request.container.accounts.get(request.account)
    if not request.rest:
        return await _shown(request)
    if len(request.rest) > MAX_ANNOUNCEMENT:
        return CommandReply(fill(request.texts.too_long, most=MAX_ANNOUNCEMENT))
    if not request.rooms:
        return CommandReply(fill(request.texts.wechat_refused, why=request.texts.refused_not_in_group))

    def keep(session: Session) -> str:
        request.container.groups.patch(session, request.group.number, announcement=request.rest)
        return fill(request.texts.announcement_set, words=request.rest)

    return await _change(
        request, "announce", wechat.set_announcement, {room.id: request.rest for room in request.rooms}, keep
    )


async def _shown(request: CommandRequest) -> CommandReply:
    if not request.rooms:
        return CommandReply(fill(request.texts.wechat_refused, why=request.texts.refused_not_in_group))
    try:
        now = await request.container.accounts.get(request.account).announcement(request.rooms[0].id)
    except WeChatError as error:
        return CommandReply(fill(request.texts.wechat_refused, why=why(request.texts, error)))
    return CommandReply(fill(request.texts.announcement_shown, words=now or request.texts.nothing))


async def topic(request: CommandRequest) -> CommandReply:
    """The group's name, in WeChat and from then on held true; its further rooms are counted up."""
    name = " ".join(request.rest.split())
    if not name:
        return request.misuse()
    if len(name) > MAX_TOPIC:
        return CommandReply(fill(request.texts.too_long, most=MAX_TOPIC))
    if request.container.staff_rooms.is_reserved(name):
        return CommandReply(fill(request.texts.staff_room_topic, topic=name))
    rooms = request.container.groups.rooms(request.group)
    if not rooms:
        return CommandReply(fill(request.texts.wechat_refused, why=request.texts.refused_not_in_group))
    wanted = {room.room_id or "": room_topic(name, room) for room in rooms}
    change = request.container.accounts.get(request.account).set_topic
    return await _change(
        request, "topic", change, wanted, lambda session: _keep_topic(request, session, request.group, name)
    )


async def _change(
    request: CommandRequest,
    kind: str,
    change: Callable[[str, str], Awaitable[None]],
    wanted: Mapping[str, str],
    keep: Callable[[Session], str],
) -> CommandReply:
    """Change every room (`wanted`: by room id) in WeChat. The log's lines end with what is kept of it, in one
    transaction: until then the drift check leaves alone what is being changed."""
    actions: list[int] = []
    for room_id, words in wanted.items():
        action = await request.container.audit.tried(
            request.account, kind, request.actor, room_id, number=str(request.number)
        )
        try:
            await change(room_id, words)
        except WeChatError as error:
            request.container.accounts.heed(request.account, error)
            await request.container.audit.ended(action, "failed", str(error))
            for done in actions:
                await request.container.audit.ended(done, "done")
            return CommandReply(fill(request.texts.wechat_refused, why=why(request.texts, error)))
        actions.append(action)

    def act(session: Session) -> str:
        for action in actions:
            request.container.audit.end(session, action, "done")
        return keep(session)

    return CommandReply(act=act)


def _keep_topic(request: CommandRequest, session: Session, qun: Qun, name: str) -> str:
    request.container.groups.patch(session, qun.number, topic=name)
    for room in request.container.groups.rooms(
        qun
    ):  # not the half-made: they are looked for by the name they were asked for
        request.container.groups.patch_room(session, room, topic=room_topic(name, room))
    return fill(request.texts.topic_set, topic=name)


def room_topic(name: str, room: QunRoom) -> str:
    """What a room of the group is called: the first as the group, the next with its number."""
    return name if room.ordinal == 1 else f"{name}·{room.ordinal}"
