"""Prevents endless conversations between bots by detecting echoes and repeated messages."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from services.clock import Clock
from services.text import normal

MAX_KNOWN = 2_000  # conversations and messages remembered
LAST = 8  # messages per conversation: a reply may have several parts, each of which is echoed
ROUNDS = 20  # a person does not repeat a message this often …
SECONDS = 300.0  # … within this many seconds


@dataclass(slots=True)
class _Round:
    since: float
    times: int = 0


class LoopDetector:
    """Remembers hashes of the last messages of each conversation."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._spoke: OrderedDict[tuple[str, str], tuple[int, ...]] = OrderedDict()
        self._rounds: OrderedDict[tuple[str, str, str, int], _Round] = OrderedDict()

    def record_sent(self, account: str, to: str, words: str) -> None:
        """Record a message of the assistant."""
        self._spoke[account, to] = (*self._spoke.get((account, to), ()), hash(normal(words)))[-LAST:]
        self._spoke.move_to_end((account, to))
        if len(self._spoke) > MAX_KNOWN:
            self._spoke.popitem(last=False)

    def is_echo(self, account: str, conversation: str, words: str) -> bool:
        """Whether the text is one of the assistant's own last messages in this conversation."""
        return hash(normal(words)) in self._spoke.get((account, conversation), ())

    def is_looping(self, account: str, conversation: str, contact_id: str, words: str) -> bool:
        """Count a message of a person; return whether it was repeated too often."""
        key, now = (account, conversation, contact_id, hash(words)), self._clock()
        repeats = self._rounds.get(key)
        if repeats is None or now - repeats.since > SECONDS:
            repeats = self._rounds[key] = _Round(now)
            self._rounds.move_to_end(key)
            if len(self._rounds) > MAX_KNOWN:
                self._rounds.popitem(last=False)
        repeats.times += 1
        return repeats.times > ROUNDS
