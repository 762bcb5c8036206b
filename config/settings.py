"""Sections of config.yaml with their defaults."""

from __future__ import annotations

import ipaddress
import re
import ssl
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from config.section import (
    NonEmpty,
    OneEntry,
    Secret,
    Section,
    WebAddress,
    check_names,
    check_secret_length,
    key_error,
    web_address,
)
from config.wecom import WecomKeys

OWN_URL = "http://127.0.0.1:8080"
MAX_DAYS = 36500  # dates end with the year 9999


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("expected a network like 10.0.0.0/8, without host bits") from None
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _bearer(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise ValueError("expected printable characters, without surrounding whitespace")
    return value


def _host_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", value):
        raise ValueError("expected a host name like bot.example.com, without scheme and port")
    return value.lower()


HostName = Annotated[str, AfterValidator(_host_name)]
Network = Annotated[str, AfterValidator(_network)]
Bearer = Annotated[Secret, AfterValidator(_not_blank), AfterValidator(_bearer), AfterValidator(check_secret_length)]


class AssistantSettings(WecomKeys):
    """A WeChat account and its gateway. Without endpoint and authority it is in the sandbox."""

    account: NonEmpty
    endpoint: str = ""
    authority: str = ""
    token: Secret = ""
    tls: Literal["auto", True, False] = "auto"
    tls_ca: str = ""
    tls_server_name: str = ""
    media_hosts: list[HostName] = Field([])

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, value: str) -> str:
        address = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^\[\]:/\s]+):(\d{1,5})", value)
        if value and not (address and 0 < int(address[2]) < 2**16):
            raise ValueError("expected host:port, like 10.0.0.5:8788 or [::1]:8788; empty for the sandbox")
        return value

    @field_validator("token")
    @classmethod
    def _check_header_text(cls, value: str) -> str:
        if value and not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
            raise ValueError("expected visible ASCII characters, without surrounding whitespace")
        return value

    @field_validator("authority")
    @classmethod
    def _normalise_authority(cls, value: str) -> str:
        """Accept a host without https://, as in Wechaty's WECHATY_PUPPET_SERVICE_AUTHORITY."""
        if not value:
            return value
        return web_address(value if "://" in value else f"https://{value}").rstrip("/")

    @model_validator(mode="after")
    def _check_single_match(self) -> AssistantSettings:
        if self.authority and self.endpoint:
            raise key_error("authority", "endpoint and authority must not both be set")
        if self.authority and not self.token:
            raise key_error("authority", "token is required")
        return self

    @property
    def is_sandboxed(self) -> bool:
        """Whether the account is in the sandbox."""
        return self.kind == "wechaty" and not (self.endpoint or self.authority)

    @field_validator("tls", mode="before")
    @classmethod
    def _parse_boolean(cls, value: object) -> object:
        """Accept "true" and "false" from variables."""
        return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value

    @field_validator("tls_ca")
    @classmethod
    def _check_ca_file(cls, value: str) -> str:
        try:
            if value:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(value)
        except OSError as error:  # includes ssl.SSLError
            raise ValueError(f"expected a PEM file of certificates: {error.strerror or error}") from None
        return value


class Scope(StrEnum):
    """Permissions of API keys."""

    QUN = "qun"
    MEMBERSHIP = "membership"
    MESSAGE = "message"
    READ = "read"
    ADMIN = "admin"


class ApiKey(Section):
    """An API key with scopes, rate limit and networks. Default: all scopes."""

    name: Annotated[str, Field(pattern=r"^[\w.-]+$", max_length=64)]
    key: Bearer
    scopes: list[Scope] = Field(list(Scope), min_length=1)
    per_minute: int = Field(600, ge=1)
    networks: list[Network] = Field([])


class ApiSettings(Section):
    """The REST API."""

    host: NonEmpty = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    public_url: WebAddress = Field(OWN_URL, validate_default=True)
    allowed_networks: list[Network] = Field(
        ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"]
    )
    trusted_proxies: list[Network] = Field([])
    hosts: list[HostName] = Field([])
    keys: list[Bearer | ApiKey] = Field([])
    media_hosts: list[NonEmpty] = Field([])

    @field_validator("public_url")
    @classmethod
    def _normalise_public_url(cls, value: str, info: ValidationInfo) -> str:
        """Remove the trailing slash. The default follows `port`, so that the URLs handed out work."""
        if re.search(r"[?#]", value):
            raise ValueError("expected a base URL, without ? and #")
        value = value.rstrip("/")
        port = info.data.get("port")
        return f"http://127.0.0.1:{port}" if port and value == OWN_URL else value


class FloodSettings(Section):
    """More than `messages` in `seconds` is flooding."""

    messages: int = Field(10, ge=1)
    seconds: float = Field(10, gt=0)


class BlockSettings(Section):
    """What the moderator does not allow in groups."""

    links: bool = False
    qr_codes: bool = True
    cards: bool = True
    mini_programs: bool = True


class GroupSettings(Section):
    """微信群自动管理."""

    companions: list[OneEntry] = Field(["智多星"], min_length=1)
    topic: NonEmpty = "{owner}的群{number}"
    direct_add_limit: int = Field(40, ge=1)
    capacity: int = Field(500, ge=3)
    welcome: str = "欢迎 {member} 加入{topic}！"
    topic_lock: bool = False
    overflow: bool = False
    warn_limit: int = Field(3, ge=1)
    blocked_words: list[OneEntry] = Field([])
    own_hosts: list[NonEmpty] = Field([])
    flood: FloodSettings = FloodSettings()
    block: BlockSettings = BlockSettings()
    token_days: float = Field(0, ge=0, le=MAX_DAYS)
    pending_days: float = Field(7, gt=0, le=MAX_DAYS)
    confirm_seconds: float = Field(8, gt=0)

    @model_validator(mode="after")
    def _check_placeholders(self) -> GroupSettings:
        check_names("topic", self.topic, {"owner", "number"})
        check_names("welcome", self.welcome, {"member", "topic"})
        return self


class PacingSettings(Section):
    """Rate limits of accounts; actions beyond them wait."""

    enabled: bool = True
    messages_per_minute: float = Field(40, gt=0)
    conversation_seconds: float = Field(1, ge=0)
    spread: float = Field(0.3, ge=0, le=1)
    group_seconds: float = Field(30, ge=0)
    groups_per_day: int = Field(10, ge=1)
    add_seconds: float = Field(15, ge=0)
    backoff_minutes: float = Field(60, ge=0)
    request_seconds: float = Field(10, ge=0)


class LimitSettings(Section):
    """Limits per person and hour, and of the disk space for stored files."""

    replies: int = Field(120, ge=1)
    relays: int = Field(120, ge=1)
    tickets: int = Field(6, ge=1)
    megabytes: int = Field(500, ge=1)
    repeats: int = Field(3, ge=1)
    media_gigabytes: float = Field(20, gt=0)
    free_megabytes: int = Field(500, ge=0)


class JobSettings(Section):
    """A changed time of a built-in job, or its deactivation."""

    name: NonEmpty
    cron: str = ""
    enabled: bool = True


class SandboxSettings(Section):
    """Address of the sandbox's page."""

    host: NonEmpty = "127.0.0.1"
    port: int = Field(8788, ge=0, le=65535)
    password: Secret = ""
