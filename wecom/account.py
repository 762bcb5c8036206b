"""A customer service account of 企业微信, with the interface of wechat.interface.WeChat."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from config.settings import AssistantSettings
from errors import WeChatError, WeChatTooFast, WeChatUnknown
from protocol.wecom_crypto import CallbackCrypto
from wechat.directory import CachedDirectory
from wechat.entities import Contact, Link, Media, MiniProgram
from wechat.events import Event, MessageFailed, RawEvent
from wechat.interface import Capability, Directory, Listener, ScanState, State
from wechat.problems import Problem, Reason
from wecom import codes, kf_messages
from wecom.api import ApiRefused, NotAdmitted, WecomApi
from wecom.callbacks import Callbacks
from wecom.capabilities import capabilities_of
from wecom.group_calls import CustomerGroupCalls
from wecom.group_tasks import GroupTasks
from wecom.groups import CustomerGroups
from wecom.kf import KfSender, job_of
from wecom.message_reader import MessageReader
from wecom.received_content import ReceivedContent
from wecom.storage import Storage
from wecom.unsupported import UnsupportedCalls

log = logging.getLogger(__name__)
POLL: Final = 60.0  # seconds between polls without a callback
# The same after the start: callbacks that came before the web server was listening are lost.
FIRST_POLLS: Final = (2.0, 5.0, 15.0)
WAITS: Final = (1.0, 2.0, 5.0, 15.0, 30.0)  # seconds between attempts while the API is unreachable
RATE_WAITS: Final = (5.0, 15.0, 60.0)  # the same after a rate limit error; limits are per minute and per hour (90454)
EXTERNAL: Final = ("wm", "wo")  # prefix of the ids of people outside the corp


class WecomAccount(CustomerGroupCalls, ReceivedContent, UnsupportedCalls):
    """An account. `start` returns at once; it reads messages at each callback and once a minute."""

    def __init__(
        self,
        settings: AssistantSettings,
        listener: Listener,
        storage: Storage,
        clock: Callable[[], float] = time.time,
        transcribes: Callable[[], bool] = lambda: False,
        may_call: Callable[[], bool] = lambda: True,
    ) -> None:
        self.account = settings.account
        self.capabilities = capabilities_of(settings)
        self._directory = CachedDirectory()
        self.directory: Directory = self._directory
        self.qr_code = ""
        self.scan_state = ScanState.NONE
        self._open_kfid = settings.open_kfid
        self._listener = listener
        self._storage = storage
        self._clock = clock
        self._state = State.CONNECTING
        self._reason: Reason | None = None
        self._api = WecomApi(settings.api_url, settings.corp_id, settings.secret, storage, clock, may_call)
        self._reader = MessageReader(self.account, settings.open_kfid, self._api, storage, clock, transcribes)
        self._kf = KfSender(self._api, storage, settings.open_kfid, clock)
        self._groups = CustomerGroups(self._api, storage, self._directory, settings.groups, self._groups_changed)
        self._tasks = GroupTasks(self._api, storage, self._directory, settings.agent, clock)
        crypto = CallbackCrypto(settings.callback.token, settings.callback.aes_key, settings.corp_id)
        self._callbacks = Callbacks(crypto, lambda: (clock(), self._api.platform_clock.now or clock()))
        self._callback_received = asyncio.Event()
        self._running: list[asyncio.Task[None]] = []

    @property
    def state(self) -> State:
        """The state of the connection to the API."""
        return self._state

    @property
    def reason(self) -> Reason | None:
        """Why the account is not online; None if it is."""
        return self._reason

    @property
    def self_id(self) -> str:
        """The account's open_kfid."""
        return self._open_kfid

    @property
    def gateway_time(self) -> float | None:
        """The time of the platform's clock in Unix seconds."""
        return self._api.platform_clock.now

    async def start(self) -> None:
        """Start reading; the listener is called on changes."""
        self._directory.owner_id = self._open_kfid
        self._running = [asyncio.create_task(self._run())]
        if Capability.JOIN_BY_CODE in self.capabilities:
            self._running.append(asyncio.create_task(self._groups.run()))

    def disconnect(self) -> None:
        """Close the connections now: running calls fail."""
        self._api.disconnect()

    async def stop(self) -> None:
        """Stop reading. Unread messages are read after the next start."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._api.close()
        await self._set_state(State.CONNECTING, Reason(Problem.STOPPED))

    # ---- callbacks ----

    def echo(self, signature: str, timestamp: str, nonce: str, echo: str) -> bytes:
        """Return the response to the platform's verification of the callback URL; raise BadCallback."""
        return self._callbacks.echo(signature, timestamp, nonce, echo)

    def receive_callback(self, signature: str, timestamp: str, nonce: str, body: bytes) -> None:
        """Process a callback and start reading the messages it announces; raise BadCallback. Repeats have no effect."""
        event = self._callbacks.read(signature, timestamp, nonce, body)
        if event is None:
            return
        if event.findtext("Event") == "kf_msg_or_event" and event.findtext("OpenKfId") in (self._open_kfid, None):
            self._reader.use_token(event.findtext("Token") or "")
            self._callback_received.set()
        elif event.findtext("Event") == "change_external_chat" and Capability.JOIN_BY_CODE in self.capabilities:
            self._groups.changed(event.findtext("ChatId") or "")

    # ---- reading ----

    async def _run(self) -> None:
        failures = 0
        first = iter(FIRST_POLLS)
        while True:
            self._callback_received.clear()
            try:
                await self._reader.read()
                await self._set_state(State.ONLINE)
                failures = 0
            except WeChatTooFast as error:
                await self._slow_down(error, failures)
                failures += 1
                continue
            except WeChatError as error:
                await self._report(error, failures)
                failures += 1
            except Exception:
                log.exception("%s: could not read messages", self.account)
                failures += 1
            wait = WAITS[min(failures, len(WAITS)) - 1] if failures else next(first, POLL)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._callback_received.wait()

    async def _slow_down(self, error: WeChatTooFast, failures: int) -> None:
        """Wait after a rate limit error, even if callbacks arrive. An online account stays online."""
        log.warning("%s: reading is too fast: %s", self.account, error)
        if self._state is not State.ONLINE:
            await self._set_state(State.CONNECTING, Reason(Problem.API_DOWN, str(error)))
        await asyncio.sleep(RATE_WAITS[min(failures, len(RATE_WAITS) - 1)])

    async def _report(self, error: WeChatError, failures: int) -> None:
        """Set the state after reading has failed. A single lost response of an online account is not reported."""
        if isinstance(error, NotAdmitted):
            await self._set_state(State.REFUSED, error.reason)
        elif isinstance(error, ApiRefused) and error.code in codes.ACCOUNT_REFUSED:
            await self._set_state(State.REFUSED, Reason(Problem.ACCOUNT_REFUSED, error.text))
        elif failures or self._state is not State.ONLINE or not isinstance(error, WeChatUnknown):
            await self._set_state(State.CONNECTING, Reason(Problem.API_DOWN, str(error)))

    async def resolve(self, raw: RawEvent, on_conversation: Callable[[str], None] = lambda _id: None) -> Event | None:
        """Resolve a message, with the customer's name."""
        contact_id = kf_messages.customer_of(raw.data)
        if not contact_id:
            return None
        on_conversation(contact_id)
        is_new = contact_id not in self.directory.contacts
        try:
            name = (await self.contact(contact_id)).name
        except NotAdmitted:
            raise
        except WeChatError as error:
            log.info("%s: could not read the name of a customer: %s", self.account, error)
            name = ""
        event = kf_messages.event_of(raw, name, is_new=is_new)
        if isinstance(event, MessageFailed):
            number = job_of(event.message_id)
            return MessageFailed(event.account, event.id, event.at, contact_id, str(number or ""), event.reason)
        return event

    def begin(self, epoch: int, position: str) -> None:
        """Do nothing: reading resumes at the cursor."""

    def acknowledge(self, position: str) -> None:
        """Do nothing: the cursor is stored with the events."""

    async def _set_state(self, state: State, reason: Reason | None = None) -> None:
        if (state, reason) == (self._state, self._reason):
            return
        self._state, self._reason = state, reason
        log.info("%s: %s%s", self.account, state.value, f" ({reason})" if reason else "")
        try:
            await self._listener.state_changed(self.account, state, str(reason or ""))
            if state is State.ONLINE:
                await self._listener.synced(self.account, datetime.now(UTC), ())
        except Exception:
            log.exception("%s: the listener failed on a state change", self.account)

    async def _groups_changed(self, changed: Sequence[str]) -> None:
        if self._state is State.ONLINE:
            await self._listener.synced(self.account, datetime.now(UTC), changed)

    # ---- contacts ----

    async def contact(self, contact_id: str, *, fresh: bool = False) -> Contact:
        """Return a customer; `fresh`: read it from the API."""
        contact = self.directory.contacts.get(contact_id)
        if contact is not None and not fresh:
            return contact
        answer = await self._api.call("kf/customer/batchget", {"external_userid_list": [contact_id]})
        fields: dict[str, Any] = next(iter(answer.get("customer_list") or ()), {})
        customer = Contact(contact_id, str(fields.get("nickname") or ""), friend=True)
        customer.avatar = str(fields.get("avatar") or "")
        self._directory.put_contact(customer)
        return customer

    async def search_contacts(self, name: str) -> None:
        """Read a customer by id (wm…); staff are found by the groups they are in."""
        if name.startswith("wm"):
            await self.contact(name, fresh=True)
        else:
            await self._groups.read_new()

    async def self_qr_code(self) -> str:
        """Return the URL by which customers contact the account, for a QR code."""
        answer = await self._api.call("kf/add_contact_way", {"open_kfid": self._open_kfid, "scene": "wxbot"})
        return str(answer.get("url") or "")

    # ---- sending ----

    async def send_text(
        self, to: str, text: str, mentions: Sequence[str] = (), *, choices: Sequence[str] = (), key: str = ""
    ) -> str:
        """Send a text to a customer, a group or a member of staff; return the message id."""
        if to in self._groups:
            return await self._tasks.to_group(to, {"text": {"content": text}}, key)
        if self._is_staff(to):
            return await self._tasks.to_staff(to, text)
        return await self._kf.text(to, text, choices, key)

    async def send_media(self, to: str, media: Media, *, key: str = "") -> str:
        """Send an image or file to a customer or a group."""
        if to in self._groups:
            kind = kf_messages.media_kind(media)
            kind = kind if kind in ("image", "video") else "file"
            attachment = {"msgtype": kind, kind: {"media_id": await self._api.upload(kind, media)}}
            return await self._tasks.to_group(to, {"attachments": [attachment]}, key)
        return await self._kf.media(to, media, key)

    async def send_link(self, to: str, link: Link, *, key: str = "") -> str:
        """Send a link card to a customer or a group."""
        if to in self._groups:
            card = {"title": link.title, "desc": link.description, "url": link.url, "picurl": link.thumbnail}
            return await self._tasks.to_group(to, {"attachments": [{"msgtype": "link", "link": card}]}, key)
        return await self._kf.link(to, link, key)

    async def send_mini_program(self, to: str, program: MiniProgram, *, key: str = "") -> str:
        """Send a mini-program card."""
        return await self._kf.program(to, program, key)

    async def messages_left(self, to: str, key: str) -> int | None:
        """Return how many messages a customer may be sent before they write again; None for groups and staff."""
        return None if to in self._groups or self._is_staff(to) else await self._kf.remaining(to, key)

    async def hand_over(self, contact_id: str) -> None:
        """Put a customer into the queue of the account's staff."""
        await self._kf.hand_over(contact_id)

    async def end_session(self, contact_id: str) -> None:
        """End a customer's session."""
        await self._kf.end_session(contact_id)

    def _is_staff(self, id: str) -> bool:
        """Whether an id is that of a staff member; ids of people outside the corp begin with wm or wo."""
        return id in self.directory.contacts and not id.startswith(EXTERNAL) and id != self._open_kfid
