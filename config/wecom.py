"""Settings of an assistant on the official channel, 微信客服 of 企业微信."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from config.section import NonEmpty, Secret, Section, WebAddress, error_at, key_error

KEY_LENGTH: Final = 43  # characters of an EncodingAESKey
REQUIRED_KEYS: Final = ("corp_id", "secret", "open_kfid")
GATEWAY_KEYS: Final = ("endpoint", "authority")
DUPLICATE: Final = "another assistant has it too"


class CallbackSettings(Section):
    """Values shown with the callback URL in WeCom's admin console."""

    token: Secret = ""
    aes_key: Secret = ""

    @field_validator("aes_key")
    @classmethod
    def _key(cls, value: str) -> str:
        if value and len(value) != KEY_LENGTH:
            raise ValueError(f"expected an EncodingAESKey of {KEY_LENGTH} letters and digits, not {len(value)}")
        try:
            base64.b64decode(value + "=" * bool(value), validate=True)
        except binascii.Error:
            raise ValueError(f"expected an EncodingAESKey of {KEY_LENGTH} letters and digits") from None
        return value


class GroupPoolSettings(Section):
    """客户群 created by staff for wxbot, and the names of further ones."""

    pool: list[NonEmpty] = Field([])
    room_base_name: str = Field("", max_length=40)
    room_base_id: int = Field(1, ge=1)

    @field_validator("pool")
    @classmethod
    def _check_pool(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("a group may be listed only once")
        return value


class WecomKeys(Section):
    """Keys of an assistant of kind wecom."""

    kind: Literal["wechaty", "wecom"] = "wechaty"
    corp_id: str = ""
    secret: Secret = ""
    agent: int = Field(0, ge=0)
    open_kfid: str = ""
    api_url: WebAddress = "https://qyapi.weixin.qq.com"
    callback: CallbackSettings = CallbackSettings()
    handoff: Literal["console", "client"] = "console"
    groups: GroupPoolSettings = GroupPoolSettings()

    @model_validator(mode="after")
    def _check_required_keys(self) -> WecomKeys:
        if self.kind != "wecom":
            for name in REQUIRED_KEYS:
                if getattr(self, name):
                    raise key_error(name, "only for an assistant of kind wecom; kind is missing")
            return self
        for name in REQUIRED_KEYS:
            value = getattr(self, name)
            if not value.strip():
                raise key_error(name, "required for an assistant of kind wecom")
            if value != value.strip():
                raise key_error(name, "expected printable characters, without surrounding whitespace")
        if not (self.callback.token.strip() and self.callback.aes_key):
            raise key_error("callback", "token and aes_key are required for an assistant of kind wecom")
        for name in GATEWAY_KEYS:
            if getattr(self, name, ""):
                raise key_error(name, "not for an assistant of kind wecom, which has no gateway")
        return self


def check_accounts(assistants: Sequence[WecomKeys]) -> None:
    """Raise an error if two assistants are the same customer service account, or share a group."""
    accounts: set[tuple[str, str]] = set()
    chats: set[str] = set()
    for number, assistant in enumerate(assistants):
        if assistant.kind != "wecom":
            continue
        if (assistant.corp_id, assistant.open_kfid) in accounts:
            raise error_at(("assistants", number, "open_kfid"), f"open_kfid {assistant.open_kfid}: {DUPLICATE}")
        if shared := sorted(chats.intersection(assistant.groups.pool)):
            raise error_at(("assistants", number, "groups", "pool"), f"groups.pool {shared[0]}: {DUPLICATE}")
        accounts.add((assistant.corp_id, assistant.open_kfid))
        chats.update(assistant.groups.pool)
