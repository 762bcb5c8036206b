"""The child process that decodes images: asked one image at a time, replaced when it fails, ended when idle."""

from __future__ import annotations

import asyncio
import io
import json
import resource
import struct
import sys
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace

import pytest
import segno

from services.moderation import picture_worker, pictures
from services.moderation.pictures import QrReader
from tests.waiting import until

MEBIBYTE = 2**20


class Child:
    """Takes the place of the process: its answers are put into `stdout` by the test."""

    def __init__(self) -> None:
        self.returncode: int | None = None
        self.killed = False
        self.waited = False
        self.written = b""
        self.is_closed = False
        self.stdin = self
        self.stdout = asyncio.StreamReader()

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True

    def kill(self) -> None:
        self.killed = True

    async def wait(self) -> int:
        self.waited = True
        return 0

    def answer(self, *codes: str) -> None:
        self.stdout.feed_data(json.dumps(codes).encode() + b"\n")

    def asked(self) -> list[bytes]:
        """The images that were written."""
        images, rest = [], self.written
        while rest:
            (length,) = struct.unpack(">I", rest[:4])
            images.append(rest[4 : 4 + length])
            rest = rest[4 + length :]
        return images


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[Child]:
    """The processes that were started."""
    started: list[Child] = []

    async def start() -> Child:
        started.append(Child())
        return started[-1]

    monkeypatch.setattr(pictures, "_start", start)
    return started


@pytest.fixture
async def make_reader() -> AsyncIterator[Callable[..., QrReader]]:
    readers: list[QrReader] = []

    def make(**seconds: float) -> QrReader:
        readers.append(QrReader(**seconds))
        return readers[-1]

    yield make
    for reader in readers:
        await reader.close()


MakeReader = Callable[..., QrReader]


async def read(reader: QrReader, children: list[Child], data: bytes, *codes: str) -> list[str]:
    """Read an image that the child answers with these codes."""
    reading = asyncio.create_task(reader.read(data))
    await until(lambda: children and children[-1].asked()[-1:] == [data], "asked")
    children[-1].answer(*codes)
    return await reading


async def test_child_is_asked_again(make_reader: MakeReader, children: list[Child]) -> None:
    reader = make_reader()
    assert await read(reader, children, b"one", "code 1", "code 2") == ["code 1", "code 2"]
    assert await read(reader, children, b"two") == []
    (child,) = children
    assert child.asked() == [b"one", b"two"]


async def test_child_is_asked_one_image_at_a_time(make_reader: MakeReader, children: list[Child]) -> None:
    reader = make_reader()
    reading = [asyncio.create_task(reader.read(data)) for data in (b"one", b"two")]
    await until(lambda: children and children[0].written, "asked")
    assert children[0].asked() == [b"one"]
    children[0].answer("1")
    await until(lambda: len(children[0].asked()) == 2, "asked again")
    children[0].answer("2")
    assert await asyncio.gather(*reading) == [["1"], ["2"]]


@pytest.mark.parametrize(
    ("size", "is_read"), [(0, False), (1, True), (10 * MEBIBYTE, True), (10 * MEBIBYTE + 1, False)]
)
async def test_large_and_empty_data_is_not_decoded(
    make_reader: MakeReader, children: list[Child], size: int, is_read: bool
) -> None:
    data = bytes(size)
    reader = make_reader()
    if is_read:
        assert await read(reader, children, data, "code") == ["code"]
    else:
        assert await reader.read(data) == []
        assert children == []


@pytest.mark.parametrize("line", [b"no json\n", b"", b"x" * 2**17])
async def test_child_that_answers_nonsense_is_replaced(
    make_reader: MakeReader, children: list[Child], line: bytes
) -> None:
    """An empty answer is that of a child that has died."""
    reader = make_reader()
    reading = asyncio.create_task(reader.read(b"one"))
    await until(lambda: children and children[0].written, "asked")
    children[0].stdout.feed_data(line)
    children[0].stdout.feed_eof()
    assert await reading == []
    assert (children[0].killed, children[0].waited) == (True, True)
    assert await read(reader, children, b"two", "code") == ["code"]
    assert len(children) == 2


async def test_child_without_an_answer_in_time_is_killed(make_reader: MakeReader, children: list[Child]) -> None:
    reader = make_reader(seconds=0.01)
    assert await reader.read(b"one") == []
    assert (children[0].killed, children[0].waited) == (True, True)


async def test_child_that_ended_is_not_killed(make_reader: MakeReader, children: list[Child]) -> None:
    reader = make_reader()
    await read(reader, children, b"one")
    children[0].returncode = -9
    await reader.close()
    assert (children[0].killed, children[0].waited) == (False, True)
    await reader.close()


async def test_child_is_ended_when_idle(make_reader: MakeReader, children: list[Child]) -> None:
    reader = make_reader(idle_seconds=0.01)
    await read(reader, children, b"one")
    await until(lambda: children[0].is_closed, "ended")
    assert not children[0].killed
    await read(reader, children, b"two")
    assert len(children) == 2


async def test_busy_child_is_not_ended(make_reader: MakeReader, children: list[Child]) -> None:
    reader = make_reader(idle_seconds=60.0)
    await read(reader, children, b"one")
    idle = reader._idle
    assert idle is not None
    reading = asyncio.create_task(reader.read(b"two"))
    await until(lambda: len(children[0].asked()) == 2, "asked again")
    assert idle.cancelled()
    reader._close_idle()
    assert not children[0].is_closed
    children[0].answer("code")
    assert await reading == ["code"]
    last = reader._idle
    await reader.close()
    assert last is not None and last.cancelled()
    assert children[0].killed


# ---- in the child ----


class Output(io.StringIO):
    """Notes what had been written at each flush."""

    def __init__(self) -> None:
        super().__init__()
        self.lines_at_flush: list[int] = []

    def flush(self) -> None:
        self.lines_at_flush.append(self.getvalue().count("\n"))


def run_worker(monkeypatch: pytest.MonkeyPatch, given: bytes) -> tuple[list[str], dict[int, tuple[int, int]]]:
    """The lines that it answers, and the limits that it sets."""
    answers, limits = Output(), dict[int, tuple[int, int]]()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(given)))
    monkeypatch.setattr(sys, "stdout", answers)
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    picture_worker.main()
    lines = answers.getvalue().count("\n")
    assert answers.lines_at_flush == list(range(1, lines + 1)), "each answer is sent at once"
    return answers.getvalue().splitlines(), limits


def test_worker_answers_each_image_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    code = io.BytesIO()
    segno.make("https://example.com").save(code, kind="png", scale=4)
    images = [code.getvalue(), b"no image", code.getvalue()]
    given = b"".join(struct.pack(">I", len(image)) + image for image in images)
    answers, limits = run_worker(monkeypatch, given + b"\0\0")
    assert [json.loads(line) for line in answers] == [["https://example.com"], [], ["https://example.com"]]
    assert limits == {
        resource.RLIMIT_AS: (402_653_184, 402_653_184),
        resource.RLIMIT_CPU: (3600, 3600),
        resource.RLIMIT_CORE: (0, 0),
    }


def test_worker_ends_with_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, _ = run_worker(monkeypatch, b"")
    assert answers == []
