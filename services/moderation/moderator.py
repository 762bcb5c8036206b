"""Detects offences in group messages: blocked words, foreign links, QR codes, cards, mini-programs, flooding."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from config.settings import GroupSettings
from config.texts import Texts
from errors import WeChatError
from models.groups import Qun
from services.accounts.registry import Accounts
from services.moderation.blocked_words import BlockedWords
from services.moderation.offences import FloodDetector, foreign_link, host_of, is_own
from services.moderation.pictures import QrReader
from services.moderation.sanctions import Sanctions
from wechat.events import GroupMessage, MessageKind

log = logging.getLogger(__name__)
SECONDS: Final = 10.0  # timeout for fetching an image or link; the group's later messages wait for it
UNCOUNTED: Final = (MessageKind.SYSTEM, MessageKind.RECALLED)
SPOKEN: Final = (MessageKind.TEXT, MessageKind.CHAT_HISTORY)  # where links are looked for in the text


class Offence(StrEnum):
    """Kinds of offences."""

    WORD = "word"
    LINK = "link"
    QR_CODE = "qr_code"
    CARD = "card"
    MINI_PROGRAM = "mini_program"
    FLOOD = "flood"


class Moderator:
    """Checks messages. Sanctions are in Sanctions."""

    def __init__(
        self,
        accounts: Accounts,
        sanctions: Sanctions,
        words: BlockedWords,
        settings: GroupSettings,
        texts: Texts,
        public_url: str,
    ) -> None:
        self._accounts = accounts
        self._sanctions = sanctions
        self._words = words
        self._block = settings.block
        self._texts = texts
        self._public_url = public_url
        self.configure(settings.own_hosts)
        self._flood = FloodDetector(settings.flood)
        self._qr = QrReader()

    def configure(self, own_hosts: Sequence[str]) -> None:
        """Replace the hosts that count as own ones."""
        self._own: Sequence[str] = [host for url in (self._public_url, *own_hosts) if (host := host_of(url))]

    async def offence(self, event: GroupMessage, qun: Qun) -> Offence | None:
        """Return the offence of a message, if any. Only images and link cards require calls to WeChat."""
        if event.kind in UNCOUNTED or self._sanctions.is_exempt(qun, event.contact_id):
            return None
        if self._flood.hit((event.account, event.room_id, event.contact_id), event.arrived_at, event.at.timestamp()):
            return Offence.FLOOD
        if offence := self._in_text(event.text, qun, links=event.kind in SPOKEN):
            return offence
        if event.kind is MessageKind.CARD and self._block.cards:
            return Offence.CARD
        if event.kind is MessageKind.MINI_PROGRAM and self._block.mini_programs:
            return Offence.MINI_PROGRAM
        if event.kind is MessageKind.IMAGE and self._block.qr_codes:
            return await self._in_picture(event)
        if event.kind is MessageKind.LINK and (self._block.links or self._words.filter(qun)):
            return await self._in_link(event, qun)
        return None

    async def close(self) -> None:
        """Stop the process that decodes images."""
        await self._qr.close()

    def reason(self, offence: Offence) -> str:
        """Return the reason as told to the offender."""
        return str(getattr(self._texts, f"offence_{offence}"))

    def _in_text(self, text: str, qun: Qun, *, links: bool) -> Offence | None:
        if self._words.filter(qun).hit(text) is not None:
            return Offence.WORD
        if links and self._block.links and foreign_link(text, self._own) is not None:
            return Offence.LINK
        return None

    async def _in_picture(self, event: GroupMessage) -> Offence | None:
        try:
            async with asyncio.timeout(SECONDS):
                # after a restart, events may be handled before the account is online
                await self._accounts.all_online(SECONDS, event.account)
                media = await self._accounts.get(event.account).image(event.id)
                codes = await self._qr.read(media.data)
        except (WeChatError, TimeoutError) as error:
            log.info("could not check picture %s: %s", event.id, type(error).__name__)
            return None
        return Offence.QR_CODE if any(not self._is_ours(code) for code in codes) else None

    async def _in_link(self, event: GroupMessage, qun: Qun) -> Offence | None:
        if event.target:  # the message says itself where it leads
            return Offence.LINK if self._block.links and not self._is_ours(event.target) else None
        try:
            async with asyncio.timeout(SECONDS):
                await self._accounts.all_online(SECONDS, event.account)
                link = await self._accounts.get(event.account).link(event.id)
        except (WeChatError, TimeoutError) as error:
            log.info("could not check link %s: %s", event.id, type(error).__name__)
            return None
        if any(self._words.filter(qun).hit(shown) for shown in (link.title, link.description)):
            return Offence.WORD
        return Offence.LINK if self._block.links and not self._is_ours(link.url) else None

    def _is_ours(self, url: str) -> bool:
        return is_own(host_of(url), self._own)
