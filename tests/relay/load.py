"""People who write continuously, and what became of their messages."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import Sequence, Set
from pathlib import Path
from typing import NamedTuple

from protocol import puppet_pb2 as pb
from tests.official import OfficialGateway
from tests.relay.process import RelayProcess


class Said(NamedTuple):
    """A message, by the gateway's record."""

    id: str
    person: int
    connected: bool  # a client held the gateway's event stream
    at: float  # monotonic


class MessageLoad:
    """People who write continuously: 问0, 问1, …"""

    def __init__(self, gateway: OfficialGateway, people: int, pause: float = 0.01) -> None:
        self._gateway = gateway
        self._people = people
        self._pause = pause
        self._writing = asyncio.Lock()
        self.said: list[Said] = []
        self._task = asyncio.create_task(self._send_messages())

    async def _send_messages(self) -> None:
        while True:
            async with self._writing:
                number = len(self.said)
                person = number % self._people
                row = await self._gateway.do("say", **{"from": f"c{person}"}, text=f"问{number}")
                self.said.append(Said(str(row["id"]), person, bool(row["connected"]), time.monotonic()))
            await asyncio.sleep(self._pause)

    async def pause(self) -> None:
        """Stop writing."""
        await self._writing.acquire()
        if self._task.done():
            self._task.result()

    def resume(self) -> None:
        """Write again."""
        self._writing.release()

    async def stop(self) -> list[Said]:
        """Stop writing for good; return what was said, in order."""
        await self.pause()
        self._task.cancel()
        return self.said


def check_inbox(said: Sequence[Said], stored: Sequence[str], lost: Set[str] = frozenset()) -> None:
    """Check the ids in an inbox: each message that is not lost, once, in order per person.

    Other ids are the account's own messages: those before a kill are reported to the next process.
    """
    place = {message.id: index for index, message in enumerate(said)}
    rows = [id for id in stored if id in place]
    assert sorted(rows) == sorted(place.keys() - lost), "each once"
    order: dict[int, list[int]] = defaultdict(list)
    for id in rows:
        order[said[place[id]].person].append(place[id])
    assert all(places == sorted(places) for places in order.values()), "in order"


def check_replies(said: Sequence[Said], replies: Sequence[tuple[str, str]]) -> None:
    """Check the replies (conversation, text): one to each message, in order per conversation."""
    expected: dict[str, list[str]] = defaultdict(list)
    for number, message in enumerate(said):
        expected[f"c{message.person}"].append(f"答{number}")
    sent: dict[str, list[str]] = defaultdict(list)
    for conversation, text in replies:
        sent[conversation].append(text)
    assert sent == expected


def inbox(database: Path) -> list[str]:
    """Return the ids of the stored messages, in the order of the rows."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute("select event_id from inboxevent where kind = 'message' order by id").fetchall()
    connection.close()
    return [str(row[0]) for row in rows]


def journal(relay: RelayProcess) -> set[str]:
    """Return the messages that a relay has on disk; it deletes those that the bot has stored."""
    (file,) = (relay.folder / "relay").glob("*.db")
    with sqlite3.connect(file) as connection:
        bodies = [pb.EventResponse.FromString(row[0]) for row in connection.execute("select body from event")]
    connection.close()
    return {json.loads(body.payload)["messageId"] for body in bodies if body.type == pb.EVENT_MESSAGE}
