"""Which payloads of waiting events the relay stores, whatever the gateway sends or refuses."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from protocol import downloads
from protocol import puppet_pb2 as pb
from relay import payload_keeper as module
from relay.http2 import GatewayLost, TooManyCalls
from relay.journal import Journal
from relay.payload_keeper import PayloadKeeper
from relay.rpc import CallEnded, MessageDecoder, path_of
from relay.upstream import Upstream
from tests.waiting import until

PATH = path_of("MessagePayload")


class FakeGateway:
    """The keeper's side of an Upstream. `fails`: errors of the calls for a message, by its id."""

    def __init__(self) -> None:
        self.connection: object | None = object()
        self.asked: Counter[str] = Counter()
        self.fails: dict[str, list[Exception]] = {}
        self.answer = pb.MessagePayloadResponse(type=7, text="text").SerializeToString()
        self.answers: dict[str, list[list[bytes]]] = {}  # of calls by name, in order; the last one stays

    async def ask(self, name: str, request: bytes, timeout: float, limit: int) -> list[bytes]:
        id = pb.Id.FromString(request).id
        self.asked[id] += 1
        await asyncio.sleep(0)
        if self.fails.get(id):
            raise self.fails[id].pop(0)
        answers = self.answers.get(name, [[self.answer]])
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Kept:
    """A keeper that runs, and its journal."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.gateway = FakeGateway()
        self.keeper = PayloadKeeper(journal, cast("Upstream", self.gateway), 1000)
        self.running = asyncio.create_task(self.keeper.run())

    async def put(self, *payloads: Any) -> None:
        """Store message events with these payloads."""
        before = self.journal.last

        def written(_first: int, error: Exception | None) -> None:
            assert error is None
            self.journal.stored = before + len(payloads)

        bodies = [pb.EventResponse(type=pb.EVENT_MESSAGE, payload=payload).SerializeToString() for payload in payloads]
        self.journal.append(bodies, written)
        await until(lambda: self.journal.stored == before + len(payloads))

    async def kept(self, *ids: str) -> None:
        """Wait until the payloads of these messages are stored."""
        requests = [pb.Id(id=id).SerializeToString() for id in ids]

        def are_kept() -> bool:
            if self.running.done():
                self.running.result()
            return all(self.journal.responses.may_have(PATH, request) for request in requests)

        await until(are_kept, f"{ids} are stored")


def message(id: str) -> str:
    return json.dumps({"messageId": id})


@pytest.fixture
async def kept(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kept]:
    monkeypatch.setattr(module, "WAITING_SECONDS", 0.02)
    kept = Kept(journal)
    yield kept
    kept.running.cancel()
    await asyncio.wait({kept.running})


@pytest.mark.parametrize("odd", ["{}", "[]", "7", "null", '{"messageId": null}', "no JSON", ""])
async def test_event_without_the_id_of_its_payload_does_not_end_the_keeper(kept: Kept, odd: str) -> None:
    await kept.put(odd)
    await kept.put(message("m1"))
    await kept.kept("m1")
    await kept.put(message("m2"))
    await kept.kept("m2")


async def test_payload_that_cannot_be_decoded_does_not_end_the_keeper(kept: Kept) -> None:
    kept.gateway.answer = b"\xff\xff"
    await kept.put(message("m1"))
    await kept.kept("m1")
    await kept.put(message("m2"))
    await kept.kept("m2")


async def test_call_that_the_gateway_resets_holds_up_no_others(kept: Kept) -> None:
    """The connection is there: only this call fails, each time."""
    kept.gateway.fails["m1"] = [CallEnded("reset with code 2") for _ in range(1000)]
    await kept.put(*(message(f"m{number}") for number in range(1, module.BATCH + 2)))
    await kept.kept(f"m{module.BATCH + 1}")
    assert kept.gateway.asked["m1"] == 1


async def test_payload_is_read_again_after_a_lost_connection(kept: Kept) -> None:
    kept.gateway.fails["m1"] = [GatewayLost()]
    await kept.put(message("m1"))
    await kept.kept("m1")


async def test_payload_is_read_again_when_the_gateway_was_busy(kept: Kept) -> None:
    kept.gateway.fails["m1"] = [TooManyCalls()]
    await kept.put(message("m1"))
    await kept.kept("m1")


@pytest.mark.parametrize("empty", [[], [b"", b""]])
async def test_file_that_is_not_written_yet_is_downloaded_again(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, empty: list[bytes]
) -> None:
    monkeypatch.setattr(downloads, "EMPTY_FILE_PAUSES", (0, 0))
    chunk = pb.Chunk(chunk=b"content").SerializeToString()
    box = pb.FileBoxResponse(file_box=json.dumps({"type": 7, "uuid": "u1", "name": "a.bin"})).SerializeToString()
    kept.gateway.answer = pb.MessagePayloadResponse(type=module.ATTACHMENT).SerializeToString()
    kept.gateway.answers = {"MessageFile": [[box]], "Download": [empty, [chunk]]}
    await kept.put(message("m1"))
    path, request = path_of("Download"), pb.Id(id="u1").SerializeToString()
    await until(lambda: kept.journal.responses.may_have(path, request), "the file is stored")
    stored = await kept.journal.response(path, request, kept.journal.stored)
    assert stored is not None
    assert MessageDecoder().feed(stored) == [chunk]


async def test_payloads_of_a_client_that_was_lost_are_stored(kept: Kept) -> None:
    """It was sent the events, but has not acknowledged them: it will ask for their payloads after its restart."""
    kept.keeper.last_delivered = 2
    await kept.put(message("m1"), message("m2"), message("m3"))
    await kept.kept("m3")
    assert set(kept.gateway.asked) == {"m3"}, "the client reads those that it was sent"
    kept.journal.acknowledge(1)
    kept.keeper.client_lost()
    await kept.kept("m2")
    assert kept.gateway.asked == {"m2": 1, "m3": 1}, "what is stored is not read again"


async def test_payload_is_stored_after_the_clock_was_set_back(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.gateway.connection = None
    with monkeypatch.context() as ahead:
        ahead.setattr("relay.journal.time.time", lambda now=time.time: now() + 3600)
        await kept.put(message("m1"))
    await kept.put(message("m2"))
    kept.gateway.connection = object()
    await kept.kept("m1", "m2")
