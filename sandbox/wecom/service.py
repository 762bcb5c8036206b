"""Rules of 微信客服: cursors, five messages within 48 hours, welcome codes, unique message ids."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from sandbox.wecom.answers import OK, refused
from sandbox.wecom.media import MediaFiles

ALLOWED: Final = 5
WINDOW: Final = 172_800.0
HISTORY: Final = 259_200.0  # seconds; three days
CODE_SECONDS: Final = 20.0
MAX_TEXT: Final = 2048  # bytes
QUEUE_SECONDS: Final = WINDOW  # validity of the code for who waits in the queue
MAX_CHOICE: Final = 128  # bytes
MSGID: Final = re.compile(r"[0-9a-zA-Z_-]{1,32}")


class SessionState(IntEnum):
    """States of a session."""

    NEW = 0
    ASSISTANT = 1
    QUEUED = 2
    WITH_STAFF = 3
    ENDED = 4


_CHANGES: Final = {  # by state: the states the API may change it to
    SessionState.NEW: {1, 2, 3, 4},
    SessionState.ASSISTANT: {2, 3, 4},
    SessionState.QUEUED: {3, 4},
    SessionState.WITH_STAFF: {3, 4},
    SessionState.ENDED: set(),
}


@dataclass(frozen=True, slots=True)
class EventCode:
    """A code that sends one message. `state`: the session must be in it still; None = any."""

    contact_id: str
    until: float
    kinds: tuple[str, ...] = ("text", "msgmenu")
    state: SessionState | None = None


@dataclass(slots=True)
class Customer:
    """A customer of the account, with the messages they have received."""

    id: str
    nickname: str
    heard_at: float = 0.0
    sent: int = 0  # messages to the customer since their last one
    state: SessionState = SessionState.NEW
    staff: str = ""  # the userid of the staff member who serves them
    seen: list[dict[str, Any]] = field(default_factory=list)


class KfService:
    """A customer service account."""

    def __init__(self, open_kfid: str, clock: Callable[[], float] = time.time) -> None:
        self.open_kfid = open_kfid
        self.clock = clock
        self.customers: dict[str, Customer] = {}
        self.media = MediaFiles(clock)
        self.on_shown: Callable[[Customer, dict[str, Any]], None] = lambda _customer, _message: None
        self.has_staff = True  # whether anybody serves the queue
        self.voice_format = 0  # of the last kf/sync_msg
        self.empty_pages = 0  # number of next pages that are empty although more messages follow
        self._log: list[dict[str, Any]] = []
        self._ids: set[str] = set()
        self._codes: dict[str, EventCode] = {}

    # ---- actions of customers ----

    def customer(self, nickname: str) -> Customer:
        """Return the customer of this name, creating one if necessary."""
        for customer in self.customers.values():
            if customer.nickname == nickname:
                return customer
        customer = Customer(f"wm{secrets.token_hex(8)}", nickname)
        self.customers[customer.id] = customer
        return customer

    @property
    def written(self) -> int:
        """The number of messages and events so far."""
        return len(self._log)

    def enter(self, nickname: str) -> str:
        """A customer opens the chat; return the welcome code."""
        customer = self.customer(nickname)
        code = self._code(customer, CODE_SECONDS)
        self._event(customer, event_type="enter_session", scene="wxbot", welcome_code=code)
        return code

    def say(self, nickname: str, text: str) -> str:
        """A customer sends a text; return the message id."""
        return self.send(nickname, "text", {"content": text})

    def send(self, nickname: str, kind: str, content: dict[str, Any]) -> str:
        """A customer sends a message of any kind; return the message id."""
        customer = self.customer(nickname)
        customer.heard_at, customer.sent = self.clock(), 0
        if customer.state is SessionState.ENDED:
            customer.state = SessionState.NEW
        return self._put({"external_userid": customer.id, "origin": 3, "msgtype": kind, kind: content})

    def fail(self, message_id: str, nickname: str, fail_type: int) -> None:
        """Report that a message was not delivered."""
        self._event(self.customer(nickname), event_type="msg_send_fail", fail_msgid=message_id, fail_type=fail_type)

    def tap(self, nickname: str, number: int) -> str:
        """A customer taps a choice of the last menu; return the message id."""
        menu = next(
            message["msgmenu"] for message in reversed(self.customer(nickname).seen) if message["msgtype"] == "msgmenu"
        )
        click = menu["list"][number - 1]["click"]
        return self.send(nickname, "text", {"content": click["content"], "menu_id": click["id"]})

    # ---- actions of staff in their own client ----

    def take(self, nickname: str, userid: str) -> None:
        """A member of staff takes a customer from the queue."""
        customer = self.customer(nickname)
        customer.state, customer.staff = SessionState.WITH_STAFF, userid
        self._event(customer, event_type="session_status_change", change_type=1, new_servicer_userid=userid)

    def answer(self, nickname: str, text: str) -> str:
        """The member of staff who serves a customer writes to them; return the message id."""
        return self.answer_with(nickname, "text", {"content": text})

    def answer_with(self, nickname: str, kind: str, content: dict[str, Any]) -> str:
        """The member of staff who serves a customer sends a message of any kind; return the message id."""
        customer = self.customer(nickname)
        self._show(customer, {"msgid": "", "msgtype": kind, kind: content, "at": self.clock()})
        base = {"external_userid": customer.id, "servicer_userid": customer.staff, "origin": 5}
        return self._put({**base, "msgtype": kind, kind: content})

    def finish(self, nickname: str) -> None:
        """The member of staff ends the session."""
        customer = self.customer(nickname)
        code = self._end(customer)
        self._event(
            customer,
            event_type="session_status_change",
            change_type=3,
            old_servicer_userid=customer.staff,
            msg_code=code,
        )

    def _end(self, customer: Customer) -> str:
        customer.state = SessionState.ENDED
        return self._code(customer, CODE_SECONDS, state=SessionState.ENDED)

    def _code(self, customer: Customer, seconds: float, **fields: Any) -> str:
        code = secrets.token_hex(8)
        self._codes[code] = EventCode(customer.id, self.clock() + seconds, **fields)
        return code

    def _show(self, customer: Customer, message: dict[str, Any]) -> None:
        customer.seen.append(message)
        self.on_shown(customer, message)

    def _event(self, customer: Customer, **event: Any) -> None:
        body = {"open_kfid": self.open_kfid, "external_userid": customer.id, **event}
        self._put({"origin": 4, "msgtype": "event", "event": body})

    def _put(self, message: dict[str, Any]) -> str:
        id = secrets.token_hex(12)
        base = {"msgid": id, "open_kfid": self.open_kfid, "send_time": int(self.clock())}
        self._log.append({**base, **message})
        return id

    # ---- calls of the API ----

    def sync(self, body: dict[str, Any]) -> dict[str, Any]:
        """kf/sync_msg."""
        self.voice_format = int(body.get("voice_format") or 0)
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
        customer = self.customers.get(str(body.get("touser")))
        if body.get("open_kfid") != self.open_kfid:
            return refused(95000, "invalid open_kfid")
        if customer is None:
            return refused(40003, "invalid external_userid")
        if customer.state not in (SessionState.NEW, SessionState.ASSISTANT):
            return refused(95018, "session state invalid")
        if customer.heard_at < self.clock() - WINDOW:
            return refused(95002, "send msg time limit")
        if customer.sent >= ALLOWED:
            return refused(95001, "send msg count limit")
        answer = self._take(customer, body)
        customer.sent += answer["errcode"] == 0
        return answer

    def send_on_event(self, body: dict[str, Any]) -> dict[str, Any]:
        """kf/send_msg_on_event: a code works once and for a limited time."""
        code = self._codes.get(str(body.get("code")))
        if code is None or code.until < self.clock():
            return refused(40058, "invalid code")
        customer = self.customers[code.contact_id]
        if code.state is not None and customer.state is not code.state:
            return refused(95018, "session state invalid")
        if body.get("msgtype") not in code.kinds:
            return refused(40008, "invalid msgtype")
        answer = self._take(customer, body)
        if answer["errcode"] == 0:
            del self._codes[str(body["code"])]
        return answer

    def service_state(self, body: dict[str, Any]) -> dict[str, Any]:
        """kf/service_state/get."""
        customer = self.customers.get(str(body.get("external_userid")))
        if customer is None:
            return refused(40003, "invalid external_userid")
        serving = {"servicer_userid": customer.staff} if customer.state is SessionState.WITH_STAFF else {}
        return {**OK, "service_state": int(customer.state), **serving}

    def change_state(self, body: dict[str, Any]) -> dict[str, Any]:
        """kf/service_state/trans."""
        customer = self.customers.get(str(body.get("external_userid")))
        if customer is None:
            return refused(40003, "invalid external_userid")
        new_state = body.get("service_state")
        if new_state not in _CHANGES[customer.state]:
            return refused(95016, "not allow to change session state")
        if new_state == SessionState.QUEUED and not self.has_staff:
            return refused(95014, "no servicer")
        if new_state == SessionState.ENDED:
            return {**OK, "msg_code": self._end(customer)}
        customer.state = SessionState(new_state)
        if new_state == SessionState.QUEUED:
            return {**OK, "msg_code": self._code(customer, QUEUE_SECONDS, kinds=("text",), state=SessionState.QUEUED)}
        customer.staff = str(body.get("servicer_userid") or "")
        return dict(OK)

    def _take(self, customer: Customer, body: dict[str, Any]) -> dict[str, Any]:
        id, kind = str(body.get("msgid") or secrets.token_hex(12)), str(body.get("msgtype"))
        content = body.get(kind)
        if not MSGID.fullmatch(id) or not isinstance(content, dict):
            return refused(40058, "invalid request parameter")
        if id in self._ids:
            return refused(95033, "msgid repeated")
        if len(str(content.get("content") or "").encode()) > MAX_TEXT:
            return refused(45002, "content size out of limit")
        if kind == "msgmenu" and len(content.get("list") or ()) > 10:
            return refused(95008, "too many menu items")
        choices = [item.get("click") or {} for item in content.get("list") or ()]
        if any(not 0 < len(str(click.get("content") or "").encode()) <= MAX_CHOICE for click in choices):
            return refused(40058, "invalid request parameter")
        if "media_id" in content and self.media.get(str(content["media_id"])) is None:
            return refused(40007, "invalid media_id")
        self._ids.add(id)
        self._show(customer, {"msgid": id, "msgtype": kind, kind: content, "at": self.clock()})
        return {**OK, "msgid": id}

    def batchget(self, body: dict[str, Any]) -> dict[str, Any]:
        """kf/customer/batchget."""
        customers = [self.customers[id] for id in body.get("external_userid_list") or () if id in self.customers]
        customer_list = [
            {"external_userid": c.id, "nickname": c.nickname, "avatar": "", "gender": 0} for c in customers
        ]
        return {**OK, "customer_list": customer_list, "invalid_external_userid": []}
