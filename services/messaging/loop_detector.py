"""Two bots must not talk to each other for ever: what comes back, or goes round and round, is not answered."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from services.clock import Clock
from services.text import normal

MAX_KNOWN = 2_000  # conversations remembered, and sentences: what goes round goes round now
LAST = 8  # things said in each: a reply may have several parts, and each comes back
ROUNDS = 20  # the same sentence answered this often …
SECONDS = 300.0  # … within this time is no person's


@dataclass(slots=True)
class _Round:
    since: float
    times: int = 0


class LoopDetector:
    """Remembers, for a short while and by their hashes, the sentences said last in each conversation."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._spoke: OrderedDict[tuple[str, str], tuple[int, ...]] = OrderedDict()
        self._rounds: OrderedDict[tuple[str, str, str, int], _Round] = OrderedDict()

    def spoke(self, account: str, to: str, words: str) -> None:
        """The assistant said something."""
        self._spoke[account, to] = (*self._spoke.get((account, to), ()), hash(normal(words)))[-LAST:]
        self._spoke.move_to_end((account, to))
        if len(self._spoke) > MAX_KNOWN:
            self._spoke.popitem(last=False)

    def is_echo(self, account: str, conversation: str, words: str) -> bool:
        """Whether this is among what the assistant itself said there last."""
        return hash(normal(words)) in self._spoke.get((account, conversation), ())

    def goes_round(self, account: str, conversation: str, contact_id: str, words: str) -> bool:
        """Whether the same sentence of one person was answered too often; counts this time."""
        key, now = (account, conversation, contact_id, hash(words)), self._clock()
        known = self._rounds.get(key)
        if known is None or now - known.since > SECONDS:
            known = self._rounds[key] = _Round(now)
            self._rounds.move_to_end(key)
            if len(self._rounds) > MAX_KNOWN:
                self._rounds.popitem(last=False)
        known.times += 1
        return known.times > ROUNDS
