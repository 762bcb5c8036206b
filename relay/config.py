"""Configuration of the relay. An error is one line that names the key."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\[\]:/\s]+):(\d{1,5})")


class RelayConfigError(Exception):
    """The file is invalid; the message is one line."""


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
    media_mb: float = Field(10, ge=0, le=1024)  # largest file stored for a disconnected client

    _addresses = field_validator("listen", "endpoint")(_address)

    @field_validator("token")
    @classmethod
    def _fits_a_header(cls, value: str) -> str:
        if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
            raise ValueError("expected visible ASCII characters, without surrounding whitespace")
        return value

    @field_validator("name")
    @classmethod
    def _is_a_file_name(cls, value: str) -> str:
        if value and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
            raise ValueError("expected letters, digits, . _ and -")
        return value

    @field_validator("tls_ca", "tls_certificate", "tls_key")
    @classmethod
    def _is_a_file(cls, value: str) -> str:
        if value and not Path(value).is_file():
            raise ValueError("file not found")
        return value

    @model_validator(mode="after")
    def _both_or_none(self) -> RelaySettings:
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
    def _metrics_address(cls, value: str) -> str:
        return _address(value) if value else value

    @model_validator(mode="after")
    def _each_once(self) -> RelayConfig:
        for key in ("listen", "title"):
            values = [getattr(relay, key) for relay in self.relays]
            double = next((one for one in values if values.count(one) > 1), None)
            if double is not None:
                raise ValueError(f"two relays have the same {'name or endpoint' if key == 'title' else key}: {double}")
        return self


def load(path: Path) -> RelayConfig:
    """Read a configuration file; raise ConfigError."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RelayConfigError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RelayConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise RelayConfigError(f"{path}: expected a mapping with the key relays")
    try:
        return RelayConfig.model_validate(_expanded(data, ""))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "relays"
        raise RelayConfigError(f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}") from None
    except RelayConfigError as error:
        raise RelayConfigError(f"{path}: {error}") from None


def _expanded(value: Any, where: str) -> Any:
    """Replace `${NAME}` by environment variables, and `file:PATH` in tokens by the file's content."""
    if isinstance(value, dict):
        return {key: _expanded(one, f"{where}.{key}".lstrip(".")) for key, one in value.items()}
    if isinstance(value, list):
        return [_expanded(one, f"{where}.{index}") for index, one in enumerate(value)]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        given = os.environ.get(match[1])
        if given is None:
            raise RelayConfigError(f"{where}: the environment variable {match[1]} is not set")
        return given

    expanded = _VARIABLE.sub(variable, value)
    if where.endswith(".token") and expanded.startswith("file:"):
        try:
            return Path(expanded.removeprefix("file:")).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise RelayConfigError(f"{where}: {error}") from None
    return expanded
