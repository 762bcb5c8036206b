"""Writes numbered rows and prints each number once its write has returned; killed by its test."""

from __future__ import annotations

import asyncio
import sys
from functools import partial

from sqlmodel import Session

from models.db import Store
from models.durable import Setting


def put(session: Session, number: int) -> None:
    session.add(Setting(key=f"row-{number:07}", value="x"))


async def write(store: Store, first: int) -> None:
    for number in range(first, 10**6, 50):
        await store.write(partial(put, number=number))
        print(number, flush=True)  # noqa: T201


async def main() -> None:
    store = Store(sys.argv[1])
    await store.open()
    await asyncio.gather(*(write(store, first) for first in range(50)))


asyncio.run(main())
