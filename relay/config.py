"""Configuration of the relay. An error is one line that names the key and its line in the file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from yaml_file import ConfigError, Place, read

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\[\]:/\s]+):(\d{1,5})")


REASONS: Final = {  # prefixes of pydantic's error types
    "missing": "this key is required",
    "extra_forbidden": "unknown key",
    "string_type": "expected a string; quote it if it looks like a number",
    "string_too_short": "must not be empty",
    "float_": "expected a number",
    "finite_number": "expected a number",
    "tuple_type": "expected a list",
    "model_type": "expected a mapping",
    "too_short": "at least one item is required",
}


class _BadValue(Exception):
    """A value that cannot be expanded."""

    def __init__(self, place: Place, reason: str) -> None:
        super().__init__(reason)
        self.place = place


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _address(value: str) -> str:
    match = _ADDRESS.fullmatch(value)
    if not (match and 0 < int(match[2]) < 2**16):
        raise ValueError("expected host:port, like 127.0.0.1:9010")
    return value


class RelaySettings(_Section):
    """A relay: the address for clients, and its gateway."""

    listen: str
    endpoint: str
    token: str = Field(min_length=1)
    tls: Literal["auto", True, False] = "auto"  # for both sides; with auto, clients may use either
    keep_days: float = Field(3, gt=0, le=3650)
    name: str = ""  # used for the journal's file and metrics; default: the endpoint
    tls_ca: str = ""  # PEM file: trust only this CA for the gateway
    tls_server_name: str = ""
    tls_certificate: str = ""  # PEM files of the certificate for clients; default: Wechaty's public one
    tls_key: str = ""
    release_after: float = Field(
        30, ge=0, le=86400
    )  # seconds until Stop ends the stream of a lost connection; 0 = never
    media_mb: float = Field(10, ge=0, le=1024)  # largest file stored for a disconnected client

    _addresses = field_validator("listen", "endpoint")(_address)

    @field_validator("token")
    @classmethod
    def _check_header_text(cls, value: str) -> str:
        if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
            raise ValueError("expected visible ASCII characters, without surrounding whitespace")
        return value

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if value and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
            raise ValueError("expected letters, digits, . _ and -")
        return value

    @field_validator("tls_ca", "tls_certificate", "tls_key")
    @classmethod
    def _check_file(cls, value: str) -> str:
        if value and not Path(value).is_file():
            raise ValueError("file not found")
        return value

    @model_validator(mode="after")
    def _check_certificate_pair(self) -> RelaySettings:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key must be set together")
        return self

    @property
    def title(self) -> str:
        """The name in logs, metrics and the journal's file name."""
        return self.name or re.sub(r"[^A-Za-z0-9._-]", "-", self.endpoint)


class RelayConfig(_Section):
    """The configuration file."""

    relays: tuple[RelaySettings, ...] = Field(min_length=1)
    data: Path = Path("data/relay")
    metrics: str = ""  # host:port of the Prometheus endpoint; empty = none
    log_format: Literal["text", "json"] = "text"

    @field_validator("metrics")
    @classmethod
    def _check_metrics(cls, value: str) -> str:
        return _address(value) if value else value

    @model_validator(mode="after")
    def _check_unique(self) -> RelayConfig:
        for key in ("listen", "title"):
            values = [getattr(relay, key) for relay in self.relays]
            repeated = next((value for value in values if values.count(value) > 1), None)
            if repeated is not None:
                raise ValueError(
                    f"two relays have the same {'name or endpoint' if key == 'title' else key}: {repeated}"
                )
        return self


def load(path: Path) -> RelayConfig:
    """Read a configuration file; raise ConfigError with one line."""
    file = read(path)
    if not isinstance(file.value, dict):
        raise ConfigError(f"{path}: expected a mapping with the key relays")
    try:
        return RelayConfig.model_validate(_expanded(file.value, ()))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place, reason = tuple(first["loc"]), _reason(first)
    except _BadValue as error:
        place, reason = error.place, str(error)
    except RecursionError:
        raise ConfigError(f"{path}: an alias (*) refers to itself") from None
    key = ".".join(str(part + 1 if isinstance(part, int) else part) for part in place)  # list entries count from 1
    raise ConfigError(f"{key or 'relays'}: {reason} ({file.describe(place)})") from None


def _reason(error: ErrorDetails) -> str:
    reason = next((reason for begin, reason in REASONS.items() if error["type"].startswith(begin)), "")
    return reason or error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")


def _expanded(value: Any, place: Place) -> Any:
    """Replace `${NAME}` by environment variables, and `file:PATH` in tokens by the file's content."""
    if isinstance(value, dict):
        return {key: _expanded(item, (*place, str(key))) for key, item in value.items()}
    if isinstance(value, list):
        return [_expanded(item, (*place, index)) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        value = os.environ.get(match[1])
        if value is None:
            raise _BadValue(place, f"the environment variable {match[1]} is not set")
        return value

    expanded = _VARIABLE.sub(variable, value)
    if place[-1:] == ("token",) and expanded.startswith("file:"):
        name = expanded.removeprefix("file:")
        try:
            return Path(name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise _BadValue(place, f"the file {name!r} cannot be read: {reason}") from None
    return expanded
