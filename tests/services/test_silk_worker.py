"""The decoder of voice messages, without its process."""

from __future__ import annotations

import io
import math
import resource
import struct
import sys
import wave
from types import SimpleNamespace

import pysilk
import pytest

from services.support import silk_worker


def test_silk_becomes_wav_within_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    rate = 24_000
    samples = (int(8000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(rate // 5))
    message, decoded = io.BytesIO(), io.BytesIO()
    pysilk.encode(io.BytesIO(b"".join(struct.pack("<h", sample) for sample in samples)), message, rate, rate)
    limits: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(message.getvalue())))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=decoded))
    silk_worker.main()
    with wave.open(io.BytesIO(decoded.getvalue())) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 16_000)
        assert sound.getnframes() == pytest.approx(16_000 / 5, rel=0.15)
        assert len(sound.readframes(16_000)) == 2 * sound.getnframes()
    assert limits == {
        resource.RLIMIT_AS: (256 * 1024 * 1024,) * 2,
        resource.RLIMIT_CPU: (10, 10),
        resource.RLIMIT_CORE: (0, 0),
    }
