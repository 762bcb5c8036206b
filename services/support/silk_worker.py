"""`python -m services.support.silk_worker`: child process that decodes one voice message from stdin to stdout.

The decoder is C code and its input is untrusted: it may use any amount of memory, loop or crash.
"""

from __future__ import annotations

import io
import resource
import sys
import wave
from typing import Final

import pysilk

RATE: Final = 16_000  # samples a second; what speech models work with
MAX_MEMORY: Final = 256 * 1024 * 1024  # bytes of address space
MAX_CPU: Final = 10  # seconds


def main() -> None:
    """Decode SILK into WAV; the exit status is not 0 if that fails."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU, MAX_CPU))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    samples = io.BytesIO()
    pysilk.decode(io.BytesIO(sys.stdin.buffer.read()), samples, RATE)
    with wave.open(sys.stdout.buffer, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.setnframes(len(samples.getbuffer()) // 2)  # stdout cannot be rewound to correct it
        wav.writeframesraw(samples.getbuffer())


if __name__ == "__main__":
    main()
