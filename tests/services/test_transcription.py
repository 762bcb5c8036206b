"""The client of the transcription server, and the decoding of voice messages."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from config.customer_service import TranscriptionSettings
from services.messaging.http_client import HttpClient
from services.support import transcription
from services.support.transcription import MAX_BYTES, TranscriptionClient
from tests.services.clock import Clock
from tests.services.model_server import ModelServer, model_server

__all__ = ["model_server"]
MP3 = b"ID3 sound"


def client(server: ModelServer, http: HttpClient, clock: Clock, **values: Any) -> TranscriptionClient:
    fields = {"base_url": server.url, "model": "whisper", "key": "sk-1", "timeout": 60, **values}
    return TranscriptionClient(http, TranscriptionSettings(**fields), clock)


def voice(tmp_path: Path, data: bytes = MP3) -> str:
    path = tmp_path / "voice"
    path.write_bytes(data)
    return str(path)


async def test_file_is_sent_with_the_model(
    model_server: ModelServer, http: HttpClient, clock: Clock, tmp_path: Path
) -> None:
    model_server.answer = lambda _: {"text": " 营业\0时间\ud83d。 "}
    assert await client(model_server, http, clock).transcribe(voice(tmp_path)) == "营业时间?。"
    assert model_server.requests == [
        (
            "/v1/audio/transcriptions",
            "Bearer sk-1",
            {"model": "whisper", "response_format": "json", "file": ("voice.mp3", MP3)},
        )
    ]
    await client(model_server, http, clock, key="").transcribe(voice(tmp_path))
    assert model_server.requests[1][1] == ""


@pytest.mark.parametrize(
    ("begin", "name"),
    [(b"RIFF", "wav"), (b"ID3", "mp3"), (b"\xff\xfb", "mp3"), (b"OggS", "ogg"), (b"#!AMR\n", "amr")],
)
async def test_format_is_recognised(
    model_server: ModelServer, http: HttpClient, clock: Clock, tmp_path: Path, begin: bytes, name: str
) -> None:
    await client(model_server, http, clock).transcribe(voice(tmp_path, begin + b"sound"))
    ((_, _, body),) = model_server.requests
    assert body["file"] == (f"voice.{name}", begin + b"sound")


@pytest.mark.parametrize("begin", [b"#!SILK_V3", b"\x02#!SILK_V3"])
async def test_silk_is_decoded(
    model_server: ModelServer,
    http: HttpClient,
    clock: Clock,
    tmp_path: Path,
    begin: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def decoded(data: bytes) -> bytes:
        return b"RIFF" + data

    monkeypatch.setattr(transcription, "decoded", decoded)
    await client(model_server, http, clock).transcribe(voice(tmp_path, begin))
    ((_, _, body),) = model_server.requests
    assert body["file"] == ("voice.wav", b"RIFF" + begin)


@pytest.mark.parametrize(
    ("said", "text"),
    [("好", "好"), ("", ""), (" 。！", ""), ("字" * 2001, "字" * 2000), (None, ""), (["好"], ""), (7, "")],
)
async def test_only_words_are_a_transcript(
    model_server: ModelServer, http: HttpClient, clock: Clock, tmp_path: Path, said: Any, text: str
) -> None:
    model_server.answer = lambda _: {"text": said}
    assert await client(model_server, http, clock).transcribe(voice(tmp_path)) == text


@pytest.mark.parametrize(("status", "raw"), [(503, b"{}"), (200, b"no json"), (200, b"{}"), (200, b"[" * 100_000)])
async def test_failing_server_is_left_alone_for_a_while(
    model_server: ModelServer, http: HttpClient, clock: Clock, tmp_path: Path, status: int, raw: bytes
) -> None:
    model_server.status, model_server.raw = status, raw
    transcribe = client(model_server, http, clock).transcribe
    assert [await transcribe(voice(tmp_path)) for _ in range(5)] == [""] * 5
    assert len(model_server.requests) == 3
    model_server.status, model_server.raw, model_server.answer = 200, None, lambda _: {"text": "好"}
    clock.now += 31
    assert await transcribe(voice(tmp_path)) == "好"


async def test_answer_ends_a_row_of_failures(
    model_server: ModelServer, http: HttpClient, clock: Clock, tmp_path: Path
) -> None:
    model_server.answer = lambda _: {"text": "好"}
    transcribe = client(model_server, http, clock).transcribe
    for status in (500, 500, 200, 500, 500, 200):
        model_server.status = status
        assert await transcribe(voice(tmp_path)) == ("好" if status == 200 else "")


async def test_unreadable_file_is_no_failure_of_the_server(
    model_server: ModelServer, http: HttpClient, clock: Clock, tmp_path: Path
) -> None:
    model_server.answer = lambda _: {"text": "好"}
    transcribe = client(model_server, http, clock).transcribe
    large = tmp_path / "large"
    large.write_bytes(MP3)
    with large.open("r+b") as file:
        file.truncate(MAX_BYTES + 1)
    for path in (str(tmp_path / "missing"), voice(tmp_path, b"PNG"), voice(tmp_path, b""), str(large)):
        assert await transcribe(path) == ""
    assert model_server.requests == []
    with large.open("r+b") as file:
        file.truncate(MAX_BYTES)
    assert MAX_BYTES == 10 * 1024 * 1024
    assert await transcribe(voice(tmp_path)) == "好"
    assert await asyncio.to_thread(transcription._read, str(large)) != b""


async def test_slow_server_is_not_waited_for(
    model_server: ModelServer, http: HttpClient, clock: Clock, tmp_path: Path
) -> None:
    model_server.open.clear()
    assert await client(model_server, http, clock, timeout=0.05).transcribe(voice(tmp_path)) == ""


async def test_nothing_is_sent_without_a_server(http: HttpClient, clock: Clock, tmp_path: Path) -> None:
    off = TranscriptionClient(http, TranscriptionSettings(), clock)
    assert not off.is_on
    assert await off.transcribe(voice(tmp_path)) == ""
    assert http._session is None


class Decoder:
    """Instead of the child process: `sound` is what it prints, `code` its exit status."""

    def __init__(self, sound: bytes = b"", code: int = 0, *, hangs: bool = False) -> None:
        self.sound, self.code, self.hangs = sound, code, hangs
        self.returncode: int | None = None
        self.killed = False

    async def communicate(self, _data: bytes) -> tuple[bytes, None]:
        if self.hangs:
            await asyncio.Event().wait()
        self.returncode = self.code
        return self.sound, None

    def kill(self) -> None:
        self.killed = True

    async def wait(self) -> None:
        self.returncode = -9

    async def start(self, *_: Any, **__: Any) -> Decoder:
        return self


@pytest.mark.parametrize(
    ("decoder", "is_sound"),
    [(Decoder(b"x" * 45), True), (Decoder(b"x" * 44), False), (Decoder(b"x" * 45, 1), False)],
)
async def test_failed_decoding_is_noticed(monkeypatch: pytest.MonkeyPatch, decoder: Decoder, is_sound: bool) -> None:
    monkeypatch.setattr(asyncio, "create_subprocess_exec", decoder.start)
    if is_sound:
        assert await transcription.decoded(b"silk") == decoder.sound
    else:
        with pytest.raises(transcription.UndecodableAudio):
            await transcription.decoded(b"silk")
    assert not decoder.killed


async def test_hanging_decoder_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Decoder(hangs=True)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", decoder.start)
    monkeypatch.setattr(transcription, "DECODE_SECONDS", 0.001)
    with pytest.raises(transcription.UndecodableAudio):
        await transcription.decoded(b"silk")
    assert decoder.killed and decoder.returncode == -9
