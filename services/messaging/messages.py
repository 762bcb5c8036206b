"""Outgoing messages: their JSON bodies, queueing and sending."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlmodel import Session

from errors import WeChatError, WeChatNotYet, WeChatOffline, WeChatRefused, WeChatTaken, WeChatTooFast, WeChatUnknown
from models.bulk_insert import write_bulk
from models.durable import Priority
from services.accounts.registry import Accounts
from services.messaging.body_type import BodyType
from services.messaging.text_merging import merge_waiting
from services.text import in_pieces
from services.work.job import Cancelled, GiveUp, Job, Result, Retry
from services.work.outbox import Outbox
from wechat.entities import Link, Media, MiniProgram
from wechat.interface import Capability, WeChat

log = logging.getLogger(__name__)
QUEUE = "wx"
AT_SIGN_END = "\u2005"  # the character that WeChat puts after an @name
WAITS = (2.0, 10.0, 60.0, 300.0)  # seconds between attempts if WeChat rejects the message
# Seconds between attempts if the response is lost, such as when the gateway is killed. Any attempt may have succeeded.
LOST_WAITS = (1.0, 2.0, 5.0, 30.0, 300.0, 900.0)
SLOW_WAITS = (30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0)  # after 操作过于频繁, which may last longer than an hour
NOT_YET_WAIT = 60.0  # seconds between checks whether a customer has written again; checked when they write, too
MAX_TEXT_LENGTH = 2000  # characters of one message
MAX_NAME_LENGTH = 36  # characters of an @name
FILE_WAITS = (2.0, 10.0)  # for sending or receiving a file; limits how long it can block a conversation

Body = dict[str, Any]


def text(content: str, mentions: Sequence[str] = ()) -> Body:
    """Create the body of a text; `mentions` are the WeChat ids to mention with @."""
    return (
        {"type": BodyType.TEXT, "text": content, "mentions": list(mentions)}
        if mentions
        else {"type": BodyType.TEXT, "text": content}
    )


def _pieces(body: Body) -> list[Body]:
    """Split a text that is too long for WeChat, in order; the mentions are in the first part."""
    mentions = body.get("mentions", ())
    first_length = max(
        MAX_TEXT_LENGTH // 2, MAX_TEXT_LENGTH - MAX_NAME_LENGTH * len(mentions)
    )  # names may be put in front
    if body["type"] != BodyType.TEXT or len(body["text"]) <= first_length:
        return [body]
    pieces = in_pieces(body["text"], MAX_TEXT_LENGTH, first_length)
    common = {name: value for name, value in body.items() if name not in ("mentions", "choices", "also", "text")}
    bodies = [{**common, "text": piece.strip("\n") or piece} for piece in pieces]
    bodies[0] |= {"mentions": mentions} if mentions else {}
    bodies[-1] |= {name: body[name] for name in ("choices", "also") if name in body}
    return bodies


def choices(content: str, options: Sequence[str]) -> Body:
    """Create the body of a text whose lines `options` are buttons, where the channel supports that."""
    return {"type": BodyType.TEXT, "text": content, "choices": list(options)} if options else text(content)


def file(path: str | Path, name: str = "") -> Body:
    """Create the body of an image or file on disk."""
    return {"type": BodyType.FILE, "path": str(path), "name": name or Path(path).name}


def link(card: Link) -> Body:
    """Create the body of a link card."""
    return {
        "type": BodyType.LINK,
        "title": card.title,
        "url": card.url,
        "description": card.description,
        "thumbnail": card.thumbnail,
    }


def contact(contact_id: str) -> Body:
    """Create the body of a contact card."""
    return {"type": BodyType.CONTACT, "id": contact_id}


def mini_program(program: MiniProgram) -> Body:
    """Create the body of a mini-program card."""
    fields = ("appid", "title", "username", "page_path", "description")
    return {"type": BodyType.MINI_PROGRAM, **{name: getattr(program, name) for name in fields}}


class Messages:
    """Queues messages to WeChat and sends them. `record` is called in the transaction that queues a message."""

    def __init__(self, outbox: Outbox, accounts: Accounts, record: Callable[[Session, str, str, Body], None]) -> None:
        self._outbox = outbox
        self._accounts = accounts
        self._record = record
        outbox.serve(QUEUE, self._deliver, pace=accounts.find_rate_limiter, is_open=accounts.is_online)

    def queue(self, session: Session, account: str, to: str, body: Body | str, **options: Any) -> Job:
        """Queue a message inside a transaction. `options`: keyword arguments of Outbox.add."""
        full = text(body) if isinstance(body, str) else body
        self._record(session, account, to, full)
        *first, last = _pieces(full)
        idempotency = {name: options.pop(name) for name in ("idempotency_key", "fingerprint") if name in options}
        before = [self._outbox.add(session, f"{QUEUE}:{account}", to, piece, **options) for piece in first]
        if before:
            write_bulk(session)  # assigns their ids
            last["also"] = [*last.get("also", ()), *(piece.id for piece in before)]
        return self._outbox.add(session, f"{QUEUE}:{account}", to, last, **options, **idempotency)

    def leave(self, session: Session, account: str, room_id: str) -> Job:
        """Queue leaving a room after the messages queued before, inside a transaction."""
        return self._outbox.add(
            session, f"{QUEUE}:{account}", room_id, {"type": BodyType.LEAVE}, priority=Priority.NOTICE
        )

    def hand_over(self, session: Session, account: str, contact_id: str, ticket: int) -> None:
        """Queue handing a customer to staff in their own client, after the messages queued before."""
        self._outbox.add(session, f"{QUEUE}:{account}", contact_id, {"type": BodyType.HAND_OVER, "relays": ticket})

    def end_session(self, session: Session, account: str, contact_id: str) -> None:
        """Queue ending a customer's session, on a channel that has such."""
        wechat = self._accounts.find(account)
        if wechat is not None and Capability.SESSIONS in wechat.capabilities:
            self._outbox.add(session, f"{QUEUE}:{account}", contact_id, {"type": BodyType.END_SESSION})

    async def _deliver(self, job: Job) -> Result:
        account = job.queue.partition(":")[2]
        wechat = self._accounts.get(account)
        if job.priority == Priority.BROADCAST and not await self._outbox.mark_sending(job):
            return Cancelled()
        if Capability.WRITE_FIRST not in wechat.capabilities and self._outbox.jobs_behind(job):
            await merge_waiting(self._outbox, job, await wechat.messages_left(job.key, str(job.id)))
        try:
            return await _send(wechat, job.key, job.body, str(job.id))
        except WeChatOffline as error:
            return Retry(1.0, str(error), counts=False)
        except WeChatTaken as error:
            must_be_now = job.body.get("staff") or job.body["type"] == BodyType.HAND_OVER
            return GiveUp(str(error)) if must_be_now else Retry(NOT_YET_WAIT, str(error), counts=False)
        except WeChatNotYet as error:
            return Retry(NOT_YET_WAIT, str(error), counts=False)
        except WeChatUnknown as error:
            if job.priority == Priority.BROADCAST:
                return GiveUp(str(error), unknown=True)
            return _retry_later(job, error, LOST_WAITS)
        except WeChatTooFast as error:
            self._accounts.handle_rate_limit(account, error)
            return _retry_later(job, error, SLOW_WAITS)
        except (WeChatRefused, OSError) as error:
            return _retry_later(job, error, WAITS)
        except WeChatError as error:
            return GiveUp(str(error))


def _retry_later(job: Job, error: Exception, waits: Sequence[float]) -> Retry | GiveUp:
    if job.body["type"] == BodyType.FILE and not isinstance(error, WeChatTooFast):
        waits = FILE_WAITS
    if job.attempts >= len(waits):
        return GiveUp(str(error), unknown=isinstance(error, WeChatUnknown))
    return Retry(waits[job.attempts], str(error))


async def _send(wechat: WeChat, to: str, body: Body, key: str) -> str:
    kind = body["type"]
    if kind == BodyType.TEXT:
        mentions = body.get("mentions", ())
        content = await _with_names(wechat, body["text"], mentions) if mentions else body["text"]
        return await wechat.send_text(to, content, mentions, choices=body.get("choices", ()), key=key)
    if kind == BodyType.FILE:
        return await wechat.send_media(
            to, Media(body["name"], await asyncio.to_thread(Path(body["path"]).read_bytes)), key=key
        )
    if kind in ("leave", "hand_over", "end_session"):
        await {"leave": wechat.leave_room, "hand_over": wechat.hand_over, "end_session": wechat.end_session}[kind](to)
        return ""
    if kind == BodyType.LINK:
        return await wechat.send_link(
            to, Link(body["title"], body["url"], body["description"], body["thumbnail"]), key=key
        )
    if kind == BodyType.CONTACT:
        return await wechat.send_contact(to, body["id"], key=key)
    if kind == BodyType.MINI_PROGRAM:
        return await wechat.send_mini_program(
            to, MiniProgram(**{k: v for k, v in body.items() if k != "type"}), key=key
        )
    raise ValueError(f"unknown message type {kind!r}")


async def _with_names(wechat: WeChat, content: str, mentions: Sequence[str]) -> str:
    """Put @names in front of a text for mentioned people it does not name.

    WeChat shows a mention only if the text contains the name. People who cannot be read are left out.
    """
    missing = []
    for contact_id in mentions:
        try:
            name = (await wechat.contact(contact_id)).name
        except WeChatRefused as error:
            log.info("%s: could not read the mentioned people: %s", wechat.account, error)
            continue
        if name and f"@{name}" not in content:
            missing.append(f"@{name}{AT_SIGN_END}")
    return "".join(missing) + content
