"""The section customer_service of config.yaml: keywords and their replies, hours, hand-over, the model."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import re2
from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from config.section import NonEmpty, Seconds, Secret, Section, TimeZone, WebAddress, check_names, wrong


def _sexagesimal(value: object) -> object:
    """YAML takes 18:00 without quotes for the number 1080."""
    if type(value) is not int or value < 0:
        return value
    if value < 60:  # 9, where 09:00 is meant: no time that YAML reads so begins with 0
        raise ValueError('a time like "09:00" is wanted')
    return f"{value // 60:02}:{value % 60:02}"


def _clock(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", value):
        raise ValueError('a time like "09:00" is wanted')
    return value


Clock = Annotated[str, BeforeValidator(_sexagesimal), AfterValidator(_clock)]


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
        groups = re2.compile(self.regex).groups if self.regex else 0
        replies = [self.reply] if isinstance(self.reply, str) else self.reply
        texts = [one if isinstance(one, str) else one.text for one in replies]
        used = [int(number) for words in texts for number in re.findall(r"\{(\d{1,4})\}", words)]
        if self.regex and max(used, default=0) > groups:
            raise ValueError(f"the reply takes {{{max(used)}}}, and the regex has {groups} groups")
        return self


class AcceptSettings(Section):
    """Which friend requests are accepted, and how fast."""

    words: list[NonEmpty] = Field([])
    max_per_day: int = Field(60, ge=0)
    delay_seconds: tuple[Seconds, Seconds] = (5, 15)

    @field_validator("delay_seconds")
    @classmethod
    def _shortest_first(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError("the shortest and the longest are wanted, in this order")
        return value


class HoursSettings(Section):
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


class HandoffSettings(Section):
    """Reaching a person."""

    words: list[NonEmpty] = Field(["人工", "转人工"])
    staff_room: str = "客服值班群"
    hours: HoursSettings = HoursSettings()
    idle_minutes: float = Field(30, gt=0)
    remind_minutes: float = Field(5, gt=0)
    on_duty: list[NonEmpty] = Field([])
    canned: dict[str, NonEmpty] = Field({})


class LlmSettings(Section):
    """An OpenAI-compatible server that chooses among the FAQ's entries; off while base_url is empty."""

    base_url: WebAddress | Literal[""] = ""
    model: str = ""
    key: Secret = ""
    timeout: float = Field(10, gt=0)

    @model_validator(mode="after")
    def _both(self) -> LlmSettings:
        if self.base_url and not self.model:
            raise wrong("model", "the name of a model is wanted where base_url is set")
        return self


class EmbeddingSettings(Section):
    """An OpenAI-compatible `/embeddings` server that finds near questions by meaning; off while base_url is empty."""

    base_url: WebAddress | Literal[""] = ""
    model: str = ""
    key: Secret = ""
    timeout: float = Field(1, gt=0)  # seconds for a customer's question; then words alone decide

    @model_validator(mode="after")
    def _both(self) -> EmbeddingSettings:
        if self.base_url and not self.model:
            raise wrong("model", "the name of a model is wanted where base_url is set")
        return self


class CustomerService(Section):
    """微信智能客服."""

    greeting: str = "您好，我是{assistant}，请问有什么可以帮您？回复“人工”转人工客服。"
    accept: AcceptSettings = AcceptSettings()
    keywords: list[KeywordRule] = Field([])
    faq: str = "faq.yaml"
    fallback: str = "抱歉，我没听懂。回复“人工”转人工客服。"
    handoff: HandoffSettings = HandoffSettings()
    llm: LlmSettings = LlmSettings()
    embeddings: EmbeddingSettings = EmbeddingSettings()

    @model_validator(mode="after")
    def _known_names(self) -> CustomerService:
        check_names("greeting", self.greeting, {"assistant"})
        return self
