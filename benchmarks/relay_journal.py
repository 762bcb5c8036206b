"""Cost of storing an event: SQLite with group commit against an append-only file with shared fsync.

python -m benchmarks.relay_journal [EVENTS]
"""

from __future__ import annotations

import os
import sqlite3
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

BODY = b"\x08\x02\x12\x28" + b'{"messageId":"0123456789012345678901"}' + b" " * 40


class File:
    """Records with length, checksum and number; one fsync per group."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "journal.log").open("ab", buffering=0)
        self._number = 0

    def write(self, bodies: list[bytes]) -> None:
        """Write a group."""
        out = bytearray()
        for body in bodies:
            self._number += 1
            out += struct.pack(">IIQd", len(body), zlib.crc32(body), self._number, time.time()) + body
        self._file.write(out)
        os.fsync(self._file.fileno())


class Sqlite:
    """The relay's table; one commit per group."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "journal.db", isolation_level=None)
        self._connection.execute("pragma journal_mode=WAL")
        self._connection.execute("pragma synchronous=FULL")
        self._connection.execute("create table event (number integer primary key, at real not null, body blob)")
        self._number = 0

    def write(self, bodies: list[bytes]) -> None:
        """Write a group."""
        self._connection.execute("begin immediate")
        for body in bodies:
            self._number += 1
            row = (self._number, time.time(), body)
            self._connection.execute("insert into event values (?, ?, ?)", row)
        self._connection.execute("commit")


def measure(make: Callable[[Path], File | Sqlite], events: int, group: int) -> tuple[float, float]:
    """Return wall and CPU time per event, in microseconds."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        journal = make(Path(folder))
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(events // group):
            journal.write([BODY] * group)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return wall / events * 1e6, cpu / events * 1e6


def main(events: int) -> None:
    """Print the table."""
    print("| per commit | file: wall, CPU (µs an event) | SQLite: wall, CPU (µs an event) |\n|---|---|---|")
    for group in (1, 10, 100):
        count = max(group, events * min(group, 10) // 10)
        file, sqlite = measure(File, count, group), measure(Sqlite, count, group)
        print(f"| {group} | {file[0]:.0f}, {file[1]:.0f} | {sqlite[0]:.0f}, {sqlite[1]:.0f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
