"""Rules of 微信客服: cursors, five messages within 48 hours, welcome codes, unique message ids."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

ALLOWED: Final = 5
WINDOW: Final = 172_800.0
HISTORY: Final = 259_200.0  # seconds; three days
CODE_SECONDS: Final = 20.0
MAX_TEXT: Final = 2048  # bytes
OK: Final[dict[str, Any]] = {"errcode": 0, "errmsg": "ok"}


def refused(code: int, text: str) -> dict[str, Any]:
    """Return a response with an error code."""
    return {"errcode": code, "errmsg": text}


@dataclass(slots=True)
class Customer:
    """A customer of the account, with the messages they have received."""

    id: str
    nickname: str
    heard_at: float = 0.0
    sent: int = 0  # messages to the customer since their last one
    state: int = 0  # session state: 0 new, 1 assistant, 2 queued, 3 with a person, 4 ended
    seen: list[dict[str, Any]] = field(default_factory=list)


class KfService:
    """A customer service account."""

    def __init__(self, open_kfid: str, clock: Callable[[], float] = time.time) -> None:
        self.open_kfid = open_kfid
        self.clock = clock
        self.customers: dict[str, Customer] = {}
        self.media: dict[str, tuple[str, bytes]] = {}
        self.empty_pages = 0  # number of next pages that are empty although more messages follow
        self._log: list[dict[str, Any]] = []
        self._ids: set[str] = set()
        self._codes: dict[str, tuple[str, float]] = {}

    # ---- actions of customers ----

    def customer(self, nickname: str) -> Customer:
        """Return the customer of this name, creating one if necessary."""
        for one in self.customers.values():
            if one.nickname == nickname:
                return one
        one = Customer(f"wm{secrets.token_hex(8)}", nickname)
        self.customers[one.id] = one
        return one

    def enter(self, nickname: str) -> str:
        """A customer opens the chat; return the welcome code."""
        who, code = self.customer(nickname), secrets.token_hex(8)
        self._codes[code] = who.id, self.clock() + CODE_SECONDS
        self._event(who, event_type="enter_session", scene="wxbot", welcome_code=code)
        return code

    def say(self, nickname: str, text: str) -> str:
        """A customer sends a text; return the message id."""
        return self.send(nickname, "text", {"content": text})

    def send(self, nickname: str, kind: str, content: dict[str, Any]) -> str:
        """A customer sends a message of any kind; return the message id."""
        who = self.customer(nickname)
        who.heard_at, who.sent, who.state = self.clock(), 0, 0 if who.state == 4 else who.state
        return self._put({"external_userid": who.id, "origin": 3, "msgtype": kind, kind: content})

    def fail(self, message_id: str, nickname: str, fail_type: int) -> None:
        """Report that a message was not delivered."""
        self._event(self.customer(nickname), event_type="msg_send_fail", fail_msgid=message_id, fail_type=fail_type)

    def _event(self, who: Customer, **event: Any) -> None:
        body = {"open_kfid": self.open_kfid, "external_userid": who.id, **event}
        self._put({"origin": 4, "msgtype": "event", "event": body})

    def _put(self, message: dict[str, Any]) -> str:
        id = secrets.token_hex(12)
        base = {"msgid": id, "open_kfid": self.open_kfid, "send_time": int(self.clock())}
        self._log.append({**base, **message})
        return id

    # ---- calls of the API ----

    def sync(self, body: dict[str, Any]) -> dict[str, Any]:
        """kf/sync_msg."""
        if body.get("open_kfid", self.open_kfid) != self.open_kfid:
            return refused(95000, "invalid open_kfid")
        cursor = str(body.get("cursor") or "")
        begin = int(cursor.removeprefix("c")) if cursor[1:].isdigit() else 0
        if self.empty_pages:
            self.empty_pages -= 1
            return {**OK, "next_cursor": f"c{begin}x{self.empty_pages}", "has_more": 1, "msg_list": []}
        begin = int(cursor[1:].partition("x")[0]) if "x" in cursor else begin
        end = min(begin + int(body.get("limit") or 1000), len(self._log))
        since = self.clock() - HISTORY
        page = [m for m in self._log[begin:end] if m["send_time"] >= since]
        return {**OK, "next_cursor": f"c{end}", "has_more": int(end < len(self._log)), "msg_list": page}

    def send_msg(self, body: dict[str, Any]) -> dict[str, Any]:
        """kf/send_msg."""
        who = self.customers.get(str(body.get("touser")))
        if body.get("open_kfid") != self.open_kfid:
            return refused(95000, "invalid open_kfid")
        if who is None:
            return refused(40003, "invalid external_userid")
        if who.state not in (0, 1):
            return refused(95018, "session state invalid")
        if who.heard_at < self.clock() - WINDOW:
            return refused(95002, "send msg time limit")
        if who.sent >= ALLOWED:
            return refused(95001, "send msg count limit")
        answer = self._take(who, body)
        who.sent += answer["errcode"] == 0
        return answer

    def send_on_event(self, body: dict[str, Any]) -> dict[str, Any]:
        """kf/send_msg_on_event: a code works once and for a limited time."""
        contact_id, until = self._codes.get(str(body.get("code")), ("", 0.0))
        if not contact_id or until < self.clock():
            return refused(40058, "invalid code")
        if body.get("msgtype") not in ("text", "msgmenu"):
            return refused(40008, "invalid msgtype")
        answer = self._take(self.customers[contact_id], body)
        if answer["errcode"] == 0:
            del self._codes[str(body["code"])]
        return answer

    def _take(self, who: Customer, body: dict[str, Any]) -> dict[str, Any]:
        id, kind = str(body.get("msgid") or secrets.token_hex(12)), str(body.get("msgtype"))
        content = body.get(kind)
        if len(id) > 32 or not isinstance(content, dict):
            return refused(40058, "invalid request parameter")
        if id in self._ids:
            return refused(95033, "msgid repeated")
        if len(str(content.get("content") or "").encode()) > MAX_TEXT:
            return refused(45002, "content size out of limit")
        if kind == "msgmenu" and len(content.get("list") or ()) > 10:
            return refused(95008, "too many menu items")
        self._ids.add(id)
        who.seen.append({"msgid": id, "msgtype": kind, kind: content, "at": self.clock()})
        return {**OK, "msgid": id}

    def batchget(self, body: dict[str, Any]) -> dict[str, Any]:
        """kf/customer/batchget."""
        wanted = [self.customers[id] for id in body.get("external_userid_list") or () if id in self.customers]
        listed = [{"external_userid": c.id, "nickname": c.nickname, "avatar": "", "gender": 0} for c in wanted]
        return {**OK, "customer_list": listed, "invalid_external_userid": []}
