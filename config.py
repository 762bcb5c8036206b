"""config.yaml, read and checked. A wrong key stops the start with one line that names it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from business import System, Webhook
from flowspec import Flow, check_flows
from settings import (
    Api,
    AssistantSettings,
    CustomerService,
    Groups,
    Job,
    NonEmpty,
    Pacing,
    Sandbox,
    TimeZone,
)
from texts import Texts

ENV_PREFIX = "WXBOT_"
SECRET_KEYS = ("token", "key", "keys", "secret", "database", "headers")

FILE_KEYS = ("faq", "image", "file")  # of customer_service


class ConfigError(Exception):
    """The configuration is not usable; the message is the one line a person needs."""


class Config(BaseSettings):
    """The whole of config.yaml."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
    )

    assistants: list[AssistantSettings] = Field([AssistantSettings(account="weimi1001")], min_length=1)
    database: str = Field("sqlite:///data/wxbot.db", pattern=r"^(sqlite:///|postgresql(\+psycopg)?://).+")
    api: Api = Api()
    admins: list[NonEmpty] = []
    timezone: TimeZone = "Asia/Shanghai"
    groups: Groups = Groups()
    customer_service: CustomerService = CustomerService()
    pacing: Pacing = Pacing()
    webhooks: list[Webhook] = []
    systems: dict[str, System] = {}
    flows: list[Flow] = []
    jobs: list[Job] = []
    sandbox: Sandbox = Sandbox()
    log_format: Literal["text", "json"] = "text"
    keep_days: float = Field(180, gt=0)
    texts: Texts = Texts()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file."""
        return env_settings, init_settings

    @field_validator("assistants")
    @classmethod
    def _accounts_differ(cls, value: list[AssistantSettings]) -> list[AssistantSettings]:
        if len({a.account for a in value}) != len(value):
            raise ValueError("each account may stand here once")
        return value

    @model_validator(mode="after")
    def _business_fits(self) -> Config:
        check_flows(self.flows, self.systems)
        if len({w.lane for w in self.webhooks}) != len(self.webhooks):  # here, so that no secret is shown
            raise ValueError("webhooks: each url may stand here once")
        return self


def expand(value: Any, environment: Mapping[str, str]) -> Any:
    """Put the environment's values for ${NAME} in every string of a YAML tree; an unset NAME is empty."""
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda match: environment.get(match[1], ""), value)
    if isinstance(value, list):
        return [expand(item, environment) for item in value]
    if isinstance(value, dict):
        return {key: expand(item, environment) for key, item in value.items()}
    return value


def beside(value: Any, folder: Path, key: str = "") -> Any:
    """The files that a YAML tree names: those in the config's own folder go before those of the same name where the
    bot happens to run."""
    if isinstance(value, dict):
        return {name: beside(item, folder, str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [beside(item, folder) for item in value]
    if key in FILE_KEYS and isinstance(value, str) and value:
        found, here = folder / value, Path(value)
        return str(found) if found.is_file() and not (here.exists() and found.samefile(here)) else value
    return value


def load(path: str | Path | None = None) -> Config:
    """Read the file (none: all defaults) and the environment; ConfigError with one line when something is wrong."""
    data: Any = {}
    if path is not None:
        try:
            data = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror or error}") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: a mapping of keys is wanted, not {type(data).__name__}")
    if path is not None and "customer_service" in data:
        data = data | {"customer_service": beside(data["customer_service"], Path(path).parent)}
    unknown = [n for n in os.environ if n.startswith(ENV_PREFIX) and _field(n) not in Config.model_fields]
    if unknown:
        raise ConfigError(f"{unknown[0]}: there is no key {_field(unknown[0])!r}")
    try:
        return Config(**expand(data, os.environ))
    except ValidationError as error:
        raise ConfigError(_one_line(error)) from None
    except ValueError as error:  # pydantic-settings: an environment value that is no JSON where JSON is needed
        raise ConfigError(str(error).replace("\n", " ")) from None


def _field(name: str) -> str:
    return name[len(ENV_PREFIX) :].split("__", maxsplit=1)[0].lower()


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{key}: there is no such key"
    reason = first["msg"].removeprefix("Value error, ")
    if isinstance(first["input"], dict):  # a check over a whole section, whose message names the place
        return f"{key}: {reason}" if key else reason
    secret = any(part in SECRET_KEYS for part in first["loc"])
    shown = "(hidden)" if secret else repr(first["input"])[:120]
    return f"{key}: {shown} will not do: {reason}"
