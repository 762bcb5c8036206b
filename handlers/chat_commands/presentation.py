"""/欢迎 /公告 /群名: welcome text, announcement and topic of a group."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from sqlmodel import Session

from config.texts import fill
from errors import WeChatError
from handlers.chat_commands.request import MAX_TEXT, CommandReply, CommandRequest, describe_error
from services.groups.presentation import (
    MAX_ANNOUNCEMENT,
    MAX_TOPIC,
    NotInGroup,
    PresentationChange,
    TopicReserved,
    UnknownPlaceholder,
)

OFF: Final = "关"
DEFAULT: Final = "默认"


async def welcome(request: CommandRequest) -> CommandReply:
    """Show, change, disable or reset the welcome text."""
    default, now = request.container.config.groups.welcome, request.group.welcome
    if not request.rest:
        return CommandReply(
            fill(request.texts.welcome_shown, welcome=(default if now is None else now) or request.texts.nothing)
        )
    if len(request.rest) > MAX_TEXT:
        return CommandReply(fill(request.texts.too_long, most=MAX_TEXT))
    new_text = {OFF: "", DEFAULT: None}.get(request.rest, request.rest)
    try:
        store_change = request.container.presentation.welcome(request.group, new_text, request.actor)
    except UnknownPlaceholder as error:
        return CommandReply(fill(request.texts.welcome_unknown, name=f"{{{error.name}}}"))

    def act(session: Session) -> str:
        store_change(session)
        text = default if new_text is None else new_text
        return fill(request.texts.welcome_set, welcome=text) if text else request.texts.welcome_off

    return CommandReply(act=act)


async def announcement(request: CommandRequest) -> CommandReply:
    """Show the group's announcement, or publish a new one, which the drift check then maintains."""
    if not request.rest:
        return await _show(request)
    if len(request.rest) > MAX_ANNOUNCEMENT:
        return CommandReply(fill(request.texts.too_long, most=MAX_ANNOUNCEMENT))
    change = request.container.presentation.announce(request.group, request.rest, request.actor)
    return await _apply_change(request, change, request.texts.announcement_set, request.texts.announcement_unconfirmed)


async def _show(request: CommandRequest) -> CommandReply:
    if not request.rooms:
        return CommandReply(fill(request.texts.wechat_refused, why=request.texts.refused_not_in_group))
    try:
        now = await request.container.accounts.get(request.account).announcement(request.rooms[0].id)
    except WeChatError as error:
        return CommandReply(fill(request.texts.wechat_refused, why=describe_error(request.texts, error)))
    return CommandReply(fill(request.texts.announcement_shown, words=now or request.texts.nothing))


async def topic(request: CommandRequest) -> CommandReply:
    """Rename the group; its further rooms get numbers. The drift check then maintains the topics."""
    name = " ".join(request.rest.split())
    if not name:
        return request.usage_error()
    if len(name) > MAX_TOPIC:
        return CommandReply(fill(request.texts.too_long, most=MAX_TOPIC))
    change = request.container.presentation.set_topic(request.group, name, request.actor)
    return await _apply_change(request, change, fill(request.texts.topic_set, topic=name))


async def _apply_change(
    request: CommandRequest, change: Awaitable[PresentationChange], reply: str, unconfirmed: str = ""
) -> CommandReply:
    """Make a change in WeChat; it is stored and answered in the event's transaction."""
    try:
        store_change, confirmed = await change
    except TopicReserved as error:
        return CommandReply(fill(request.texts.staff_room_topic, topic=error.topic))
    except NotInGroup:
        return CommandReply(fill(request.texts.wechat_refused, why=request.texts.refused_not_in_group))
    except WeChatError as error:
        return CommandReply(fill(request.texts.wechat_refused, why=describe_error(request.texts, error)))

    def act(session: Session) -> str:
        store_change(session)
        return reply if confirmed else unconfirmed

    return CommandReply(act=act)
