"""Environment variables in the configuration: ${NAME} in values, and WXBOT_A__B for the key a.b."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from config.section import FromEnvironment

PREFIX: Final = "WXBOT_"
# Kubernetes sets these in every pod if there is a service named wxbot: WXBOT_PORT=tcp://10.0.0.1:8080 and the like.
KUBERNETES: Final = re.compile(
    r"WXBOT_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
Sources = dict[tuple[str | int, ...], str]  # path of a key -> the variable that set it


class BadVariable(ValueError):
    """A variable that does not match the configuration; the message names it."""


def expand(value: Any, environment: Mapping[str, str]) -> Any:
    """Replace ${NAME} in all strings of a YAML tree; an unset variable is empty."""
    if isinstance(value, str):
        filled = re.sub(r"\$\{(\w+)\}", lambda match: environment.get(match[1], ""), value)
        return FromEnvironment(filled) if filled != value else value
    if isinstance(value, list):
        return [expand(item, environment) for item in value]
    if isinstance(value, dict):
        return {key: expand(item, environment) for key, item in value.items()}
    return value


def override(tree: dict[str, Any], environment: Mapping[str, str]) -> Sources:
    """Apply the WXBOT_ variables to the tree and return which keys they set. Numbers are indexes of lists."""
    sources: Sources = {}
    for name, text in sorted(environment.items()):
        if name.upper().startswith(PREFIX) and not KUBERNETES.fullmatch(name):
            sources[_put(tree, name, text)] = name
    return sources


def _put(tree: dict[str, Any], name: str, text: str) -> tuple[str | int, ...]:
    node: Any = tree
    place: list[str | int] = []
    parts = name[len(PREFIX) :].lower().split("__")
    for part, following in itertools.pairwise(parts):
        key = _key(node, part, name)
        place.append(key)
        if _missing(node, key):
            _set(node, key, [] if following.isdecimal() else {}, name)
        node = node[key]
    key = _key(node, parts[-1], name)
    _set(node, key, _merge(None if _missing(node, key) else node[key], text), name)
    return (*place, key)


def _key(node: Any, part: str, name: str) -> str | int:
    if isinstance(node, list):
        if not part.isdecimal():
            raise BadVariable(f"{name}: {part!r} is not a list index; expected a number from 0")
        return int(part)
    if isinstance(node, dict):
        return next((key for key in node if str(key).lower() == part), part)
    raise BadVariable(f"{name}: {type(node).__name__} has no key {part!r}")


def _missing(node: Any, key: Any) -> bool:
    return key >= len(node) if isinstance(node, list) else node.get(key) is None


def _set(node: Any, key: Any, value: Any, name: str) -> None:
    if isinstance(node, dict) or key < len(node):
        node[key] = value
    elif key == len(node):
        node.append(value)
    else:
        raise BadVariable(f"{name}: the list has {len(node)} items; the next index is {len(node)}")


def _merge(old: Any, text: str) -> Any:
    """Return the new value; a mapping is merged into an existing mapping."""
    if isinstance(old, dict):
        try:
            new = yaml.safe_load(text)
        except yaml.YAMLError:
            new = None
        if isinstance(new, dict):
            return _merged(old, new)
    return FromEnvironment(text)


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    mappings = [key for key in new if isinstance(old.get(key), dict) and isinstance(new[key], dict)]
    return old | new | {key: _merged(old[key], new[key]) for key in mappings}
