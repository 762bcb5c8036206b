"""An index of contacts by the names that find them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from wechat.entities import Contact

TIERS: Final = ("weixin", "alias", "name")  # after the id; the first tier with a match decides
UNIQUE: Final = ("id", "weixin")  # values that are unique and not chosen freely
Index = dict[str, dict[str, None]]  # value -> ids, in order of insertion


class NameIndex:
    """Finds the contacts of a directory by name.

    `contacts`: those of the directory, which calls `add` and `remove` with each change.
    """

    def __init__(self, contacts: Mapping[str, Contact]) -> None:
        self._contacts = contacts
        self._ids: dict[str, Index] = {tier: {} for tier in TIERS}

    def add(self, contact: Contact) -> None:
        """Add the names of a contact."""
        for tier in TIERS:
            if value := getattr(contact, tier):
                self._ids[tier].setdefault(value, {})[contact.id] = None

    def remove(self, contact: Contact) -> None:
        """Remove the names of a contact."""
        for tier in TIERS:
            remove_entry(self._ids[tier], getattr(contact, tier), contact.id)

    def clear(self) -> None:
        """Remove all names."""
        for index in self._ids.values():
            index.clear()

    def find(
        self, name: str, *, among: Collection[str] | None = None, friends: bool = False, also: Collection[str] = ()
    ) -> list[Contact]:
        """Find contacts by name: WeChat id, 微信号, alias, nickname, each exact; the first tier with a match decides.

        `among`: restrict to these ids; `friends`: restrict to friends; `also`: ids that match regardless. If an id or
        微信号 matches somebody excluded, the search ends: a friend's nickname must not stand for it. Anyone may choose
        a customer's nickname as their 微信号, so with `friends` another friend of this alias or nickname is found too.
        """
        if not name:
            return []
        for tier in ("id", *TIERS):
            ids: Iterable[str] = (name,) if tier == "id" else self._ids[tier].get(name, ())
            matches = [
                contact
                for id in ids
                if (contact := self._contacts.get(id)) is not None
                and (id in also or ((among is None or id in among) and (contact.friend or not friends)))
            ]
            if matches or (friends and tier in UNIQUE and any(id in self._contacts for id in ids)):
                is_shared = friends and tier == "weixin" and matches and matches[0].friend
                return [*matches, *self._friends_called(name, matches)] if is_shared else matches
        return []

    def _friends_called(self, name: str, excluded: Collection[Contact]) -> list[Contact]:
        """Return the friends with this alias or nickname, except the `excluded`."""
        ids = dict.fromkeys(id for tier in ("alias", "name") for id in self._ids[tier].get(name, ()))
        return [stored for id in ids if (stored := self._contacts[id]).friend and stored not in excluded]

    def resolve_id(self, id: str) -> str:
        """Return the id of a person given by their unique 微信号."""
        bearers = self._ids["weixin"].get(id, {})
        return next(iter(bearers)) if id not in self._contacts and len(bearers) == 1 else id


def remove_entry(index: Index, value: str, id: str) -> None:
    """Remove an id from an index; does nothing if it is not there."""
    ids = index.get(value)
    if ids is not None:
        ids.pop(id, None)
        if not ids:
            del index[value]
