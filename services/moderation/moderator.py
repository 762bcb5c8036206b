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
from services.moderation.quotes import Quotes
from services.moderation.sanctions import Sanctions
from wechat.events import GroupMessage, MessageKind
from wechat.interface import WeChat

log = logging.getLogger(__name__)
SECONDS: Final = 15.0  # seconds for fetching a picture or a link
MAX_CHECKED: Final = 50_000  # characters of a text; WeChat allows fewer
PICTURES: Final = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff")
UNCOUNTED: Final = (MessageKind.SYSTEM, MessageKind.RECALLED)
TEXT_KINDS: Final = (MessageKind.TEXT, MessageKind.CHAT_HISTORY)  # where links are looked for in the text


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
        self._quotes = Quotes(accounts)

    def configure(self, own_hosts: Sequence[str]) -> None:
        """Replace the hosts that count as own ones."""
        self._own_hosts: Sequence[str] = [host for url in (self._public_url, *own_hosts) if (host := host_of(url))]

    def offence(self, event: GroupMessage, qun: Qun) -> Offence | None:
        """Return the offence of a message, as far as it can be seen without fetching anything."""
        if _is_uncounted(event):
            return None
        offending = self._in_text(event, qun)
        if offending is not None:
            self._quotes.remember(event)
        if self._sanctions.is_exempt(qun, event.contact_id):
            return None
        if self._flood.detect((event.account, event.room_id, event.contact_id), event.arrived_at, event.at.timestamp()):
            return Offence.FLOOD
        if offending is not None:
            return offending
        if event.kind is MessageKind.CARD and self._block.cards:
            return Offence.CARD
        if event.kind is MessageKind.MINI_PROGRAM and self._block.mini_programs:
            return Offence.MINI_PROGRAM
        if event.kind is MessageKind.LINK and event.target:  # the message itself contains its target
            return Offence.LINK if self._block.links and not self._is_ours(event.target) else None
        return None

    def needs_check(self, event: GroupMessage, qun: Qun) -> bool:
        """Whether content has to be fetched to check a message in which `offence` found nothing."""
        if _is_uncounted(event) or self._sanctions.is_exempt(qun, event.contact_id):
            return False
        if event.kind in (MessageKind.IMAGE, MessageKind.EMOTICON):
            return self._block.qr_codes
        has_words = bool(self._words.filter(qun))
        if event.kind is MessageKind.FILE:
            return (self._block.qr_codes and _may_be_picture(event.file_name)) or (has_words and not event.file_name)
        if event.kind in (MessageKind.LOCATION, MessageKind.MINI_PROGRAM):
            return has_words and not event.text
        return event.kind is MessageKind.LINK and not event.target and (self._block.links or has_words)

    async def check_content(self, account: str, message_id: str, kind: str, qun: Qun) -> Offence | None:
        """Fetch a picture, file or card, and check it; content that cannot be fetched in time is allowed."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self._fetch_and_check(self._accounts.get(account), message_id, kind, qun)
        except (WeChatError, TimeoutError) as error:
            log.info("%s %s could not be checked: %s", kind, message_id, type(error).__name__)
            return None

    async def _fetch_and_check(self, wechat: WeChat, message_id: str, kind: str, qun: Qun) -> Offence | None:
        if kind in (MessageKind.IMAGE, MessageKind.EMOTICON, MessageKind.FILE):
            fetch = wechat.image if kind == MessageKind.IMAGE else wechat.media
            file = await fetch(message_id)
            if kind == MessageKind.FILE and self._words.filter(qun).first_match(file.name):
                return Offence.WORD
            codes = await self._qr.read(file.data) if self._block.qr_codes else []
            return Offence.QR_CODE if any(not self._is_ours(code) for code in codes) else None
        if kind == MessageKind.LINK:
            link = await wechat.link(message_id)
            content = f"{link.title}\n{link.description}"
            is_foreign = self._block.links and not self._is_ours(link.url)
        else:
            content = await (wechat.place if kind == MessageKind.LOCATION else wechat.program_title)(message_id)
            is_foreign = False
        if self._words.filter(qun).first_match(content):
            return Offence.WORD
        return Offence.LINK if is_foreign else None

    async def close(self) -> None:
        """Stop the process that decodes images."""
        await self._qr.close()

    def reason(self, offence: Offence) -> str:
        """Return the reason as sent to the offender."""
        return str(getattr(self._texts, f"offence_{offence}"))

    def _in_text(self, event: GroupMessage, qun: Qun) -> Offence | None:
        words, blocks_links = self._words.filter(qun), self._block.links and (event.kind in TEXT_KINDS or event.typed)
        if not words and not blocks_links:
            return None
        text = event.text[:MAX_CHECKED]
        if event.kind is MessageKind.TEXT and (event.quoted or event.text.startswith("「")):
            text = self._quotes.own_text(event)[:MAX_CHECKED]
        typed = event.typed[:MAX_CHECKED]
        if any(words.first_match(part) is not None for part in (text, typed, event.file_name)):
            return Offence.WORD
        if blocks_links and any(foreign_link(part, self._own_hosts) is not None for part in (text, typed)):
            return Offence.LINK
        return None

    def _is_ours(self, url: str) -> bool:
        return is_own(host_of(url), self._own_hosts)


def _is_uncounted(event: GroupMessage) -> bool:
    """Whether WeChat itself wrote the message. What a person may have typed counts."""
    return event.kind in UNCOUNTED and not event.typed


def _may_be_picture(name: str) -> bool:
    """Whether a file of this name may be a picture; one without an ending may be anything."""
    name = name.strip().lower()
    return name.endswith(PICTURES) or "." not in name
