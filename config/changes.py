"""Comparison of two configurations, and which keys can change at run time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from config.section import Section

if TYPE_CHECKING:
    from config import Config

RESTART: Final = frozenset(  # keys that need a restart
    {"assistants", "database", "timezone", "sandbox", "cluster", "language", "api.host", "api.port", "api.public_url"}
)


@dataclass(frozen=True, slots=True)
class Changes:
    """The changed keys as in config.yaml, without values, and the config that can be applied at run time."""

    config: Config
    changed: tuple[str, ...]
    restart: tuple[str, ...]


def compare(now: Config, new: Config) -> Changes:
    """Compare two configs. The resulting config keeps the values that need a restart."""
    keys = list(_differences(now, new, ""))
    restart = tuple(key for key in keys if _needs_restart(key))
    api = {name: getattr(now.api, name) for name in ("host", "port", "public_url")}
    unchanged: dict[str, Any] = {"api": new.api.model_copy(update=api)}
    unchanged |= {name: getattr(now, name) for name in type(now).model_fields if name in RESTART}
    return Changes(new.model_copy(update=unchanged), tuple(key for key in keys if key not in restart), restart)


def _needs_restart(key: str) -> bool:
    return any(key == prefix or key.startswith(f"{prefix}.") for prefix in RESTART)


def _differences(now: Section, expected: Section, place: str) -> Iterator[str]:
    for name, field in type(now).model_fields.items():
        old, new = getattr(now, name), getattr(expected, name)
        key = f"{place}{field.alias or name}"
        if isinstance(old, Section) and isinstance(new, Section):
            yield from _differences(old, new, f"{key}.")
        elif isinstance(old, dict) and isinstance(new, dict):
            yield from (f"{key}.{name}" for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name))
        elif old != new:
            yield key
