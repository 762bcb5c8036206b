"""The language of the relay's config errors: Chinese, or English with WXBOT_LANGUAGE=en."""

from __future__ import annotations

import os
from typing import Final

from error_translations import PLACES, VALUES, Translations, Translator

VARIABLE: Final = "WXBOT_LANGUAGE"

CHINESE: Final[Translations] = (
    *PLACES,
    (r"\bexpected a mapping with the key relays", "要填带 relays 的键值对"),
    (r"\bthe environment variable (\w+) is not set", r"没有设置环境变量 \1"),
    (r"\bunknown key", "没有这个键"),
    (r"\bexpected host:port, like (\S+)", r"要填 主机:端口，例如 \1"),
    (r"\bexpected letters, digits, \. _ and -", "只能用字母、数字和 . _ -"),
    (r"\btls_certificate and tls_key must be set together", "tls_certificate 和 tls_key 要一起填"),
    (r"\btwo relays have the same (.+): (\S+)", r"有两项的 \1 相同：\2"),
    *VALUES,
    (r"\bmust be ('auto'), True or False", r"只能是 \1、true 或 false"),
    (r"\bmust be (.+?) or (\S+)", r"只能是 \1 或 \2"),
)
_TRANSLATOR: Final = Translator(CHINESE)


def translated(error: str) -> str:
    """Return a config error in the operator's language."""
    return error if os.environ.get(VARIABLE) == "en" else _TRANSLATOR.translate(error)
