"""Handles the gateway's events: passes them on to be stored, follows logins, and updates the directory."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from protocol import puppet_pb2 as pb
from wechat import event_parser
from wechat.connection import Timing
from wechat.directory_updates import STALE_LISTS
from wechat.events import RawEvent
from wechat.interface import ScanState, State
from wechat.problems import Problem, Reason
from wechat.wire import Wire

if TYPE_CHECKING:
    from wechat.assistant import Assistant

log = logging.getLogger(__name__)

# By the status of Wechaty's scan event; after 1 (cancelled) and 5 (timed out) the code is no longer valid.
SCAN_STATES = {1: ScanState.EXPIRED, 3: ScanState.SCANNED, 4: ScanState.SCANNED, 5: ScanState.EXPIRED}


class GatewayEvents:
    """Receiver of the events of an account's connection."""

    def __init__(self, assistant: Assistant, timing: Timing) -> None:
        self._assistant = assistant
        self._timing = timing
        self._directory = assistant.directory
        self._puppet = assistant._puppet_client
        self._updates = assistant.directory_updates
        self._scanned = ""

    # ---- called by the connection ----

    def opened(self, wire: Wire) -> None:
        """The connection is open and events may arrive."""
        self._puppet.attach(wire)

    async def started(self) -> None:
        """The gateway has started the account. If it is logged in, the login event has arrived or will shortly."""
        await asyncio.sleep(self._timing.login_grace)
        if not self._puppet.login_user_id:
            await self._assistant.set_state(State.LOGGED_OUT, Reason(Problem.NOT_LOGGED_IN))

    async def closed(self, state: State, reason: Reason) -> None:
        """The connection is closed."""
        self._leave()
        self._puppet.detach()
        self._scanned = self._assistant.qr_code = ""  # the login code of a stopped gateway no longer works
        self._assistant.scan_state = ScanState.NONE
        await self._assistant.set_state(state, reason)

    async def received(self, number: int, payload: str, relay_number: int = 0) -> None:
        """Handle an event. Never raises, so that one invalid event does not stop the stream."""
        if not await self._process(number, payload, relay_number):
            self._assistant.relay.record_unstored(relay_number)

    async def _process(self, number: int, payload: str, relay_number: int) -> bool:
        """Process an event; return whether it was passed on to be stored."""
        kind = event_parser.STORED_KINDS.get(number) or event_parser.CONTROL.get(number) or "unknown"
        try:
            if number in event_parser.STORED_KINDS:
                raw = event_parser.raw_event(
                    self._assistant.account, kind, event_parser.parse(payload), datetime.now(UTC)
                )
                self._apply(raw)
                if raw.id not in self._assistant._sent_messages:
                    position = self._assistant.relay.position_of(relay_number)
                    await self._assistant.take(replace(raw, position=position) if position else raw)
                    return True
            elif kind in CONTROLS:
                data = {} if kind == "logout" else event_parser.parse(payload)  # its payload is irrelevant
                await CONTROLS[kind](self, data)
            elif number not in event_parser.CONTROL:
                log.warning("%s: ignored an event of unknown type %d", self._assistant.account, number)
        except event_parser.MalformedEvent as error:
            log.warning("%s: ignored an invalid %s event: %s", self._assistant.account, kind, error)
        except Exception as error:  # noqa: BLE001 - its text may contain message texts, so only its type is logged
            log.error("%s: %s event failed: %s", self._assistant.account, kind, type(error).__name__)  # noqa: TRY400
        return False

    # ---- immediate updates of the directory ----

    def _apply(self, raw: RawEvent) -> None:
        room_id = raw.data.get("roomId", "")
        if raw.kind in event_parser.PEOPLE_KEYS:
            people = event_parser.people_of(raw.data, event_parser.PEOPLE_KEYS[raw.kind])
            ids = [id for id in people if id in self._directory.contacts or event_parser.may_be_id(id)]
            if raw.kind == "room-join":
                in_time = self._directory.add_members(room_id, ids, raw.at)
                self._assistant.member_joined()
            else:
                in_time = room_id not in self._directory.rooms or self._directory.remove_members(room_id, ids, raw.at)
                if not ids or len(ids) < len(people):
                    self._directory.absences.record_unnamed(room_id)
            if not in_time or not ids or len(ids) < len(people):
                self._updates.read_again("late-room", room_id)
        elif raw.kind == "room-topic":
            self._directory.set_topic_of(room_id, raw.data["newTopic"])

    # ---- control events ----

    async def _login(self, data: dict[str, Any]) -> None:
        id = event_parser.text_of(data, "contactId")
        if id == self._puppet.login_user_id and self._updates.has_begun:
            return  # reported twice: when the stream opens and when the account starts
        self._leave()
        if self._directory.owner_id not in ("", id):
            log.warning("%s: another person logged in", self._assistant.account)
            self._updates.clear()
        self._directory.owner_id = self._assistant.contact_id = self._puppet.login_user_id = id
        self._scanned = self._assistant.qr_code = ""
        self._assistant.scan_state = ScanState.NONE
        self._updates.begin()

    async def _logout(self, data: dict[str, Any]) -> None:
        self._leave()
        await self._assistant.set_state(State.LOGGED_OUT, Reason(Problem.LOGGED_OUT))

    async def _ready(self, data: dict[str, Any]) -> None:
        self._updates.read_again(*STALE_LISTS)

    async def _dirty(self, data: dict[str, Any]) -> None:
        id = event_parser.text_of(data, "payloadId")
        kind = data.get("payloadType")
        if kind == pb.DIRTY_CONTACT and id in self._directory.contacts:
            self._updates.read_again("contact", id)
        elif kind in (pb.DIRTY_ROOM, pb.DIRTY_ROOM_MEMBER) and id in self._directory.rooms:
            self._assistant._resolver.forget(id)
            self._updates.read_again("room", id)

    async def _scan(self, data: dict[str, Any]) -> None:
        code = event_parser.text_or_empty(data, "qrcode")
        if code and code != self._scanned:
            self._scanned = code
            log.warning("%s: a login QR code is waiting to be scanned; the console shows it", self._assistant.account)
            await self._assistant.show_code(code)
        await self._assistant.set_scan_state(SCAN_STATES.get(data.get("status", 0), ScanState.WAITING))

    async def _error(self, data: dict[str, Any]) -> None:
        log.warning("%s: the gateway reports an error", self._assistant.account)
        log.debug("%s: error reported by the gateway: %.300s", self._assistant.account, data)

    def _leave(self) -> None:
        """Handle a logout or the loss of the connection."""
        self._updates.end()
        self._puppet.login_user_id = None


CONTROLS = {
    "login": GatewayEvents._login,
    "logout": GatewayEvents._logout,
    "ready": GatewayEvents._ready,
    "dirty": GatewayEvents._dirty,
    "scan": GatewayEvents._scan,
    "error": GatewayEvents._error,
}
