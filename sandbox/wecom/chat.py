"""The chat page for the stand-in: people of a simulated WeChat are the customers of a customer service account."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import aiohttp

from sandbox.wecom.server import WecomServer
from sandbox.wecom.service import Customer
from sandbox.world.model import MEDIA_KINDS, ChatMessage, Kind, Refused
from sandbox.world.people import RECEIVE
from sandbox.world.world import World

log = logging.getLogger(__name__)
KINDS: Final = {Kind.IMAGE: "image", Kind.FILE: "file", Kind.AUDIO: "voice", Kind.VIDEO: "video"}
CARDS: Final = {  # by kind, the API's name of it, and its fields with those of the world
    Kind.LINK: ("link", {"title": "title", "desc": "description", "url": "url"}),
    Kind.LOCATION: ("location", {name: name for name in ("name", "address", "latitude", "longitude")}),
    Kind.MINI_PROGRAM: ("miniprogram", {"title": "title", "appid": "appid"}),
}
KIND_NUMBERS: Final = {kind: number for number, kind in KINDS.items()}


class ServiceChat:
    """Passes messages between the people of a world and the stand-in, and calls the bot back at `callback_url`."""

    def __init__(self, world: World, account: str, server: WecomServer, callback_url: str) -> None:
        self._world = world
        self._account = account
        self._server = server
        self._callback_url = callback_url
        self._assistant_id = world.accounts.person(account).id
        self._customers: dict[str, str] = {}  # world id by external_userid
        self._calls: set[asyncio.Task[None]] = set()
        self._leave: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Start passing messages."""
        self._server.service.on_shown = self._show
        self._leave = self._world.accounts.subscribe(self._account, self._on_event)

    async def stop(self) -> None:
        """Stop passing messages."""
        self._leave()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def call_back(self) -> None:
        """Notify the bot of new messages; if it is not running, it reads them later."""
        call = asyncio.create_task(self._call_back())
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call_back(self) -> None:
        try:
            await self._server.call_back(self._callback_url)
        except aiohttp.ClientError as error:
            log.info("the bot did not accept the callback: %s", type(error).__name__)

    # ---- from people to the bot ----

    def _on_event(self, event: str, payload: dict[str, Any], _delay: float) -> None:
        if event == "friendship":  # a customer opens the chat by a QR code; no acceptance is needed
            friendship = self._world.people.seen_by(self._assistant_id, payload["friendshipId"])
            if friendship.type == RECEIVE:
                self._world.people.accept(self._assistant_id, friendship.id)
                self._enter(friendship.asker)
                self.call_back()
        elif event == "message":
            message = self._world.chats.by_wire_id(self._account, payload["messageId"])
            if message.sender != self._assistant_id and not message.in_room:
                self._on_message(message)

    def _enter(self, person: str) -> str:
        """Let a person open the chat, once; return their name."""
        service, name = self._server.service, self._world.people.get(person).name
        if person not in self._customers.values():
            self._customers[service.customer(name).id] = person
            service.enter(name)
        return name

    def _on_message(self, message: ChatMessage) -> None:
        service, name = self._server.service, self._enter(message.sender)
        if message.kind is Kind.TEXT and (number := _chosen(service.customer(name), message.text)):
            service.tap(name, number)
        elif message.kind in KINDS:
            media = self._world.state.media[message.media]
            media_id = service.media.store(media.name, media.data)
            service.send(name, KINDS[message.kind], {"media_id": media_id})
        elif message.kind in CARDS:
            kind, fields = CARDS[message.kind]
            service.send(
                name, kind, {wecom_field: message.data.get(field, "") for wecom_field, field in fields.items()}
            )
        else:
            service.say(name, message.text or f"[{message.kind}]")
        self.call_back()

    # ---- from the bot and from staff to people ----

    def _show(self, customer: Customer, message: dict[str, Any]) -> None:
        person = self._customers.get(customer.id)
        if person is None:
            return
        kind, chats = message["msgtype"], self._world.chats
        content = message[kind]
        try:
            if KIND_NUMBERS.get(kind) in MEDIA_KINDS:
                name, data = self._server.service.media.get(content["media_id"]) or ("", b"")
                chats.send_media(self._assistant_id, person, KIND_NUMBERS[kind], name, data)
            elif kind in ("link", "miniprogram"):
                card = {"title": content.get("title", ""), "url": content.get("url", "")}
                chats.send_data(self._assistant_id, person, Kind.LINK, {**card, "description": content.get("desc", "")})
            elif kind == "msgmenu":
                self._show_menu(person, content)
            else:
                chats.say(self._assistant_id, person, content["content"])
        except Refused as error:
            log.warning("a message could not be shown: %s", error)

    def _show_menu(self, person: str, menu: dict[str, Any]) -> None:
        choices = [item["click"]["content"] for item in menu["list"]]
        data = {"choices": choices, "tail": menu.get("tail_content", "")}
        self._world.chats.post(Kind.TEXT, self._assistant_id, person, text=menu.get("head_content", ""), data=data)


def _chosen(customer: Customer, text: str) -> int:
    """Return the number of the menu choice that a text is, by number or wording; 0 if no menu was just shown."""
    last = customer.seen[-1] if customer.seen else {}
    menu = last["msgmenu"]["list"] if last.get("msgtype") == "msgmenu" else []
    for number, choice in enumerate(menu, 1):
        if text.strip() in (str(number), choice["click"]["content"]):
            return number
    return 0
