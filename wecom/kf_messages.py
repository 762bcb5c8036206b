"""Conversion of messages between the API's format and `wechat.events`."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final

from wechat.entities import Link, Media, MiniProgram
from wechat.events import (
    Event,
    FriendAdded,
    MessageFailed,
    MessageKind,
    PrivateMessage,
    RawEvent,
    SessionChanged,
    SessionStep,
    StaffMessage,
)
from wecom import codes
from wecom.storage import IncomingMessage

MAX_TEXT: Final = 2048  # bytes per text
MAX_HEAD: Final = 1024  # bytes of a menu's text
MAX_CHOICES: Final = 10
MAX_CHOICE: Final = 128  # bytes of a choice
CODE_SECONDS: Final = 20.0  # validity of the codes for a welcome and for the end of a session
CUT: Final = "cut-"  # prefix of the ids of choices whose text had to be truncated
MEGABYTE: Final = 1024**2
MAX_BYTES: Final = {"image": 10 * MEGABYTE, "voice": 2 * MEGABYTE, "video": 10 * MEGABYTE}  # beyond that it is a file


class MessageOrigin(IntEnum):
    """Sender of a message."""

    CUSTOMER = 3
    SYSTEM = 4
    SERVICER = 5  # a staff member, from their own client


class SessionChange(IntEnum):
    """Changes of a session that an event reports."""

    FROM_QUEUE = 1
    PASSED_ON = 2
    ENDED = 3
    TAKEN_UP_AGAIN = 4


KINDS: Final = {
    "text": MessageKind.TEXT,
    "image": MessageKind.IMAGE,
    "voice": MessageKind.AUDIO,
    "video": MessageKind.VIDEO,
    "file": MessageKind.FILE,
    "location": MessageKind.LOCATION,
    "link": MessageKind.LINK,
    "business_card": MessageKind.CARD,
    "miniprogram": MessageKind.MINI_PROGRAM,
    "msgmenu": MessageKind.TEXT,
    "merged_msg": MessageKind.CHAT_HISTORY,
}


def raw_event(account: str, message: dict[str, Any]) -> RawEvent | None:
    """Return a message of sync_msg for the inbox; None if it has no id or no valid time."""
    id, sent = message.get("msgid"), message.get("send_time")
    if not isinstance(id, str) or not id or not isinstance(sent, int | float):
        return None
    try:
        at = datetime.fromtimestamp(sent, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    kind = "event" if message.get("msgtype") == "event" else "message"
    return RawEvent(account, id, kind, message, at)


def incoming_message(message: dict[str, Any]) -> IncomingMessage | None:
    """Return what a message allows to send: five messages to a customer who wrote, one to a customer who opened the
    chat or whose session has ended.
    """
    at = float(message.get("send_time") or 0)
    if message.get("origin") == MessageOrigin.CUSTOMER and message.get("external_userid"):
        return IncomingMessage(str(message["external_userid"]), at)
    event = message.get("event")
    event = event if isinstance(event, dict) else {}
    code = ""
    if event.get("event_type") == "enter_session":
        code = str(event.get("welcome_code") or "")
    elif event.get("event_type") == "session_status_change" and event.get("change_type") == SessionChange.ENDED:
        code = str(event.get("msg_code") or "")
    contact_id = str(event.get("external_userid") or "")
    return IncomingMessage(contact_id, at, code, spoke=False) if contact_id and code else None


def customer_of(message: dict[str, Any]) -> str:
    """Return the customer of a message, or ""."""
    return str(message.get("external_userid") or (message.get("event") or {}).get("external_userid") or "")


def event_of(raw: RawEvent, name: str, *, is_new: bool) -> Event | None:
    """Convert a message to an event; None if there is nothing to handle. `is_new`: the customer was unknown."""
    message, contact_id = raw.data, customer_of(raw.data)
    if raw.kind == "event":
        return _of_system(raw, message.get("event") or {}, contact_id, name, is_new=is_new)
    if not contact_id:
        return None
    kind = KINDS.get(str(message.get("msgtype")), MessageKind.OTHER)
    base: dict[str, Any] = {"account": raw.account, "id": raw.id, "at": raw.at}
    if message.get("origin") == MessageOrigin.SERVICER:
        staff = str(message.get("servicer_userid") or "")
        return StaffMessage(**base, contact_id=contact_id, staff_id=staff, text=text_of(message), kind=kind)
    if message.get("origin") != MessageOrigin.CUSTOMER:
        return None
    target = link_of(message).url if kind is MessageKind.LINK else ""
    return PrivateMessage(**base, contact_id=contact_id, name=name, text=text_of(message), kind=kind, target=target)


def _of_system(raw: RawEvent, event: dict[str, Any], contact_id: str, name: str, *, is_new: bool) -> Event | None:
    base: dict[str, Any] = {"account": raw.account, "id": raw.id, "at": raw.at}
    kind = event.get("event_type")
    if not contact_id:
        return None
    if kind == "enter_session":
        to_welcome = is_new or bool(event.get("welcome_code"))
        return FriendAdded(**base, contact_id=contact_id, name=name, is_new=is_new) if to_welcome else None
    if kind == "session_status_change":
        return _of_session(base, event, contact_id)
    if kind == "user_recall_msg":
        recalled = str(event.get("recall_msgid") or "")
        return PrivateMessage(**base, contact_id=contact_id, name=name, text=recalled, kind=MessageKind.RECALLED)
    if kind == "msg_send_fail":
        fail_type = event.get("fail_type")
        reason = codes.FAILURES.get(fail_type if isinstance(fail_type, int) else 0, codes.FAILURES[0])
        return MessageFailed(
            **base, contact_id=contact_id, message_id=str(event.get("fail_msgid") or ""), reason=reason
        )
    return None


def _of_session(base: dict[str, Any], event: dict[str, Any], contact_id: str) -> SessionChanged | None:
    change = event.get("change_type")
    if change == SessionChange.ENDED:
        staff = str(event.get("old_servicer_userid") or "")
        return SessionChanged(**base, contact_id=contact_id, step=SessionStep.ENDED, staff_id=staff)
    if change in set(SessionChange):
        staff = str(event.get("new_servicer_userid") or "")
        return SessionChanged(**base, contact_id=contact_id, step=SessionStep.TAKEN, staff_id=staff)
    return None


def text_of(message: dict[str, Any]) -> str:
    """Return the text of a message, or its title. A choice with a truncated text becomes its number."""
    kind = str(message.get("msgtype"))
    content = message.get(kind)
    content = content if isinstance(content, dict) else {}
    if kind == "text":
        chosen = str(content.get("menu_id") or "")
        return chosen.removeprefix(CUT) if chosen.startswith(CUT) else str(content.get("content") or "")
    if kind == "location":
        return " ".join(_texts_of(content, "name", "address"))
    if kind == "link":
        return "\n".join(_texts_of(content, "title", "desc"))
    if kind == "business_card":
        return str(content.get("userid") or "")
    return str(content.get("title") or content.get("head_content") or "")


def _texts_of(content: dict[str, Any], *names: str) -> list[str]:
    return [str(content[name]) for name in names if content.get(name)]


def link_of(message: dict[str, Any]) -> Link:
    """Return the link card of a message."""
    link = message.get("link") or {}
    return Link(
        str(link.get("title") or ""), str(link.get("url") or ""), str(link.get("desc") or ""),
        str(link.get("pic_url") or ""),
    )  # fmt: skip


def media_id_of(message: dict[str, Any]) -> str:
    """Return the media_id of a message's file, or ""."""
    content = message.get(str(message.get("msgtype")))
    return str(content.get("media_id") or "") if isinstance(content, dict) else ""


# ---- outgoing messages ----


def text_parts(text: str) -> list[str]:
    """Split a text into parts that the platform accepts, preferably at line breaks."""
    parts, rest = [], text
    while len(rest.encode()) > MAX_TEXT:
        head = rest.encode()[:MAX_TEXT].decode(errors="ignore")
        end = head.rfind("\n") + 1 or len(head)
        parts.append(rest[:end].rstrip("\n") or rest[:end])
        rest = rest[end:]
    return [*parts, rest] if rest or not parts else parts


def menu(text: str, choices: list[str]) -> dict[str, Any]:
    """Create a menu. The lines of the text that list the choices are left out."""
    lines = text.splitlines()
    choice_lines = [number for number, line in enumerate(lines) if any(line.endswith(choice) for choice in choices)]
    head = lines[: choice_lines[0]] if choice_lines else lines
    tail = lines[choice_lines[-1] + 1 :] if choice_lines else []
    items = [_choice(number, choice) for number, choice in enumerate(choices[:MAX_CHOICES], 1)]
    content: dict[str, Any] = {"head_content": _truncate("\n".join(head), MAX_HEAD), "list": items}
    if tail:
        content["tail_content"] = _truncate("\n".join(tail), MAX_HEAD)
    return {"msgtype": "msgmenu", "msgmenu": content}


def _choice(number: int, text: str) -> dict[str, Any]:
    shortened = _truncate(text, MAX_CHOICE)
    return {
        "type": "click",
        "click": {"id": str(number) if shortened == text else f"{CUT}{number}", "content": shortened},
    }


def link_message(link: Link, thumb_media_id: str) -> dict[str, Any]:
    """Create a link card; the platform requires a thumbnail."""
    card = {"title": _truncate(link.title, 128), "desc": _truncate(link.description, 512), "url": link.url}
    return {"msgtype": "link", "link": {**card, "thumb_media_id": thumb_media_id}}


def program_message(program: MiniProgram, thumb_media_id: str) -> dict[str, Any]:
    """Create a mini-program card."""
    page = {"appid": program.appid, "title": _truncate(program.title, 64), "pagepath": program.page_path}
    return {"msgtype": "miniprogram", "miniprogram": {**page, "thumb_media_id": thumb_media_id}}


def media_kind(media: Media) -> str:
    """Return the media type of a file, by its suffix and size."""
    suffix = media.name.rpartition(".")[2].lower()
    kind = {"png": "image", "jpg": "image", "jpeg": "image", "amr": "voice", "mp4": "video"}.get(suffix, "file")
    return kind if len(media.data) <= MAX_BYTES.get(kind, len(media.data)) else "file"


def _truncate(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")
