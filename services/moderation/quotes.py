"""Quotes in groups: quoting another person's offence is not an offence."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

from services.accounts.registry import Accounts
from services.moderation.offences import letters, plain
from services.text import without_quote
from wechat.events import GroupMessage

MAX_ROOMS: Final = 500
MAX_REMEMBERED: Final = 20  # offending texts per room
COLONS: Final = ("：", ":")


class Quotes:
    """Separates a person's own text from what they quote.

    In a text, a quote names the quoted person as they are called in the group, which may be unknown. So the last
    offending texts of each room are remembered, to attribute quotes of them.
    """

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._offending: OrderedDict[str, deque[tuple[str, str]]] = OrderedDict()  # room -> (contact id, text)

    def own_text(self, event: GroupMessage) -> str:
        """Return what the sender says, including what they quote of themselves."""
        reply, quote = without_quote(event.text)
        by, quoted = _split(quote)
        text = reply if quote and self._is_of_another(event, by, quoted) else event.text
        if not event.quoted or self._is_of_another(event, event.quoted_by, event.quoted):
            return text
        return f"{text}\n{event.quoted}"

    def remember(self, event: GroupMessage) -> None:
        """Remember an offending text."""
        texts = self._offending.setdefault(event.room_id, deque(maxlen=MAX_REMEMBERED))
        texts.append((event.contact_id, _letters(without_quote(event.text)[0])))
        self._offending.move_to_end(event.room_id)
        if len(self._offending) > MAX_ROOMS:
            self._offending.popitem(last=False)

    def _is_of_another(self, event: GroupMessage, by: str, quoted: str) -> bool:
        """Whether a quote of `by` (an id or name) is of a person other than the sender."""
        directory = self._accounts.get(event.account).directory
        sender = directory.contacts.get(event.contact_id)
        if by and by in (event.contact_id, event.name, *([sender.alias, sender.weixin] if sender else [])):
            return False
        if any(person.id != event.contact_id for person in directory.find(by)):
            return True
        quoted_letters = _letters(quoted)
        remembered = self._offending.get(event.room_id, ())
        return bool(quoted_letters) and any(
            author != event.contact_id and text.startswith(quoted_letters) for author, text in remembered
        )


def _split(quote: str) -> tuple[str, str]:
    """Split “name：text”."""
    position = min((place for colon in COLONS if (place := quote.find(colon)) >= 0), default=-1)
    return (quote[:position].strip(), quote[position + 1 :]) if position >= 0 else ("", quote)


def _letters(text: str) -> str:
    return letters(plain(text))
