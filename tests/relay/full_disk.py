"""python -m tests.relay.full_disk FOLDER: a relay's journal on a disk of 40 MB, which gets full.

Must be run by a user who may mount, such as the root of `unshare -Urm`. Prints what happens as JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from pathlib import Path

from relay.journal import Journal, JournalError

MEGABYTES = 40
EVENTS = 500  # with one payload


class Disk:
    """A file system in memory."""

    def __init__(self, folder: Path) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)], check=True)
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Use all of the space that is left."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass


async def _append(journal: Journal, count: int) -> str:
    """Store events; return the error."""
    done: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def written(first: int, error: JournalError | None) -> None:
        if error is None:
            journal.stored = first + count - 1
        done.set_result("" if error is None else str(error))

    journal.append([bytes(700)] * count, written)
    return await done


async def _prune(journal: Journal) -> str:
    """Delete what may go; return the error."""
    try:
        await journal.prune(0.0)
    except JournalError as error:
        return str(error)
    return ""


async def run(folder: Path) -> dict[str, object]:
    """Return the errors of each step, and how many events are left."""
    disk, journal, result = Disk(folder), Journal(folder / "relay.db"), {}
    await journal.open()
    await _append(journal, EVENTS)
    await _prune(journal)
    disk.fill()
    result["full"] = await _append(journal, EVENTS)
    result["nothing may go"] = await _prune(journal)
    journal.acknowledge(EVENTS)
    result["pruned"] = await _prune(journal)
    result["left"] = str(len(await journal.read(0, 2 * EVENTS)))
    result["stored"] = await _append(journal, EVENTS)
    await journal.close()
    return dict(result)


async def restart(folder: Path) -> dict[str, object]:
    """Return the error of opening a journal on a full disk, and how many events it has."""
    disk, journal = Disk(folder), Journal(folder / "relay.db")
    await journal.open()
    await _append(journal, EVENTS)
    await _prune(journal)
    await journal.close()
    disk.fill()
    journal = Journal(folder / "relay.db")
    await journal.open()
    result = {"left": str(len(await journal.read(0, 2 * EVENTS))), "stored": await _append(journal, 1)}
    await journal.close()
    return dict(result)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    sys.stdout.write(json.dumps(asyncio.run({"run": run, "restart": restart}[sys.argv[2]](Path(sys.argv[1])))))
