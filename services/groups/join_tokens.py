"""Recognition of join tokens in texts."""

from __future__ import annotations

import base64
import re

# Base64 of 12 upper-case hex digits: 16 characters without padding.
_CANDIDATE = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9]{16}(?![A-Za-z0-9+/=])")
_DIGITS = re.compile(rb"[0-9A-F]{12}")


_ALONE = re.compile(r"(?!\d{16})[A-Za-z0-9+/]{16}")  # digits only are more likely an order number


def find_token(text: str) -> str | None:
    """Return the first join token in a text, valid or not. A text of exactly 16 base64 characters counts as one."""
    if _ALONE.fullmatch(text.strip()):
        return text.strip()
    for match in _CANDIDATE.finditer(text):
        if _DIGITS.fullmatch(base64.b64decode(match[0])):
            return match[0]
    return None
