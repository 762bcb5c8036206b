"""Parses events of the gateway's stream into RawEvents. Invalid events raise MalformedEvent only."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

from protocol import puppet_pb2 as pb
from protocol.codec import clean_json
from wechat.events import RawEvent

# EventTypes of the protocol that are stored, and those that control the connection.
STORED_KINDS: Final[dict[int, str]] = {
    pb.EVENT_MESSAGE: "message",
    pb.EVENT_FRIENDSHIP: "friendship",
    pb.EVENT_ROOM_INVITE: "room-invite",
    pb.EVENT_ROOM_JOIN: "room-join",
    pb.EVENT_ROOM_LEAVE: "room-leave",
    pb.EVENT_ROOM_TOPIC: "room-topic",
}
CONTROL: Final[dict[int, str]] = {
    pb.EVENT_HEARTBEAT: "heartbeat",
    pb.EVENT_DONG: "dong",
    pb.EVENT_POST: "post",
    pb.EVENT_ERROR: "error",
    pb.EVENT_SCAN: "scan",
    pb.EVENT_READY: "ready",
    pb.EVENT_RESET: "reset",
    pb.EVENT_LOGIN: "login",
    pb.EVENT_LOGOUT: "logout",
    pb.EVENT_DIRTY: "dirty",
}
ID_KEYS: Final = {"message": "messageId", "friendship": "friendshipId", "room-invite": "roomInvitationId"}
PEOPLE_KEYS: Final = {"room-join": "inviteeIdList", "room-leave": "removeeIdList"}
MAX_ID_LENGTH: Final = 400
_ID: Final = re.compile(r"[A-Za-z0-9_@.:+=/-]{2,}")
EARLIEST_TIME: Final = datetime(2010, 1, 1, tzinfo=UTC)  # before WeChat


class MalformedEvent(ValueError):
    """An invalid event. The message describes the error without the event's content."""


def parse(payload: str) -> dict[str, Any]:
    """Parse the event's JSON object."""
    try:
        data = json.loads(payload)
        if "\\u" in payload:
            data = clean_json(data)
    except (ValueError, RecursionError):
        raise MalformedEvent("no JSON") from None
    if not isinstance(data, dict):
        raise MalformedEvent(f"a JSON {type(data).__name__}")
    return data


def raw_event(account: str, kind: str, data: dict[str, Any], now: datetime) -> RawEvent:
    """Create a RawEvent with an id that is the same when the gateway repeats the event."""
    if key := ID_KEYS.get(kind):
        id = text_of(data, key)
        return RawEvent(account, id if kind == "message" else f"{kind}:{id}", kind, data, now)
    room_id, at = text_of(data, "roomId"), moment(data.get("timestamp"), now)
    changed = (
        people_of(data, PEOPLE_KEYS[kind]) if kind in PEOPLE_KEYS else (text_of(data, "newTopic", allow_empty=True),)
    )
    mark = blake2b("\0".join(sorted(changed)).encode(), digest_size=8).hexdigest()
    return RawEvent(account, f"{kind}:{room_id}:{mark}:{int(at.timestamp() * 1000)}", kind, data, at)


def text_of(data: dict[str, Any], key: str, *, allow_empty: bool = False) -> str:
    """Return the string under `key`; raise MalformedEvent."""
    value = data.get(key)
    if not isinstance(value, str) or not (value or allow_empty) or len(value) > MAX_ID_LENGTH:
        raise MalformedEvent(f"no usable {key}")
    return value


def text_or_empty(data: dict[str, Any], key: str) -> str:
    """Return the string under `key`, or "" if it is missing or not a string."""
    value = data.get(key)
    return value if isinstance(value, str) else ""


def people_of(data: dict[str, Any], key: str) -> tuple[str, ...]:
    """Return the ids under `key`, each once. Some gateways omit people, and some send their names."""
    value = data.get(key)
    if not isinstance(value, list):
        return ()
    return tuple(dict.fromkeys(id for id in value if isinstance(id, str) and 0 < len(id) <= MAX_ID_LENGTH))


def may_be_id(text: str) -> bool:
    """Whether this can be a WeChat id; names may look like one too."""
    return _ID.fullmatch(text) is not None


def moment(value: Any, now: datetime) -> datetime:
    """Parse a timestamp in seconds or milliseconds; return `now` if it is missing or implausible."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e14:
        return now
    at = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    return at if EARLIEST_TIME < at < now + timedelta(days=1) else now
