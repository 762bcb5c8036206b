"""Callbacks of the platform: their encryption, their age, and repeats (document 90238)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree

from protocol.wecom_crypto import BadCallback, CallbackCrypto

MAX_AGE: Final = 600.0  # seconds; the platform repeats a callback within seconds
MAX_REMEMBERED: Final = 10_000  # signatures


class Callbacks:
    """Opens the callbacks of one account. `now`: returns the current time by our clock and by the platform's."""

    def __init__(self, crypto: CallbackCrypto, now: Callable[[], tuple[float, ...]]) -> None:
        self._crypto = crypto
        self._now = now
        self._seen: OrderedDict[str, None] = OrderedDict()

    def echo(self, signature: str, timestamp: str, nonce: str, echo: str) -> bytes:
        """Return the response to the platform's verification of the callback URL; raise BadCallback."""
        return self._crypto.open(signature, timestamp, nonce, echo)

    def read(self, signature: str, timestamp: str, nonce: str, body: bytes) -> Element | None:
        """Return a callback's event; None if it has been read before. Raises BadCallback."""
        try:
            envelope = ElementTree.fromstring(body)
            message = self._crypto.open(signature, timestamp, nonce, envelope.findtext("Encrypt") or "")
            event: Element = ElementTree.fromstring(message)
        except (ParseError, ValueError) as error:  # ValueError: defusedxml rejects DTDs and entities
            raise error if isinstance(error, BadCallback) else BadCallback("no XML") from None
        self._check_age(timestamp)
        if signature in self._seen:
            return None
        self._seen[signature] = None
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)
        return event

    def _check_age(self, timestamp: str) -> None:
        """Raise BadCallback for a callback that is too old by both clocks, of which either may be wrong."""
        sent = float(timestamp) if timestamp.isdecimal() else 0.0
        if all(abs(now - sent) > MAX_AGE for now in self._now()):
            raise BadCallback("the timestamp is not of the last minutes")
