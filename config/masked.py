"""The effective config with its secrets hidden, which are marked in its types (config.section.Mask)."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from config.section import Mask
from config.texts import Texts

MASK: Final = "••••••"


def masked(config: BaseModel) -> dict[str, Any]:
    """Return the config as plain values, with the keys of config.yaml. Empty secrets stay empty."""
    values: dict[str, Any] = {}
    for name, field in type(config).model_fields.items():
        marks = [mark for mark in field.metadata if isinstance(mark, Mask)]
        values[field.alias or name] = _shown(getattr(config, name), field.annotation, marks)
    return values


def _shown(value: Any, kind: Any, marks: list[Mask]) -> Any:
    """Return a value with its secrets masked according to its type."""
    if isinstance(value, Texts):
        return value.model_dump(mode="json")  # texts that are public in WeChat
    if isinstance(value, BaseModel):
        return masked(value)
    marks = marks + list(_marks(kind))
    if isinstance(value, dict):
        return {key: _shown(item, _part(kind, 1), marks) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item, _part(kind, 0), marks) for item in value]
    value_ = to_jsonable_python(value)
    return _hidden(value_, marks) if isinstance(value_, str) and value_ else value_


def _marks(kind: Any) -> Iterator[Mask]:
    """Return the marks of a type or of the members of a union, not of its parts."""
    origin = get_origin(kind)
    if origin is Annotated:
        inner, *metadata = get_args(kind)
        yield from (mark for mark in metadata if isinstance(mark, Mask))
        yield from _marks(inner)
    elif origin in (Union, UnionType):
        for member in get_args(kind):
            yield from _marks(member)


def _part(kind: Any, place: int) -> Any:
    """Return the item type of a list (0) or the value type of a mapping (1); Any if unspecified."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _part(get_args(kind)[0], place)
    if origin in (Union, UnionType):
        return Union[tuple(_part(member, place) for member in get_args(kind))]  # noqa: UP007 - made of a list
    arguments = get_args(kind)
    return arguments[place] if len(arguments) > place else Any


def _hidden(value: str, marks: list[Mask]) -> str:
    if Mask.WHOLE in marks:
        return MASK
    return _plain_address(value, path=Mask.PATH not in marks) if "://" in value else value


def _plain_address(url: str, *, path: bool) -> str:
    """Return an address without user, password and query, and without its path if that may be secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if "@" in parts.netloc:
        host = f"{MASK}@{host}"
    secret = f"/{MASK}" if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{host}{parts.path if path else secret}"  # urlunsplit drops slashes of sqlite:////path
