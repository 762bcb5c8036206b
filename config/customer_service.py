"""The section customer_service of config.yaml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import re2
from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from config.section import (
    NonEmpty,
    OneEntry,
    Pattern,
    Seconds,
    Secret,
    Section,
    TimeZone,
    WebAddress,
    check_names,
    key_error,
)


def _sexagesimal(value: object) -> object:
    """Convert a time that YAML read as a number: 18:00 without quotes becomes 1080."""
    if type(value) is not int or value < 0:
        return value
    if value < 60:  # such as 9 for 09:00; YAML does not read 09:00 itself as a number
        raise ValueError('expected a time like "09:00"')
    return f"{value // 60:02}:{value % 60:02}"


def _clock(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", value):
        raise ValueError('expected a time like "09:00"')
    return value


Clock = Annotated[str, BeforeValidator(_sexagesimal), AfterValidator(_clock)]


class LinkPart(Section):
    """A link card in a reply."""

    title: NonEmpty
    url: NonEmpty
    description: str = ""
    thumbnail: str = ""


class ReplyPart(Section):
    """A part of a reply: exactly one of text, image, file, link."""

    text: str = ""
    image: str = ""
    file: str = ""
    link: LinkPart | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> ReplyPart:
        if sum(map(bool, (self.text, self.image, self.file, self.link))) != 1:
            raise ValueError("exactly one of text, image, file, link is required")
        return self


class KeywordRule(Section):
    """A keyword rule."""

    equals: str = ""
    contains: str = ""
    regex: Pattern = ""
    reply: NonEmpty | list[NonEmpty | ReplyPart]
    where: Literal["private", "group", "both"] = "both"

    @model_validator(mode="after")
    def _exactly_one(self) -> KeywordRule:
        if sum(map(bool, (self.equals, self.contains, self.regex))) != 1:
            raise ValueError("exactly one of equals, contains, regex is required")
        groups = re2.compile(self.regex).groups if self.regex else 0
        replies = [self.reply] if isinstance(self.reply, str) else self.reply
        texts = [reply if isinstance(reply, str) else reply.text for reply in replies]
        used = [int(number) for text in texts for number in re.findall(r"\{(\d{1,4})\}", text)]
        if self.regex and max(used, default=0) > groups:
            raise ValueError(f"the reply takes {{{max(used)}}}, and the regex has {groups} groups")
        return self


class AcceptSettings(Section):
    """Which friend requests are accepted, and how fast."""

    words: list[OneEntry] = Field([])
    max_per_day: int = Field(60, ge=0)
    delay_seconds: tuple[Seconds, Seconds] = (5, 15)

    @field_validator("delay_seconds")
    @classmethod
    def _check_order(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError("expected the minimum and the maximum, in this order")
        return value


class HoursSettings(Section):
    """Office hours."""

    days: str = "mon-sun"
    from_: Clock = Field("09:00", alias="from")
    to: Clock = "18:00"
    timezone: TimeZone = "Asia/Shanghai"

    @field_validator("days")
    @classmethod
    def _days(cls, value: str) -> str:
        day = "(mon|tue|wed|thu|fri|sat|sun)"
        if not re.fullmatch(rf"{day}(-{day})?(,\s*{day}(-{day})?)*", value):
            raise ValueError("expected days like mon-fri or mon-fri,sun")
        return value


class HandoffSettings(Section):
    """Handover to staff."""

    words: list[OneEntry] = Field(["人工", "转人工"])
    staff_room: str = "客服值班群"
    hours: HoursSettings = HoursSettings()
    idle_minutes: float = Field(30, gt=0)
    remind_minutes: float = Field(5, gt=0)
    on_duty: list[OneEntry] = Field([])
    canned: dict[str, NonEmpty] = Field({})


class LlmSettings(Section):
    """An OpenAI-compatible server that chooses among FAQ entries; disabled while base_url is empty."""

    base_url: WebAddress | Literal[""] = ""
    model: str = ""
    key: Secret = ""
    timeout: float = Field(10, gt=0)

    @model_validator(mode="after")
    def _require_model(self) -> LlmSettings:
        if self.base_url and not self.model:
            raise key_error("model", "the name of a model is required if base_url is set")
        return self


class EmbeddingSettings(Section):
    """An OpenAI-compatible `/embeddings` server for similar questions; disabled while base_url is empty."""

    base_url: WebAddress | Literal[""] = ""
    model: str = ""
    key: Secret = ""
    timeout: float = Field(1, gt=0)  # seconds for a customer's question; after that only words are used

    @model_validator(mode="after")
    def _require_model(self) -> EmbeddingSettings:
        if self.base_url and not self.model:
            raise key_error("model", "the name of a model is required if base_url is set")
        return self


class TranscriptionSettings(Section):
    """An OpenAI-compatible `/audio/transcriptions` server that reads voice messages; off while base_url is empty."""

    base_url: WebAddress | Literal[""] = ""
    model: str = ""
    key: Secret = ""
    timeout: float = Field(10, gt=0)  # seconds for a voice message; then it is not read

    @model_validator(mode="after")
    def _require_model(self) -> TranscriptionSettings:
        if self.base_url and not self.model:
            raise key_error("model", "the name of a model is required if base_url is set")
        return self


class CustomerService(Section):
    """微信智能客服."""

    greeting: str = "您好，我是{assistant}，请问有什么可以帮您？回复“人工”转人工客服。"
    accept: AcceptSettings = AcceptSettings()
    keywords: list[KeywordRule] = Field([])
    faq: str = "faq.yaml"
    knowledge: str = ""  # a folder of Markdown and text files
    fallback: str = "抱歉，我没听懂。回复“人工”转人工客服。"
    handoff: HandoffSettings = HandoffSettings()
    llm: LlmSettings = LlmSettings()
    embeddings: EmbeddingSettings = EmbeddingSettings()
    transcription: TranscriptionSettings = TranscriptionSettings()

    @field_validator("faq")
    @classmethod
    def _check_faq(cls, value: str) -> str:
        """Reject a file that does not exist. The default, which is not validated, may be missing."""
        if value and not Path(value).is_file():
            raise ValueError("file not found")
        return value

    @field_validator("knowledge")
    @classmethod
    def _check_knowledge(cls, value: str) -> str:
        if value and not Path(value).is_dir():
            raise ValueError("folder not found")
        return value

    @model_validator(mode="after")
    def _check_reply_files(self) -> CustomerService:
        for number, rule in enumerate(self.keywords):
            for index, part in enumerate(rule.reply if isinstance(rule.reply, list) else ()):
                kind = "image" if isinstance(part, ReplyPart) and part.image else "file"
                path = getattr(part, kind, "")
                if path and not Path(path).is_file():
                    raise key_error(("keywords", number, "reply", index, kind), "file not found")
        return self

    @model_validator(mode="after")
    def _check_placeholders(self) -> CustomerService:
        check_names("greeting", self.greeting, {"assistant"})
        return self
