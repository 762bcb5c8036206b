"""Formats validation errors in one line: the key, the value, what is allowed, and the line of the file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.section import FromEnvironment
from yaml_file import Place, YamlFile

SECRET_KEYS: Final = ("token", "key", "keys", "secret", "headers", "aes_key", "password")
SIMILAR: Final = 0.7  # to the name of a secret, so that a misspelled one does not show it
REASONS_BY_TYPE: Final = {  # prefixes of pydantic's error types
    "missing": "this key is required",
    "string_type": "expected a string; quote it if it looks like a number",
    "int_": "expected an integer",
    "float_": "expected a number",
    "finite_number": "expected a number",
    "bool_": "expected true or false",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "too_short": "at least one item is required",
}
_LINE_ENDS: Final = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
REPLACEMENTS: Final = {"Input should be": "must be", "String should": "must", "True or False": "true or false"}


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a configuration's values: a file, and environment variables by the key that they set."""

    file: YamlFile | None = None
    variables: Mapping[Place, str] = field(default_factory=dict)

    def variable(self, place: Place) -> str:
        """Return the variable that set a value, "" = none."""
        names = (
            name for path, name in self.variables.items() if all(a == b for a, b in zip(path, place, strict=False))
        )
        return next(names, "") if place else ""

    def line(self, place: Place) -> str:
        """Return the file and the line of a value in parentheses, "" if it is not in the file."""
        position = self.file.describe(place) if self.file is not None and not self.variable(place) else ""
        return f" ({position})" if position else ""


def one_line(errors: ValidationError, tree: Any, origin: Origin | None = None) -> str:
    """Format the first error in one line. `tree`: the validated data. List entries are counted from 1."""
    origin = origin or Origin()
    complaint, place = _first_error(errors, tree, origin)
    return _LINE_ENDS.sub(" ", complaint + origin.line(place))  # keys may contain line breaks, too


def without_value(errors: ValidationError, tree: Any) -> str:
    """Return the key of the first error and what is allowed, for logs: the value may be a secret."""
    first = errors.errors(include_url=False)[0]
    return _LINE_ENDS.sub(" ", f"{_key(tree, _place(tree, first))[:120]}: {reason(first)}")


def _first_error(errors: ValidationError, tree: Any, origin: Origin) -> tuple[str, Place]:
    places = [(_place(tree, error), error) for error in errors.errors(include_url=False)]
    first = places[0][0]  # among the branches of a union, the one with the longest path is the most specific
    place, error = max((p for p in places if p[0][: len(first)] == first), key=lambda p: len(p[0]))
    if error["type"] == "misplaced":
        return reason(error), place
    value = error["input"]
    for part in _inner(error):
        value = _item(value, part)
    key, by = _key(tree, place), origin.variable(place)
    head = f"{key}{f' ({by})' if by else ''}: " if key else ""
    if error["type"] == "missing" or (error["type"] == "value_error" and isinstance(value, dict)):
        return head + reason(error), place  # the validator of a whole section; its message is complete
    return f"{head}{_shown(place, value, is_secret(place))} is not valid: {reason(error)}", place


def is_secret(place: Place) -> bool:
    """Return whether a place holds a secret, by its last name or a name like it."""
    names = [part.lower() for part in place if isinstance(part, str)]
    if not names or names[0] == "texts":  # which people read
        return False
    return "headers" in names or bool(difflib.get_close_matches(names[-1], SECRET_KEYS, 1, SIMILAR))


def _inner(error: ErrorDetails) -> Place:
    """Return the place of the value that the error of a whole section is about, from that section on."""
    return tuple(error.get("ctx", {}).get("place", ()))


def _item(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return next((item for key, item in value.items() if str(key) == str(part)), None)
    return value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else value


def _key(tree: Any, place: Place) -> str:
    """Format a place with dots. List entries are counted from 1."""
    parts, node = [], tree
    for part in place:
        parts.append(str(part + 1) if isinstance(part, int) and not isinstance(node, dict) else str(part))
        node = _item(node, part) if isinstance(node, dict | list) else None
    return ".".join(parts)


def _place(tree: Any, error: ErrorDetails) -> Place:
    """Return the key's path in the file, without pydantic's names of union branches."""
    path: list[str | int] = []
    node, loc = tree, error["loc"]
    for number, part in enumerate(loc, 1):
        if part in (node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()):
            node = node[part]
        elif _is_branch(part) or not (
            isinstance(node, FromEnvironment) or (error["type"] == "missing" and number == len(loc))
        ):
            continue
        path.append(part)
    return (*path, *_inner(error))


def _is_branch(part: object) -> bool:
    """Whether a part of a path is pydantic's name of a union's branch: a class or a validator."""
    return isinstance(part, str) and (part[:1].isupper() or "[" in part)


def reason(error: ErrorDetails) -> str:
    """Return what is allowed instead of the value."""
    for begin, allowed in REASONS_BY_TYPE.items():
        if error["type"].startswith(begin):
            return allowed
    allowed = error["msg"].removeprefix("Value error, ")
    for original, replacement in REPLACEMENTS.items():
        allowed = allowed.replace(original, replacement)
    return allowed


def _shown(place: Place, value: Any, secret: bool) -> str:
    """Format a value without secrets, limited in length."""
    if value is None:
        return "(no value)"
    if value == "":
        return "''"
    if secret:
        return "(hidden)"
    if isinstance(value, dict):
        return "a mapping" if value else "{}"
    if isinstance(value, list | tuple):
        if any(isinstance(item, dict | list) for item in value):
            return "a list"
        return f"[{', '.join(_shown(place, item, secret) for item in value)}]"[:120]
    if not isinstance(value, str):
        return repr(value)[:120]
    if place == ("database",) and "://" not in value and not re.fullmatch(r"[\w./-]*", value):
        return "(hidden)"
    if "://" in value:
        value = re.sub(r"\?.*", "?***", re.sub("//.*@", "//***@", value))
    return repr(str(value))[:120]
