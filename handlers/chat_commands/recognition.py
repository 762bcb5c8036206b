"""/认领: confirm or reject rooms that seem to be groups whose WeChat ids have changed."""

from __future__ import annotations

from typing import Final

from sqlmodel import Session

from config.texts import fill
from handlers.chat_commands.request import CommandReply, CommandRequest, first_word, parse_row_id

NO: Final = "否"


async def recognise(request: CommandRequest) -> CommandReply:
    """List the proposals, confirm one by its number, or reject it."""
    recognition, texts = request.container.recognition, request.texts
    if not request.rest:
        rows = await request.container.store.read(lambda s: recognition.waiting(s, request.account))
        lines = [
            fill(texts.rooms_recognised_line, id=row.id, number=room.number, topic=room.topic) for row, room in rows
        ]
        return CommandReply(
            fill(texts.rooms_recognised, lines="\n".join(lines)) if lines else texts.rooms_recognised_none
        )
    word, argument = first_word(request.rest)
    proposal_id = parse_row_id(word)
    if proposal_id is None or argument not in ("", NO):
        return request.usage_error()

    def act(session: Session) -> str:
        unknown = fill(texts.room_recognised_unknown, id=proposal_id)
        if argument == NO:
            rejected = recognition.reject(session, request.account, proposal_id)
            return fill(texts.room_rejected, id=proposal_id) if rejected else unknown
        qun = recognition.confirm(session, request.account, proposal_id)
        if qun is None:
            return unknown
        request.record(session, "room_recognised", str(qun.number), number=str(qun.number))
        return fill(texts.room_confirmed, topic=qun.topic, number=qun.number)

    return CommandReply(act=act)
