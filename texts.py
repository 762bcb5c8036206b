"""Every text a person reads in WeChat, in its default wording; config.yaml's `texts:` changes any of them.

What stands in braces is filled in; a text must not use other names than its default does.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

_NAME = re.compile(r"\{(\w+)\}")


class Texts(BaseModel):
    """The texts, by the moment they are said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # ways in
    bad_token: str = "入群令牌无效，请核对后重新发送。"
    expired_token: str = "入群令牌已过期，请向群主索取新的令牌。"
    joining: str = "好的，正在拉您进群“{topic}”。"
    invited: str = "已向您发出“{topic}”的入群邀请，请在 {days} 天内点开确认。"
    waiting_owner: str = "“{topic}”开启了群聊邀请确认，请等群主同意。"
    already_member: str = "您已经在“{topic}”里了。"
    group_full: str = "“{topic}”已满，请联系群主。"
    blacklisted: str = "您暂时不能加入“{topic}”。"
    join_failed: str = "暂时没能拉您进群“{topic}”，稍后会再试，您也可以重新发送令牌。"
    not_allowed: str = "您没有权限执行此命令。"
    admin_bound: str = "绑定成功，您现在是管理员。"

    @model_validator(mode="after")
    def _known_names(self) -> Texts:
        for name, field in type(self).model_fields.items():
            allowed = set(_NAME.findall(str(field.default)))
            strange = set(_NAME.findall(getattr(self, name))) - allowed
            if strange:
                shown = "、".join(sorted(allowed)) or "nothing"
                raise ValueError(f"texts.{name}: {{{sorted(strange)[0]}}} is not known here, only {shown}")
        return self


def fill(text: str, **values: Any) -> str:
    """Put values for {names}; anything else in braces stays as it is, so that people's words cannot break a text."""
    return _NAME.sub(lambda match: str(values.get(match[1], match[0])), text)
