"""/绑定客服群 /客服群: the staff room."""

from __future__ import annotations

from sqlmodel import Session

from config.texts import fill
from handlers.chat_commands.request import CommandReply, CommandRequest


async def bind(request: CommandRequest) -> CommandReply:
    """Bind the group of the command as the staff room."""
    if not request.room_id:
        return CommandReply(fill(request.texts.staff_room_in_room, command=request.usage))

    def act(session: Session) -> str:
        request.container.staff_rooms.bind(session, request.account, request.room_id, request.actor)
        return request.texts.staff_room_bound

    return CommandReply(act=act)


async def show(request: CommandRequest) -> CommandReply:
    """Show which group is the staff room."""
    rooms, texts = request.container.staff_rooms, request.texts
    room = rooms.of(request.account)
    if room is not None:
        return CommandReply(fill(texts.staff_room_shown, topic=room.topic, members=len(room.member_ids)))
    return CommandReply(texts.staff_room_gone if rooms.bound_id(request.account) else texts.staff_room_none)
