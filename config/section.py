"""Base class of the configuration's sections, and value types."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Collection
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, Self, get_origin
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import re2
import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from yaml_file import Place

FILE: Final = "file:"  # prefix of a secret that is the path of a file
MAX_NAMED: Final = 25  # maximum number of keys listed in an error
SCALARS: Final = {int: "expected an integer", float: "expected a number", bool: "expected true or false"}
_NAME: Final = re.compile(r"\{(\w+)\}")


class FromEnvironment(str):
    """A value from the environment, which is parsed as the expected type. Lists and mappings are written in YAML."""

    __slots__ = ()


def _not_empty(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


NonEmpty = Annotated[str, AfterValidator(_not_empty)]


def _check_single_entry(value: str) -> str:
    """Reject what is meant as several entries: YAML separates them by the comma of an English keyboard only."""
    if "，" in value or "、" in value:
        raise ValueError("expected one entry; entries are separated by an English comma (,), not by ， or 、")
    return value


OneEntry = Annotated[NonEmpty, AfterValidator(_check_single_entry)]  # of a list of names or words


def _from_file(value: object) -> object:
    """Read a value file:PATH from that file, without the trailing line break; return other values unchanged."""
    if not isinstance(value, str) or not value.startswith(FILE):
        return value
    path = value.removeprefix(FILE)
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise ValueError(f"the file {path!r} cannot be read: {reason}") from None


def _pattern(value: str) -> str:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(value, options)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"not a valid RE2 expression: {reason}") from None
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]  # in the syntax of RE2


class Mask(Enum):
    """Marks in a type which part of a value is hidden (config.masked)."""

    WHOLE = "whole"
    PATH = "path"  # of an address: anything behind the host


Secret = Annotated[str, BeforeValidator(_from_file), Mask.WHOLE]  # itself, or file:PATH of a file that holds it
SecretAddress = Annotated[str, BeforeValidator(_from_file)]  # the same; its user and password alone are secret


MIN_SECRET: Final = 16  # characters of a key or secret that others must not be able to guess


def check_secret_length(value: str) -> str:
    """Return the value; ValueError if it is too short for a secret."""
    if len(value) < MIN_SECRET:
        raise ValueError(f"expected at least {MIN_SECRET} characters (openssl rand -base64 32 creates some)")
    return value


def web_address(value: str) -> str:
    """Return the URL; raise ValueError unless it is an http(s) URL."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"\s", value):
        raise ValueError("expected a URL like https://host/path")
    return value


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("expected a time zone like Asia/Shanghai") from None
    return value


WebAddress = Annotated[str, AfterValidator(web_address)]
SecretWebAddress = Annotated[WebAddress, Mask.PATH]  # a URL whose path may be a secret
TimeZone = Annotated[str, AfterValidator(_timezone)]
Seconds = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A section of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _parse_fields(cls, data: Any) -> Any:
        if isinstance(data, FromEnvironment):
            with contextlib.suppress(yaml.YAMLError):
                data = yaml.safe_load(data)
        if not isinstance(data, dict):
            return data
        fields = {field.alias or name: field.annotation for name, field in cls.model_fields.items()}
        for key in data:
            if key not in fields:
                raise key_error(str(key), f"unknown key; allowed: {_choice(str(key), fields)}")
        return {key: _read(key, value, fields[key]) for key, value in data.items()}

    def adopt(self, other: Self) -> None:
        """Copy the values of another section, so that all holders of this one see them.

        It does not await, so a reload is atomic on the event loop. Only for the owner of the config.
        """
        for name in type(self).model_fields:
            current, new = getattr(self, name), getattr(other, name)
            if isinstance(current, Section) and isinstance(new, Section):
                current.adopt(new)
            else:
                self.__dict__[name] = new


def key_error(key: str | Place, reason: str) -> PydanticCustomError:
    """Create the error of a section about one of its keys, or of a value below it."""
    place = (key,) if isinstance(key, str) else key
    return PydanticCustomError("wrong_key", "{reason}", {"place": place, "reason": reason})


def error_at(place: Place, message: str) -> PydanticCustomError:
    """Create the error of a section whose message is complete, including the value; `place` is its path."""
    return PydanticCustomError("misplaced", "{words}", {"place": place, "words": message})


def check_names(key: str, text: str, allowed: Collection[str]) -> None:
    """Raise an error if a text has {names} that are not filled in."""
    unknown = sorted(set(_NAME.findall(text)) - set(allowed))
    if unknown:
        allowed_names = ", ".join(f"{{{name}}}" for name in sorted(allowed)) or "none"
        raise key_error(key, f"unknown placeholder {{{unknown[0]}}}; allowed: {allowed_names}")


def names_in(text: str) -> set[str]:
    """Return the {names} in a text."""
    return set(_NAME.findall(text))


def _choice(key: str, fields: Collection[str]) -> str:
    if len(fields) <= MAX_NAMED:
        return ", ".join(fields)
    similar_keys = difflib.get_close_matches(key, fields, n=3, cutoff=0.3)
    return ", ".join([*similar_keys, "…"])


def _read(key: str, value: Any, expected: Any) -> Any:
    """Convert a value from the environment to the expected type; reject strings and booleans for numbers otherwise."""
    from_environment = isinstance(value, FromEnvironment)
    another_kind = isinstance(value, str) or isinstance(value, bool) != (expected is bool)
    if expected in SCALARS and another_kind and not from_environment:
        raise key_error(key, SCALARS[expected])
    kind = get_origin(expected)
    if not from_environment or kind not in (list, tuple, dict):
        return value
    try:
        read = yaml.safe_load(value)
    except yaml.YAMLError:
        expected = "expected a mapping like {a: 1}" if kind is dict else "expected a list like [a, b]"
        raise key_error(key, expected) from None
    if kind is dict or not isinstance(read, str | int | float):
        return read or kind()
    return [part.strip() for part in value.split(",")]
