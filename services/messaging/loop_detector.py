"""Prevents endless conversations between bots by detecting echoes and repeated messages."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from services.clock import Clock
from services.text import normal

MAX_KNOWN = 2_000  # conversations and messages remembered
MAX_MESSAGES = 8  # per conversation: a reply may have several parts, each of which is echoed
MAX_REPEATS = 20  # of one message within REPEAT_SECONDS; people do not repeat themselves more often
REPEAT_SECONDS = 300.0


@dataclass(slots=True)
class _Repeats:
    since: float
    times: int = 0


class LoopDetector:
    """Remembers hashes of the last messages of each conversation."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: OrderedDict[tuple[str, str], tuple[int, ...]] = OrderedDict()
        self._repeats: OrderedDict[tuple[str, str, str, int], _Repeats] = OrderedDict()

    def record_sent(self, account: str, to: str, text: str) -> None:
        """Record a message of the assistant."""
        self._sent[account, to] = (*self._sent.get((account, to), ()), hash(normal(text)))[-MAX_MESSAGES:]
        self._sent.move_to_end((account, to))
        if len(self._sent) > MAX_KNOWN:
            self._sent.popitem(last=False)

    def is_echo(self, account: str, conversation: str, text: str) -> bool:
        """Whether the text is one of the assistant's own last messages in this conversation."""
        return hash(normal(text)) in self._sent.get((account, conversation), ())

    def is_looping(self, account: str, conversation: str, contact_id: str, text: str) -> bool:
        """Count a message of a person; return whether it was repeated too often."""
        key, now = (account, conversation, contact_id, hash(text)), self._clock()
        repeats = self._repeats.get(key)
        if repeats is None or now - repeats.since > REPEAT_SECONDS:
            repeats = self._repeats[key] = _Repeats(now)
            self._repeats.move_to_end(key)
            if len(self._repeats) > MAX_KNOWN:
                self._repeats.popitem(last=False)
        repeats.times += 1
        return repeats.times > MAX_REPEATS
