"""Reading and validation of config.yaml. An error is one line with the key, the value and what is allowed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError, field_validator, model_validator
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from config.business import SystemSettings, WebhookSettings, named
from config.cluster import ClusterSettings
from config.customer_service import CustomerService
from config.environment import BadVariable, expand, override
from config.error_messages import Origin, one_line
from config.flow_settings import FlowSettings, check_flows
from config.language import Language
from config.section import SecretAddress, Section, TimeZone, error_at
from config.settings import (
    ApiSettings,
    AssistantSettings,
    GroupSettings,
    JobSettings,
    LimitSettings,
    PacingSettings,
    SandboxSettings,
)
from config.texts import Texts
from config.texts_english import ENGLISH
from config.wecom import check_accounts
from yaml_file import ConfigError, Place, read

__all__ = ["Config", "ConfigError", "beside", "load", "read_yaml"]

DATABASES: Final = r"sqlite:///(?!:memory:).+|postgresql(\+psycopg)?://.+"
WECHAT_ID: Final = r"[A-Za-z0-9_][A-Za-z0-9_@.-]*"  # ids of all known puppets; a nickname can be any text
FILE_KEYS: Final = ("faq", "image", "file", "knowledge")  # of customer_service


def _wechat_id(value: str) -> str:
    """Reject nicknames, with which nobody could be an admin."""
    if not re.fullmatch(WECHAT_ID, value):
        raise ValueError(
            "expected a WeChat id like wxid_7h2k9x0f3b4c21, not a nickname (while the list is empty, a code is "
            "printed at startup; whoever sends “绑定 CODE” to the assistant becomes an admin)"
        )
    return value


WeChatId = Annotated[str, AfterValidator(_wechat_id)]


class Config(Section):
    """The complete configuration."""

    assistants: list[AssistantSettings] = Field([AssistantSettings(account="weimi1001")], min_length=1)
    database: SecretAddress = "sqlite:///data/wxbot.db"
    api: ApiSettings = ApiSettings()
    admins: list[WeChatId] = Field([])
    timezone: TimeZone = "Asia/Shanghai"
    groups: GroupSettings = GroupSettings()
    customer_service: CustomerService = CustomerService()
    pacing: PacingSettings = PacingSettings()
    limits: LimitSettings = LimitSettings()
    webhooks: list[WebhookSettings] = Field([])
    systems: dict[str, SystemSettings] = Field({})
    flows: list[FlowSettings] = Field([])
    jobs: list[JobSettings] = Field([])
    sandbox: SandboxSettings = SandboxSettings()
    cluster: ClusterSettings = ClusterSettings()
    language: Language = "zh"
    log_format: Literal["text", "json"] = "text"
    keep_days: float = Field(180, gt=0)
    offline_alert_minutes: float = Field(10, ge=0)
    texts: Texts = Texts()
    _origin: Origin = PrivateAttr(default_factory=Origin)

    def error(self, place: Place, reason: str) -> ConfigError:
        """Create an error about a value, found after the file was read, with the line of the file."""
        return ConfigError(f"{reason}{self._origin.line(place)}")

    @model_validator(mode="before")
    @classmethod
    def _apply_language(cls, data: Any) -> Any:
        """Use the English report texts with `language: en`; configured texts take precedence."""
        if not isinstance(data, dict) or data.get("language") != "en" or not isinstance(data.get("texts", {}), dict):
            return data
        return data | {"texts": ENGLISH | data.get("texts", {})}

    @model_validator(mode="after")
    def _check_accounts(self) -> Config:
        seen: set[str] = set()
        for number, assistant in enumerate(self.assistants):
            if assistant.account in seen:
                position = f"assistants.{number + 1}.account: {assistant.account!r}"
                raise error_at(
                    ("assistants", number, "account"), f"{position} is not valid: every account must occur once"
                )
            seen.add(assistant.account)
        return self

    @field_validator("database")
    @classmethod
    def _check_kinds(cls, value: str) -> str:
        try:
            usable = re.fullmatch(DATABASES, value) and make_url(value)
        except (ValueError, ArgumentError):  # e.g. an invalid port
            usable = None
        if not usable:
            raise ValueError("expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")
        return value

    @field_validator("webhooks")
    @classmethod
    def _named(cls, value: list[WebhookSettings]) -> list[WebhookSettings]:
        return named(value)

    @model_validator(mode="after")
    def _check_wecom_accounts(self) -> Config:
        check_accounts(self.assistants)
        return self

    @model_validator(mode="after")
    def _check_business(self) -> Config:
        check_flows(self.flows, self.systems)
        # here, because the error does not show the value, which contains secrets
        if len({w.url for w in self.webhooks}) != len(self.webhooks):
            raise error_at(("webhooks",), "webhooks: URLs must be unique")
        if len({w.name for w in self.webhooks}) != len(self.webhooks):
            raise error_at(("webhooks",), "webhooks: names must be unique")
        return self

    @model_validator(mode="after")
    def _check_cluster(self) -> Config:
        if not self.cluster.enabled:
            return self
        place = ("cluster", "enabled")
        if not self.database.startswith("postgresql"):  # here, so that no password is shown
            raise error_at(place, "cluster.enabled: several processes need a database: postgresql://…")
        sandboxed_account = next((assistant.account for assistant in self.assistants if assistant.is_sandboxed), None)
        if sandboxed_account is not None:
            raise error_at(
                place,
                f"cluster.enabled: assistant {sandboxed_account} has no gateway, and the sandbox is of one process",
            )
        return self

    @property
    def database_file(self) -> Path | None:
        """SQLite's file; None for a database server."""
        kind, _, file = self.database.partition(":///")
        return Path(file) if kind == "sqlite" else None

    @property
    def folder(self) -> Path:
        """The directory of files: that of SQLite's file, or data/ with a database server."""
        return self.database_file.parent if self.database_file else Path("data")


def resolve_paths(value: Any, folder: Path, key: str = "") -> Any:
    """Resolve the paths in a YAML tree: files beside the config take precedence over those in the working directory."""
    if isinstance(value, dict):
        return {name: resolve_paths(item, folder, str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [resolve_paths(item, folder) for item in value]
    if key in FILE_KEYS and isinstance(value, str) and value:
        local_file, cwd_file = folder / value, Path(value)
        return (
            str(local_file)
            if local_file.exists() and not (cwd_file.exists() and local_file.samefile(cwd_file))
            else value
        )
    return value


def load(path: str | Path | None = None) -> Config:
    """Read the file (None: defaults) and the environment; raise ConfigError with one line."""
    file = read(path) if path is not None else None
    try:
        tree = expand((file.value if file else None) or {}, os.environ)
    except RecursionError:
        raise ConfigError(f"{path}: an alias (*) refers to itself") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping, not {type(tree).__name__}")
    origin = Origin(file)
    try:
        origin = Origin(file, override(tree, os.environ))
        if path is not None and "customer_service" in tree:
            tree["customer_service"] = resolve_paths(tree["customer_service"], Path(path).parent)
        config = Config.model_validate(tree)
    except BadVariable as error:
        raise ConfigError(str(error)) from None
    except ValidationError as error:
        raise ConfigError(one_line(error, tree, origin)) from None
    config._origin = origin
    return config


def read_yaml(path: str | Path) -> Any:
    """Return the content of a YAML file; raise ConfigError with one line."""
    return read(path).value
