"""Join tokens as people write them: found inside a text, without guessing."""

from __future__ import annotations

import base64
import binascii
import re

# Base64 of 12 upper-case hex digits: 16 characters, no padding.
_CANDIDATE = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9]{16}(?![A-Za-z0-9+/=])")
_DIGITS = re.compile(rb"[0-9A-F]{12}")


_ALONE = re.compile(r"(?!\d{16})[A-Za-z0-9+/]{16}")  # only digits: somebody's order number


def find_token(text: str) -> str | None:
    """The first join token in a text, whether a group has it or not; a line that is only as long as one, is one."""
    if _ALONE.fullmatch(text.strip()):
        return text.strip()
    for match in _CANDIDATE.finditer(text):
        try:
            decoded = base64.b64decode(match[0], validate=True)
        except binascii.Error:
            continue
        if _DIGITS.fullmatch(decoded):
            return match[0]
    return None
