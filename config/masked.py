"""The configuration without its secrets, for display."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel

HIDDEN: Final = "••••••"
SECRET_NAMES: Final = frozenset({"token", "secret", "key", "keys", "password", "aes_key"})
SECRET_VALUES: Final = frozenset({"headers"})  # mappings whose values are secrets


def masked(config: BaseModel) -> dict[str, Any]:
    """Return the config as plain values with secrets hidden; empty values stay empty."""
    shown: dict[str, Any] = _shown("", config.model_dump(mode="json", by_alias=True))
    return shown


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        if name in SECRET_VALUES:
            return dict.fromkeys(value, HIDDEN)
        if name == "texts":
            return value
        return {key: _shown(key, one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shown(name, one) for one in value]
    if isinstance(value, str) and value:
        if name in SECRET_NAMES:
            return HIDDEN
        if "://" in value:
            return _without_password(value, path=name != "url")
    return value


def _without_password(url: str, *, path: bool) -> str:
    """Hide user and password of a URL, and also its path unless `path`."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if "@" in parts.netloc:
        host = f"{HIDDEN}@{host}"
    rest = (parts.path, "", "") if path else (f"/{HIDDEN}" if parts.path.strip("/") or parts.query else "", "", "")
    return urlunsplit((parts.scheme, host, *rest))
