"""Export or delete the data of a person: `python -m tools.privacy export|delete [--config FILE] ID`.

ID is a WeChat id. `export` prints a JSON object: the messages from and to the person, their tickets with ratings and
staff notes, and the events with their messages. `delete` removes all of that, their files, the texts of finished events
and messages, their flows, staff messages about their tickets, and their question counts; it fails while they have an
unfinished ticket or flow. Group memberships and the audit log remain. The bot may be running.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, delete, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel, col, or_, select

from config import Config, ConfigError, load
from file_modes import make_files_private
from models.conversations import FallbackSent, Greeted, StoredMessage
from models.db import Store
from models.durable import EventState, InboxEvent, OutboxItem, WorkState
from models.faq import FaqMenu, FaqMiss
from models.flows import OPEN_STATES, FlowCallback, FlowRun
from models.support import Ticket, TicketState
from services.support.faq import plain
from services.support.staff_syntax import parse

OPEN_WORK = (WorkState.QUEUED, WorkState.SENDING)


class DataInUse(Exception):
    """Data of the person is still in use; the message names it."""


def _messages_of(contact_id: str) -> ColumnElement[bool]:
    return or_(col(StoredMessage.conversation) == contact_id, col(StoredMessage.by) == contact_id)


def _events(contact_id: str) -> ColumnElement[bool]:
    return col(InboxEvent.body).contains(f'"contact_id": {json.dumps(contact_id)}', autoescape=True)


def export(session: Session, contact_id: str) -> dict[str, Any]:
    """Return all stored messages, tickets and events of the person."""
    messages = session.exec(select(StoredMessage).where(_messages_of(contact_id)).order_by(col(StoredMessage.id))).all()
    tickets = session.exec(select(Ticket).where(Ticket.contact_id == contact_id).order_by(col(Ticket.id))).all()
    events = session.exec(select(InboxEvent.body).where(_events(contact_id)).order_by(col(InboxEvent.id))).all()
    return {
        "contact_id": contact_id,
        "said": [row.model_dump() for row in messages],
        "tickets": [row.model_dump() for row in tickets],
        "events": [json.loads(body) for body in events if body],
    }


def erase(session: Session, contact_id: str) -> tuple[int, list[str]]:
    """Delete the data inside a transaction; return the number of messages, and the files that are no longer
    referenced.
    """
    tickets = session.exec(select(Ticket).where(Ticket.contact_id == contact_id)).all()
    unfinished = [ticket.id for ticket in tickets if ticket.state != TicketState.CLOSED]
    if unfinished:
        raise DataInUse(f"ticket #{unfinished[0]} of {contact_id} is not closed yet")
    _erase_flows(session, contact_id)
    files = session.exec(
        select(StoredMessage.media).where(_messages_of(contact_id), col(StoredMessage.media) != "").distinct()
    ).all()
    connection = session.connection()
    texts = session.exec(
        select(StoredMessage.text).where(_messages_of(contact_id), col(StoredMessage.by) == contact_id)
    ).all()
    for text in {plain(text) for text in texts}:
        connection.execute(delete(FaqMiss).where(col(FaqMiss.question) == text))
    count = connection.execute(delete(StoredMessage).where(_messages_of(contact_id))).rowcount
    _erase_work(session, contact_id, [ticket.id or 0 for ticket in tickets])
    ended = col(InboxEvent.state) != EventState.NEW
    condition = or_(_events(contact_id), col(InboxEvent.id).in_(_staff_lines(session, {t.id for t in tickets})))
    connection.execute(update(InboxEvent).where(condition, ended).values(body=None, data="{}"))
    tables: Sequence[type[SQLModel]] = (Ticket, Greeted, FallbackSent, FaqMenu)
    for table in tables:
        connection.execute(delete(table).where(table.contact_id == contact_id))  # type: ignore[attr-defined]
    shared = set(session.exec(select(StoredMessage.media).where(col(StoredMessage.media).in_(files))).all())
    return count, [path for path in files if path not in shared]


def _erase_flows(session: Session, contact_id: str) -> None:
    runs = session.exec(select(FlowRun).where(FlowRun.person == contact_id)).all()
    unfinished = [run.flow for run in runs if run.state in OPEN_STATES]
    if unfinished:
        raise DataInUse(f"flow {unfinished[0]} of {contact_id} is not finished yet")
    ids = [run.id for run in runs]
    session.connection().execute(delete(FlowCallback).where(col(FlowCallback.run_id).in_(ids)))
    session.connection().execute(delete(FlowRun).where(col(FlowRun.id).in_(ids)))


def _staff_lines(session: Session, numbers: set[int | None]) -> list[int]:
    """Return the ids of events with messages of staff about these tickets."""
    group = col(InboxEvent.body).contains('"is": "GroupMessage"', autoescape=True)
    rows = session.exec(select(InboxEvent.id, InboxEvent.body).where(group)).all() if numbers else []
    lines = ((row, parse(json.loads(body)["text"])) for row, body in rows if body and row)
    return [row for row, line in lines if line is not None and line.number in numbers]


def _erase_work(session: Session, contact_id: str, tickets: Sequence[int]) -> None:
    """Delete finished messages to the person, and relayed messages to staff."""
    following = ("}", ",")  # the number is last in the body, or followed by another field
    relays = [col(OutboxItem.body).like(f'%"relays": {number}{end}%') for number in tickets for end in following]
    condition = or_(col(OutboxItem.key) == contact_id, *relays)
    session.connection().execute(delete(OutboxItem).where(condition, col(OutboxItem.state).not_in(OPEN_WORK)))


async def run(config: Config, action: str, contact_id: str) -> str:
    """Execute the command; return the text to print."""
    store = Store(config.database)
    await store.open()
    try:
        if action == "export":
            data = await store.read(lambda s: export(s, contact_id))
            return json.dumps(data, ensure_ascii=False, indent=2)
        count, files = await store.write(lambda s: erase(s, contact_id))
    finally:
        await store.close()
    for path in files:
        await asyncio.to_thread(Path(path).unlink, missing_ok=True)
    return f"deleted: {count} messages, {len(files)} files"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.privacy", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("export", "delete"))
    parser.add_argument("id", help="WeChat id of the person")
    parser.add_argument("--config", default="config.yaml")
    options = parser.parse_args(arguments)
    try:
        print(asyncio.run(run(load(options.config), options.what, options.id)))
    except (ConfigError, DataInUse, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except DBAPIError as error:
        print(f"the database: {' '.join(str(error.orig).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    make_files_private()
    sys.exit(main())
