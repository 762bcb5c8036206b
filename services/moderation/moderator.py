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
SECONDS: Final = 15.0  # that a picture or a link may take to be fetched
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

    def offence(self, event: GroupMessage, qun: Qun) -> Offence | None:
        """Return the offence of a message, as far as it can be seen without fetching anything."""
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
        if event.kind is MessageKind.LINK and event.target:  # the message says itself where it leads
            return Offence.LINK if self._block.links and not self._is_ours(event.target) else None
        return None

    def needs_check(self, event: GroupMessage, qun: Qun) -> bool:
        """Whether more has to be fetched to judge a message that `offence` has nothing against."""
        if event.kind in UNCOUNTED or self._sanctions.is_exempt(qun, event.contact_id):
            return False
        if event.kind is MessageKind.IMAGE:
            return self._block.qr_codes
        is_hidden = event.kind is MessageKind.LINK and not event.target
        return is_hidden and (self._block.links or bool(self._words.filter(qun)))

    async def look(self, account: str, message_id: str, kind: str, qun: Qun) -> Offence | None:
        """Fetch a picture or a link card, and judge it; what cannot be fetched in time passes."""
        wechat = self._accounts.get(account)
        try:
            async with asyncio.timeout(SECONDS):
                if kind == MessageKind.IMAGE:
                    codes = await self._qr.read((await wechat.image(message_id)).data)
                    return Offence.QR_CODE if any(not self._is_ours(code) for code in codes) else None
                link = await wechat.link(message_id)
        except (WeChatError, TimeoutError) as error:
            log.info("%s %s could not be looked at: %s", kind, message_id, type(error).__name__)
            return None
        if any(self._words.filter(qun).hit(shown) for shown in (link.title, link.description)):
            return Offence.WORD
        return Offence.LINK if self._block.links and not self._is_ours(link.url) else None

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

    def _is_ours(self, url: str) -> bool:
        return is_own(host_of(url), self._own)
