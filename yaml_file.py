"""YAML files that know the line of each value, for error messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

Place = tuple[str | int, ...]  # the path to a value: keys and list indexes from 0
MERGE: Final = "tag:yaml.org,2002:merge"


class ConfigError(Exception):
    """The configuration is invalid; the message is one line."""


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML loader that rejects duplicate keys, of which the second would silently replace the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping; raise ConstructorError for a duplicate key."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != MERGE:
                if key.value in seen:
                    name = f" {key.value!r}" if re.fullmatch(r"[\w.-]{1,60}", key.value) else ""
                    raise yaml.constructor.ConstructorError(None, None, f"duplicate key{name}", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


class YamlFile:
    """The content of a YAML file, and the lines where its values are."""

    def __init__(self, text: str, name: str = "") -> None:
        """Raises yaml.YAMLError. `name` is shown in errors."""
        self.name = name
        loader = UniqueKeyLoader(text)
        try:
            self._root = loader.get_single_node()
            self.value: Any = loader.construct_document(self._root) if self._root is not None else None
        finally:
            loader.dispose()

    def __deepcopy__(self, _memo: dict[int, Any]) -> YamlFile:
        """Return itself: it never changes."""
        return self

    def line(self, place: Place) -> int | None:
        """Return the line of a value, or of the innermost part of the place that the file has; None for the root."""
        node, mark = self._root, None
        for part in place:
            child = _child(node, part)
            if child is None:
                break
            mark, node = child
        return mark.line + 1 if mark is not None else None

    def describe(self, place: Place) -> str:
        """Return the name of the file and the line of a value, for people."""
        line = self.line(place)
        return ", ".join(filter(None, [self.name, f"line {line}" if line else ""]))


def _child(node: Any, part: str | int) -> tuple[Any, Any] | None:
    """Return where a part of a collection begins, and the part."""
    if isinstance(node, yaml.MappingNode):
        # the values of a merge (<<) come first, and a key of the mapping itself replaces them
        entries = ((key, value) for key, value in reversed(node.value) if key.value == str(part))
        key, value = next(entries, (None, None))
        return (key.start_mark, value) if key is not None else None
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark, node.value[part]
    return None


def read(path: str | Path) -> YamlFile:
    """Parse a YAML file; raise ConfigError with one line."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8: save the file as UTF-8") from None
    try:
        return YamlFile(text, str(path))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: invalid YAML: {reason(error, text)}") from None


def reason(error: yaml.YAMLError, text: str) -> str:
    """Return the position of the error in one line. The error's own text quotes the file, which may contain secrets."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark
        prefix = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        return f"{prefix}{error.problem or error.context}"
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        column = len(before) - before.rfind("\n")
        return f"line {before.count(chr(10)) + 1}, column {column}: control character U+{error.character:04X}"
    return type(error).__name__
