"""`python -m services.moderation.picture_worker`: the child process that opens pictures for their QR codes.

Decoders may need far more memory than a picture has bytes, and may crash. The parent writes a picture as its length
(4 bytes, big endian) and its bytes to stdin; the child answers with a line of JSON: the list of what the codes say.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
from typing import Final

MAX_MEMORY: Final = 384 * 1024 * 1024  # bytes of address space; the libraries alone take about half of it
MAX_CPU: Final = 3600  # seconds in all: a child that loops is killed by its parent long before


def main() -> None:
    """Answer until stdin ends."""
    from services.moderation.barcodes import codes_in

    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU, MAX_CPU))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pictures, answers = sys.stdin.buffer, sys.stdout
    while len(head := pictures.read(4)) == 4:
        (length,) = struct.unpack(">I", head)
        answers.write(json.dumps(codes_in(pictures.read(length))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
