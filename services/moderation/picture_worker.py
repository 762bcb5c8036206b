"""`python -m services.moderation.picture_worker`: child process that decodes QR codes in images.

Decoders may need far more memory than the size of the file, and may crash. The parent writes an image as its length (4
bytes, big endian) and data to stdin; the child responds with a line of JSON: the list of the codes' contents.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
from typing import Final

MAX_MEMORY: Final = 384 * 1024 * 1024  # bytes of address space, half of which the libraries take
MAX_CPU: Final = 3600  # seconds in total; the parent kills a hanging child much earlier


def main() -> None:
    """Process images until stdin is closed."""
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
