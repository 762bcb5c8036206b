"""Settings of an assistant on the official channel, 微信客服 of 企业微信."""

from __future__ import annotations

import base64
import binascii
from typing import Literal

from pydantic import Field, field_validator, model_validator

from config.section import NonEmpty, Secret, Section, WebAddress, wrong

NEEDED = ("corp_id", "secret", "open_kfid")


class CallbackSettings(Section):
    """Values shown with the callback URL in WeCom's admin console."""

    token: Secret = ""
    aes_key: Secret = ""

    @field_validator("aes_key")
    @classmethod
    def _key(cls, value: str) -> str:
        try:
            usable = len(base64.b64decode(value + "=", validate=True)) == 32 and len(value) == 43
        except binascii.Error:
            usable = False
        if value and not usable:
            raise ValueError("expected an EncodingAESKey of 43 letters and digits")
        return value


class GroupPoolSettings(Section):
    """客户群 created by staff for wxbot, and the names of further ones."""

    pool: list[NonEmpty] = Field([])
    room_base_name: str = Field("", max_length=40)
    room_base_id: int = Field(1, ge=1)


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
    def _complete(self) -> WecomKeys:
        if self.kind == "wecom":
            for name in NEEDED:
                if not getattr(self, name):
                    raise wrong(name, "required for an assistant of kind wecom")
            if not (self.callback.token and self.callback.aes_key):
                raise wrong("callback", "token and aes_key are required for an assistant of kind wecom")
        return self
