"""Voice messages as text, by any OpenAI-compatible `/audio/transcriptions` server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any, Final

import aiohttp

from config.customer_service import TranscriptionSettings
from services.clock import Clock
from services.messaging.http_client import HttpClient, read_bounded
from services.support.circuit_breaker import CircuitBreaker

log = logging.getLogger(__name__)
MAX_BYTES: Final = 10 * 1024 * 1024  # of a voice message; a minute of SILK has about 100 KB
DECODE_SECONDS: Final = 10.0
CONCURRENT: Final = 4  # voice messages decoded at a time
MAX_TRANSCRIPT: Final = 2000  # maximum length of a transcript
ROOT: Final = Path(__file__).parents[2]
SILK: Final = (b"#!SILK_V3", b"\x02#!SILK_V3")  # the second is Tencent's own
FORMATS: Final = ((b"RIFF", "wav"), (b"ID3", "mp3"), (b"\xff", "mp3"), (b"OggS", "ogg"), (b"#!AMR", "amr"))


class UndecodableAudio(Exception):
    """A voice message that cannot be decoded."""


class TranscriptionClient:
    """Client of the transcription server. Failures of the server or an unreadable file never raise."""

    def __init__(self, http: HttpClient, settings: TranscriptionSettings, clock: Clock) -> None:
        self._http = http
        self._settings = settings
        self._breaker = CircuitBreaker(clock)
        self._turns = asyncio.Semaphore(CONCURRENT)

    @property
    def is_on(self) -> bool:
        """Whether a server is configured."""
        return bool(self._settings.base_url)

    async def transcribe(self, path: str) -> str:
        """Return the transcript of a sound file on disk, or "" if it is not available in time."""
        if not self.is_on or self._breaker.is_open:
            return ""
        try:
            async with asyncio.timeout(self._settings.timeout):
                async with self._turns:
                    audio, name = await _playable(await asyncio.to_thread(_read, path))
                transcript = await self._ask(audio, name)
        except (UndecodableAudio, OSError) as error:
            log.warning("could not convert a voice message: %s", type(error).__name__)
            return ""
        except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError, RecursionError) as error:
            log.warning("the transcription server did not answer: %s", type(error).__name__)
            self._breaker.failed()
            return ""
        self._breaker.succeeded()
        return transcript

    async def _ask(self, audio: bytes, name: str) -> str:
        settings = self._settings
        form = aiohttp.FormData()
        form.add_field("model", settings.model)
        form.add_field("response_format", "json")
        form.add_field("file", audio, filename=name, content_type="application/octet-stream")
        headers = {"Authorization": f"Bearer {settings.key}"} if settings.key else {}
        url = f"{settings.base_url.rstrip('/')}/audio/transcriptions"
        async with self._http.session.post(url, data=form, headers=headers) as response:
            response.raise_for_status()
            answer: Any = json.loads(await read_bounded(response))
        transcript = answer["text"]
        if not isinstance(transcript, str):
            raise TypeError("text is not a string")
        transcript = (
            transcript.replace("\0", "").encode(errors="replace").decode()
        )  # JSON may hold half of a surrogate pair
        return transcript.strip()[:MAX_TRANSCRIPT] if any(map(str.isalnum, transcript)) else ""


def _read(path: str) -> bytes:
    if os.path.getsize(path) > MAX_BYTES:  # noqa: PTH202 - the path as it is stored
        raise UndecodableAudio("too large")
    return Path(path).read_bytes()


async def _playable(data: bytes) -> tuple[bytes, str]:
    """Return the audio in a format that servers accept, with a matching file name; raise UndecodableAudio."""
    if data.startswith(SILK):
        return await decoded(data), "voice.wav"
    suffix = next((suffix for begin, suffix in FORMATS if data.startswith(begin)), "")
    if not suffix:
        raise UndecodableAudio("unknown format")
    return data, f"voice.{suffix}"


async def decoded(data: bytes) -> bytes:
    """Convert SILK to WAV in a child process; raise UndecodableAudio."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.support.silk_worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=ROOT,
        env={"PATH": os.defpath},
    )
    try:
        async with asyncio.timeout(DECODE_SECONDS):
            audio, _ = await child.communicate(data)
    except TimeoutError:
        raise UndecodableAudio("the decoder takes too long") from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode != 0 or len(audio) <= 44:  # a WAV's header
        raise UndecodableAudio("it cannot be decoded")
    return audio
