"""Warnings about settings that are valid but probably unintended."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from config import Config

PUBLIC_URL: Final = {
    "zh": "api.public_url 还是 {url}：别人的手机打不开入群页面，请改成从外面能访问的网址",
    "en": "api.public_url is still {url}: no other phone can open the join pages; set an address that is reachable",
}


def advice(config: Config) -> dict[str, str]:
    """Return warnings by key, in the configured language."""
    is_real = any(not assistant.is_sandboxed for assistant in config.assistants)
    if is_real and _is_loopback(config.api.public_url):
        return {"api.public_url": PUBLIC_URL[config.language].format(url=config.api.public_url)}
    return {}


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
