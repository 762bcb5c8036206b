"""Downloads of files that a gateway keeps under an id."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

# Seconds until an empty file is read again. file-box (1.5.5, UniformResourceNameRegistry.save) gives out the id of a
# file before it has written it, so that a busy gateway returns nothing.
EMPTY_FILE_PAUSES: Final = (0.2, 1.0)


async def read_until_written(read: Callable[[], Awaitable[T]], is_empty: Callable[[T], bool]) -> T:
    """Return what `read` returns; while that is empty, read again a few times. A file may also be empty for good."""
    for pause in EMPTY_FILE_PAUSES:
        if not is_empty(file := await read()):
            return file
        await asyncio.sleep(pause)
    return await read()
