"""Batches single-key lookups: keys requested during a read are read together by the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, Generic, TypeVar

from sqlmodel import Session

Key = TypeVar("Key")
Found = TypeVar("Found")
MAX_AT_ONCE: Final = 500


class ReadBatcher(Generic[Key, Found]):
    """Looks up keys with `read(session, keys)`, which returns those found. Its exception is raised in all callers.

    `run`: Store.read, or Store.write for what must be read after the writes before it.
    """

    def __init__(
        self,
        run: Callable[[Callable[[Session], Mapping[Key, Found]]], Awaitable[Mapping[Key, Found]]],
        read: Callable[[Session, Collection[Key]], Mapping[Key, Found]],
    ) -> None:
        self._run = run
        self._read = read
        self._asked: dict[Key, asyncio.Future[Found | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def __call__(self, key: Key) -> Found | None:
        """Return the value of the key, read after this call."""
        future = self._asked.get(key)
        if future is None:
            future = self._asked[key] = asyncio.get_running_loop().create_future()
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all())
        return await asyncio.shield(future)

    async def _read_all(self) -> None:
        try:
            while self._asked:
                keys = list(self._asked)[:MAX_AT_ONCE]
                await self._answer({key: self._asked.pop(key) for key in keys})
        finally:
            self._reading = None

    async def _answer(self, futures: Mapping[Key, asyncio.Future[Found | None]]) -> None:
        try:
            values = await self._run(lambda session: self._read(session, futures.keys()))
        except Exception as error:  # noqa: BLE001 - raised in the callers
            for future in futures.values():
                future.set_exception(error)
                future.exception()  # its caller may have been cancelled
            return
        for key, future in futures.items():
            future.set_result(values.get(key))
