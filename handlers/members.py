"""Joins, leaves and topic changes. Events are checked against what WeChat shows."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from errors import WeChatError
from handlers.context import EventContext
from models.durable import Outcome
from wechat.events import MemberJoined, MemberLeft, RoomEvent, RoomInvited, TopicChanged
from wechat.names import same_name

log = logging.getLogger(__name__)
NAME_REREAD_DELAYS: Final = (1.0, 2.0, 3.0)  # seconds between reads of newcomers without a name
MAX_REREAD: Final = 5  # newcomers read each time
LIST_LAG_SECONDS: Final = 2.0  # seconds that WeChat's member list may be behind its join event


async def record_joins(event: MemberJoined, context: EventContext) -> bool:
    """Record joins and welcome each person once. If the assistant itself joined, read the room again."""
    container = context.container
    qun = container.groups.by_room(event.account, event.room_id)
    if qun is None:
        return False
    if context.wechat.self_id in event.contact_ids:
        await _refresh_room(event, context)
        return True
    if not container.groups.is_active(event.account, event.room_id):
        return True  # it is being created, which records its first members
    if not event.contact_ids or not _are_known(event, context):
        await _refresh_room(event, context)
    for contact_id in event.contact_ids:
        # either they have left already, or WeChat's list does not show them yet
        if contact_id not in _members(event, context) and not await _appears(event, context, contact_id):
            break
    members = _members(event, context)
    joined = [contact_id for contact_id in event.contact_ids if contact_id in members]
    await _learn_names(joined, context)
    context.write(lambda s: container.recorder.record_joins(s, qun, event.room_id, *joined))
    return True


async def record_leaves(event: MemberLeft, context: EventContext) -> bool:
    """Record leaves. If the assistant itself left, the room is lost."""
    qun = context.container.groups.by_room(event.account, event.room_id)
    if qun is None:
        return False
    left_ids = set(event.contact_ids)
    is_unclear = not left_ids or context.wechat.self_id in left_ids or not _are_known(event, context)
    if is_unclear or left_ids & _members(event, context):
        await _refresh_room(event, context)
        left_ids &= context.wechat.directory.contacts.keys() - _members(event, context) - {context.wechat.self_id}
    leave = partial(
        context.container.recorder.record_leave, qun=qun, room_id=event.room_id, reported_at=event.at.timestamp()
    )
    for contact_id in sorted(left_ids):
        removed = event.remover_id not in ("", contact_id)
        context.write(partial(leave, contact_id=contact_id, removed=removed))
    return True


async def topic_changed(event: TopicChanged, context: EventContext) -> bool:
    """Accept a new name if the owner or an admin has given it; otherwise the drift check restores the old one."""
    container = context.container
    qun = container.groups.by_room(event.account, event.room_id)
    if qun is None:
        return False
    room = context.wechat.directory.rooms.get(event.room_id)
    if room is not None and same_name(room.topic, event.topic):  # otherwise it has been renamed again since
        context.write(
            lambda s: container.presentation.accept_topic(s, qun, event.room_id, event.topic, event.changer_id)
        )
    return True


async def accept_invitation(event: RoomInvited, context: EventContext) -> bool:
    """Accept the invitation of an admin or group owner; invitations of others are ignored."""
    container, account = context.container, event.account
    inviter = event.inviter_id
    if not container.accounts.is_admin(account, inviter) and not await container.group_owners.owns_any(
        account, inviter
    ):
        return False
    try:
        await context.wechat.accept_invitation(event.invitation_id)
        outcome, detail = Outcome.DONE, ""
    except WeChatError as error:
        outcome, detail = Outcome.FAILED, str(error)
    actor = f"person:{inviter}"
    context.write(
        lambda s: container.audit.record(s, account, "enter", actor, event.invitation_id, outcome, seen=detail)
    )
    return True


async def _learn_names(contact_ids: list[str], context: EventContext) -> None:
    """Wait a moment for the names of newcomers, which gateways have a little later than their joins."""
    contacts = context.wechat.directory.contacts
    for pause in NAME_REREAD_DELAYS:
        nameless = [id for id in contact_ids if id not in contacts or not contacts[id].name]
        if not nameless:
            return
        await asyncio.sleep(pause)
        for contact_id in nameless[:MAX_REREAD]:
            try:
                await context.wechat.contact(contact_id, fresh=True)
            except WeChatError as error:
                log.info("%s: a newcomer could not be read: %s", context.event.account, error)


def _are_known(event: MemberJoined | MemberLeft, context: EventContext) -> bool:
    """Whether all contacts of the event are known: some gateways report names instead of ids."""
    return context.wechat.directory.contacts.keys() >= set(event.contact_ids)


def _members(event: RoomEvent, context: EventContext) -> set[str]:
    """Return the known members of the room. The directory is never older than an event being handled."""
    room = context.wechat.directory.rooms.get(event.room_id)
    return room.member_ids if room is not None else set()


async def _appears(event: RoomEvent, context: EventContext, contact_id: str) -> bool:
    try:
        return await context.wechat.wait_member(event.room_id, contact_id, LIST_LAG_SECONDS)
    except WeChatError:
        return False


async def _refresh_room(event: RoomEvent, context: EventContext) -> None:
    """Read the room again, because the event is late, has unknown people, or is about the assistant itself."""
    await context.container.reconcile.try_room(event.account, event.room_id)
