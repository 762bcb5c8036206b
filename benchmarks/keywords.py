"""Keyword lookups per second for 10, 1 000 and 100 000 rules, and 1 000 patterns: `python -m benchmarks.keywords`.

The last lines are for messages in traditional characters.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from opencc import OpenCC

from config.customer_service import KeywordRule
from services.support.matching import RuleSet

SECONDS = 1.0
EVERYDAY = 1500  # about the number of characters in everyday Chinese
# The common characters of GB 2312, the set of the simplified ones, are those from its 16th row on.
LETTERS = [bytes((0xB0 + n // 94, 0xA1 + n % 94)).decode("gb2312") for n in range(EVERYDAY)]


def word(rng: random.Random, length: int) -> str:
    """Return a random word."""
    return "".join(rng.choices(LETTERS, k=length))


def contains(number: int, rng: random.Random) -> list[KeywordRule]:
    """Return rules with words of 2 to 6 characters, and some that must be equal."""
    rules = [KeywordRule(contains=word(rng, rng.randint(2, 6)), reply="好") for _ in range(number)]
    return rules + [KeywordRule(equals=word(rng, 4), reply="好") for _ in range(number // 10)]


def patterns(number: int, rng: random.Random) -> list[KeywordRule]:
    """Return regex rules."""
    return [KeywordRule(regex=f"{word(rng, 3)}\\s*(\\d+)", reply="{1}") for _ in range(number)]


def rate(rules: list[KeywordRule], rng: random.Random, *, traditional: bool) -> tuple[float, float]:
    """Return the lookups per second, with messages of 4 to 40 characters of which a third match, and the build
    time. `traditional`: the messages are written like that.
    """
    started = time.perf_counter()
    built = RuleSet(rules, "private")
    building = time.perf_counter() - started
    messages = [word(rng, rng.randint(4, 40)) for _ in range(1000)]
    for at in range(0, len(messages), 3):
        rule = rng.choice(rules)
        messages[at] += rule.equals or rule.contains or rule.regex.replace("\\s*(\\d+)", " 42")
    if traditional:
        messages = list(map(OpenCC("s2t").convert, messages))
    done, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < SECONDS:
        for message in messages:
            built.find(message)
        done += len(messages)
    return done / elapsed, building


def main() -> None:
    """Print the table."""
    rng = random.Random(1)
    rows: list[tuple[str, Callable[[int, random.Random], list[KeywordRule]], int, bool]] = [
        ("contains", contains, 10, False),
        ("contains", contains, 1_000, False),
        ("contains", contains, 100_000, False),
        ("regex", patterns, 1_000, False),
        ("contains", contains, 1_000, True),
        ("regex", patterns, 1_000, True),
    ]
    for name, make, number, traditional in rows:
        per_second, building = rate(make(number, rng), rng, traditional=traditional)
        kind = f"{name:9} {number:7,} rules, {'traditional' if traditional else 'simplified':11}"
        print(f"{kind}: {per_second:10,.0f} look-ups/s, built in {building * 1000:6.0f} ms")


if __name__ == "__main__":
    main()
