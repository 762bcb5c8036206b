"""Generated avatars for people and groups."""

from __future__ import annotations

import hashlib
from html import escape


def svg(thing_id: str, name: str) -> str:
    """Return an SVG: a square in a colour derived from the id, with the first letter of the name."""
    hue = int.from_bytes(hashlib.sha256(thing_id.encode()).digest()[:2]) % 360
    letter = escape(name.strip()[:1] or "?")
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="64" height="64">'
        f'<rect width="64" height="64" rx="8" fill="hsl({hue} 45% 48%)"/>'
        '<text x="32" y="43" font-size="30" text-anchor="middle" fill="#fff" '
        f'font-family="PingFang SC,Noto Sans CJK SC,Microsoft YaHei,sans-serif">{letter}</text></svg>'
    )
