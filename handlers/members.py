"""People come into groups and go; groups get other names. What was told is held against what WeChat shows."""

from __future__ import annotations

from functools import partial
from typing import Final

from errors import WeChatError
from handlers.turn import Turn
from wechat.events import MemberJoined, MemberLeft, RoomEvent, RoomInvited, TopicChanged

LIST_BEHIND: Final = 2.0  # seconds that WeChat's member list may be behind its join event


async def joined(event: MemberJoined, turn: Turn) -> bool:
    """Keep the membership true and welcome each person once; the assistant let in again finds its room again."""
    house = turn.house
    qun = house.groups.by_room(event.account, event.room_id)
    if qun is None:
        return False
    if turn.wechat.self_id in event.contact_ids:
        await _look_again(event, turn)
        return True
    if not house.groups.is_active(event.account, event.room_id):
        return True  # being made: whoever it is made with is taken in by that
    if not _are_known(event, turn):
        await _look_again(event, turn)
    for contact_id in event.contact_ids:
        # Gone again already, or not on WeChat's list yet (which may be a moment behind its own event).
        if contact_id not in _members(event, turn) and not await _shows_up(event, turn, contact_id):
            break
    there = _members(event, turn)
    came = [contact_id for contact_id in event.contact_ids if contact_id in there]
    turn.write(lambda s: house.arrivals.joined(s, qun, event.room_id, *came))
    return True


async def left(event: MemberLeft, turn: Turn) -> bool:
    """Keep the membership true; the assistant itself leaving makes the room a lost one."""
    qun = turn.house.groups.by_room(event.account, event.room_id)
    if qun is None:
        return False
    gone = set(event.contact_ids)
    if turn.wechat.self_id in gone or gone & _members(event, turn) or not _are_known(event, turn):
        await _look_again(event, turn)
        gone &= turn.wechat.directory.contacts.keys() - _members(event, turn) - {turn.wechat.self_id}
    leave = partial(turn.house.arrivals.left, qun=qun, room_id=event.room_id, told_of=event.at.timestamp())
    for contact_id in sorted(gone):
        removed = event.remover_id not in ("", contact_id)
        turn.write(partial(leave, contact_id=contact_id, removed=removed))
    return True


async def topic_changed(event: TopicChanged, turn: Turn) -> bool:
    """The directory knows the new name already; the drift check decides what to do about it."""
    return turn.house.groups.by_room(event.account, event.room_id) is not None


async def invited(event: RoomInvited, turn: Turn) -> bool:
    """The assistant follows its admins and the owners of its groups into a group; it is a stranger's toy otherwise."""
    house, account = turn.house, event.account
    owners = {qun.owner_id for qun in house.groups if qun.account == account}
    if not house.accounts.is_admin(account, event.inviter_id) and event.inviter_id not in owners:
        return False
    try:
        await turn.wechat.accept_invitation(event.invitation_id)
        outcome, seen = "done", ""
    except WeChatError as error:
        outcome, seen = "failed", str(error)
    who = f"person:{event.inviter_id}"
    turn.write(lambda s: house.audit.note(s, account, "enter", who, event.invitation_id, outcome, seen=seen))
    return True


def _are_known(event: MemberJoined | MemberLeft, turn: Turn) -> bool:
    """Whether all whom the event names can be read: there are gateways that tell names for ids."""
    return turn.wechat.directory.contacts.keys() >= set(event.contact_ids)


def _members(event: RoomEvent, turn: Turn) -> set[str]:
    """Who is in the room as far as is known. The directory has heard of everything up to now: it is never behind an
    event that is being handled."""
    room = turn.wechat.directory.rooms.get(event.room_id)
    return room.member_ids if room is not None else set()


async def _shows_up(event: RoomEvent, turn: Turn, contact_id: str) -> bool:
    try:
        return await turn.wechat.wait_member(event.room_id, contact_id, LIST_BEHIND)
    except WeChatError:
        return False


async def _look_again(event: RoomEvent, turn: Turn) -> None:
    """What was told is late, about nobody, or about the assistant itself: read the room, and believe that."""
    await turn.house.reconcile.try_room(event.account, event.room_id)
