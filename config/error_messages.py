"""Formats validation errors in one line: the key, the value, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.section import FromEnvironment

Place = tuple[str | int, ...]
SECRET_KEYS: Final = ("token", "key", "keys", "secret", "headers")
WANTED: Final = {  # prefixes of pydantic's error types
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
OURS: Final = {"Input should be": "must be", "String should": "must", "True or False": "true or false"}


def one_line(errors: ValidationError, tree: Any, sources: Mapping[Place, str] | None = None) -> str:
    """Format the first error in one line. `tree`: the validated data; `sources`: variables by key."""
    return _LINE_ENDS.sub(" ", _complaint(errors, tree, sources or {}))  # keys may contain line breaks, too


def _complaint(errors: ValidationError, tree: Any, sources: Mapping[Place, str]) -> str:
    places = [(_place(tree, one), one) for one in errors.errors(include_url=False)]
    first = places[0][0]  # among the branches of a union, the one with the longest path is the most specific
    place, error = max((p for p in places if p[0][: len(first)] == first), key=lambda p: len(p[0]))
    value, named = error["input"], _named(error)
    if named and isinstance(value, dict):
        value = next((item for key, item in value.items() if str(key) == named), None)
    key = ".".join(map(str, place))
    variables = (name for at, name in sources.items() if all(a == b for a, b in zip(at, place, strict=False)))
    by = next((f" ({name})" for name in variables if place), "")
    head = f"{key}{by}: " if key else ""
    if error["type"] == "missing" or (error["type"] == "value_error" and isinstance(value, dict)):
        return head + _reason(error)  # a validator of a whole section, whose message says everything
    secret = any(part in SECRET_KEYS for part in place)
    return f"{head}{_shown(place, value, secret)} is not valid: {_reason(error)}"


def _named(error: ErrorDetails) -> str:
    """Return the key that the error of a whole section is about, if any."""
    return str(error.get("ctx", {}).get("key", ""))


def _place(tree: Any, error: ErrorDetails) -> Place:
    """Return the key's path in the file, without pydantic's names of union branches."""
    kept: list[str | int] = []
    node, loc = tree, error["loc"]
    for number, part in enumerate(loc, 1):
        if part in (node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()):
            node = node[part]
        elif not (isinstance(node, FromEnvironment) or (error["type"] == "missing" and number == len(loc))):
            continue
        kept.append(part)
    return (*kept, named) if (named := _named(error)) else tuple(kept)


def _reason(error: ErrorDetails) -> str:
    for begin, words in WANTED.items():
        if error["type"].startswith(begin):
            return words
    words = error["msg"].removeprefix("Value error, ")
    for theirs, ours in OURS.items():
        words = words.replace(theirs, ours)
    return words


def _shown(place: Place, value: Any, secret: bool) -> str:
    """Format a value without secrets, limited in length."""
    if value is None:
        return "(no value)"
    if value == "":
        return "''"
    if secret:
        return "(hidden)"
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list" if value else "an empty list"
    if not isinstance(value, str):
        return repr(value)[:120]
    if place == ("database",) and "://" not in value and not re.fullmatch(r"[\w./-]*", value):
        return "(hidden)"
    if "://" in value:
        value = re.sub(r"\?.*", "?***", re.sub("//.*@", "//***@", value))
    return repr(str(value))[:120]
