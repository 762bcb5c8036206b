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

MIN_SECRET: Final = 16  # characters
SHORT: Final = {
    "zh": "{key} 不到 {least} 个字符，容易被猜到：请换一个（可用 openssl rand -base64 32 生成）",
    "en": "{key} has less than {least} characters and can be guessed: replace it (openssl rand -base64 32 creates one)",
}


def advice(config: Config) -> dict[str, str]:
    """Return warnings by key, in the configured language."""
    is_real = any(not one.is_sandboxed for one in config.assistants)
    warnings = {key: SHORT[config.language].format(key=key, least=MIN_SECRET) for key in _short_secrets(config)}
    if is_real and _is_loopback(config.api.public_url):
        warnings["api.public_url"] = PUBLIC_URL[config.language].format(url=config.api.public_url)
    return warnings


def _short_secrets(config: Config) -> list[str]:
    """Return the settings that hold a secret which can be guessed, by their place in the file, counted from 1."""
    keys = [one if isinstance(one, str) else one.key for one in config.api.keys]
    secrets = {f"api.keys.{number}": key for number, key in enumerate(keys, 1)}
    secrets |= {f"webhooks.{number}.secret": hook.secret for number, hook in enumerate(config.webhooks, 1)}
    return [key for key, secret in secrets.items() if len(secret) < MIN_SECRET]


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
