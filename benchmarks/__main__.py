"""`make bench`: run all benchmarks. ARGS="replies rest" selects some; `--rounds N`, `--long`.

Machines differ and are noisy: compare the ratios, not the absolute values.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import time
from collections.abc import Awaitable, Callable

from benchmarks import charts, console, growth, lists, replies, rest, start

PARTS = ("replies", "rest", "lists", "charts", "console", "start", "burners", "growth")


async def main() -> None:
    """Run the selected benchmarks, printing each table when it is done."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; none = all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long", action="store_true", help="memory after 100 000 messages with 10 000 contacts")
    asked = parser.parse_args()
    unknown = set(asked.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    grow = (10_000, 100_000, 10_000) if asked.long else (4000, 12_000, 2000)
    runs: dict[str, Callable[[], Awaitable[str]]] = {
        "replies": lambda: replies.run(asked.rounds),
        "rest": lambda: rest.run(asked.rounds),
        "lists": lists.run,
        "charts": charts.run,
        "console": console.run,
        "start": lambda: start.run(asked.rounds),
        "burners": growth.run_beside_burners,
        "growth": lambda: growth.run(*grow),
    }
    print(f"{time.strftime('%Y-%m-%d %H:%M')}, {platform.platform()}, Python {platform.python_version()}\n")
    for name in asked.parts or PARTS:
        print(await runs[name](), flush=True)


asyncio.run(main())
