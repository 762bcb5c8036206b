"""The sections of config.yaml, typed, with their working defaults."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import re2
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

OWN_URL = "http://127.0.0.1:8080"
NonEmpty = Annotated[str, Field(min_length=1)]


def _network(value: str) -> str:
    ipaddress.ip_network(value)
    return value


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("a time zone like Asia/Shanghai is wanted") from None
    return value


def _clock(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", value):
        raise ValueError('a time like "09:00" is wanted')
    return value


Network = Annotated[str, AfterValidator(_network)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
Clock = Annotated[str, AfterValidator(_clock)]


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AssistantSettings(Section):
    """One WeChat account and the gateway it is reached through; no endpoint means the sandbox."""

    account: NonEmpty
    endpoint: str = ""
    token: str = ""
    tls: Literal["auto", True, False] = "auto"
    tls_ca: str = ""
    tls_server_name: str = ""

    @field_validator("endpoint")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        if value and not re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:/\s]+):\d{1,5}", value):
            raise ValueError("host:port is wanted, or nothing for the sandbox")
        return value


class Api(Section):
    """The REST door."""

    host: NonEmpty = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    public_url: str = Field(OWN_URL, pattern=r"^https?://[^\s/]+.*$", validate_default=True)
    allowed_networks: list[Network] = [
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
    ]
    trusted_proxies: list[Network] = []
    keys: list[NonEmpty] = []

    @field_validator("public_url")
    @classmethod
    def _reachable(cls, value: str, info: ValidationInfo) -> str:
        """Without a slash at its end; as it is shipped it follows `port`, or nobody would be at the urls handed out."""
        value = value.rstrip("/")
        port = info.data.get("port")
        return f"http://127.0.0.1:{port}" if port and value == OWN_URL else value


class Flood(Section):
    """More than this many messages in this many seconds is flooding."""

    messages: int = Field(10, ge=1)
    seconds: float = Field(10, gt=0)


class Block(Section):
    """What a group's guard does not let pass."""

    links: bool = False
    qr_codes: bool = True
    cards: bool = True
    mini_programs: bool = True


class Groups(Section):
    """微信群自动管理."""

    companions: list[NonEmpty] = Field(["智多星"], min_length=1)
    topic: NonEmpty = "{owner}的群{number}"
    direct_add_limit: int = Field(40, ge=1)
    capacity: int = Field(500, ge=3)
    welcome: str = "欢迎 {member} 加入{topic}！"
    overflow: bool = False
    warn_limit: int = Field(3, ge=1)
    blocked_words: list[NonEmpty] = []
    own_hosts: list[NonEmpty] = []
    flood: Flood = Flood()
    block: Block = Block()
    token_days: float = Field(0, ge=0)
    pending_days: float = Field(7, gt=0)
    confirm_seconds: float = Field(8, gt=0)


class LinkPart(Section):
    """A link card inside a reply."""

    title: NonEmpty
    url: NonEmpty
    description: str = ""
    thumbnail: str = ""


class ReplyPart(Section):
    """One part of a reply: text, a picture, a file, or a link card; exactly one of them."""

    text: str = ""
    image: str = ""
    file: str = ""
    link: LinkPart | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> ReplyPart:
        if sum(map(bool, (self.text, self.image, self.file, self.link))) != 1:
            raise ValueError("exactly one of text, image, file, link is wanted")
        return self


class KeywordRule(Section):
    """A keyword and what it is answered with."""

    equals: str = ""
    contains: str = ""
    regex: str = ""
    reply: NonEmpty | list[NonEmpty | ReplyPart]
    where: Literal["private", "group", "both"] = "both"

    @field_validator("regex")
    @classmethod
    def _re2(cls, value: str) -> str:
        options = re2.Options()
        options.log_errors = False
        try:
            re2.compile(value, options)
        except re2.error as error:
            reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
            raise ValueError(f"not a regular expression that RE2 takes: {reason}") from None
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> KeywordRule:
        if sum(map(bool, (self.equals, self.contains, self.regex))) != 1:
            raise ValueError("exactly one of equals, contains, regex is wanted")
        return self


class Accept(Section):
    """Which friend requests are accepted, and how fast."""

    words: list[NonEmpty] = []
    max_per_day: int = Field(60, ge=0)
    delay_seconds: tuple[float, float] = (5, 15)


class Hours(Section):
    """When people are there."""

    days: str = "mon-sun"
    from_: Clock = Field("09:00", alias="from")
    to: Clock = "18:00"
    timezone: TimeZone = "Asia/Shanghai"

    @field_validator("days")
    @classmethod
    def _days(cls, value: str) -> str:
        day = "(mon|tue|wed|thu|fri|sat|sun)"
        if not re.fullmatch(rf"{day}(-{day})?(,\s*{day}(-{day})?)*", value):
            raise ValueError("days like mon-fri or mon-fri,sun are wanted")
        return value


class Handoff(Section):
    """Reaching a person."""

    words: list[NonEmpty] = ["人工", "转人工"]
    staff_room: str = "客服值班群"
    hours: Hours = Hours()
    idle_minutes: float = Field(30, gt=0)
    canned: dict[str, NonEmpty] = {}


class Llm(Section):
    """An OpenAI-compatible server that words answers out of the FAQ; off while base_url is empty."""

    base_url: str = ""
    model: str = ""
    key: str = ""
    timeout: float = Field(10, gt=0)


class CustomerService(Section):
    """微信智能客服."""

    greeting: str = "您好，我是{assistant}，请问有什么可以帮您？回复“人工”转人工客服。"
    accept: Accept = Accept()
    keywords: list[KeywordRule] = []
    faq: str = "faq.yaml"
    fallback: str = "抱歉，我没听懂。回复“人工”转人工客服。"
    handoff: Handoff = Handoff()
    llm: Llm = Llm()


class Pacing(Section):
    """How fast the account may act; what is over it waits."""

    enabled: bool = True
    messages_per_minute: float = Field(40, gt=0)
    conversation_seconds: float = Field(1, ge=0)
    spread: float = Field(0.3, ge=0, le=1)
    group_seconds: float = Field(30, ge=0)
    groups_per_day: int = Field(10, ge=0)
    add_seconds: float = Field(15, ge=0)
    backoff_minutes: float = Field(60, ge=0)
    request_seconds: float = Field(10, ge=0)


class Job(Section):
    """Another time for one of the built-in jobs, or off."""

    name: NonEmpty
    cron: str = ""
    enabled: bool = True


class Sandbox(Section):
    """Where the sandbox WeChat's page is."""

    host: NonEmpty = "127.0.0.1"
    port: int = Field(8788, ge=0, le=65535)
