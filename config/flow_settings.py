"""How a flow is written in config.yaml: its kinds of step, checked at start."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Container, Iterator, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from config.section import NonEmpty, OneEntry, Pattern, Section, error_at
from yaml_file import Place

PLACEHOLDER: Final = re.compile(r"\{(\w+)((?:\.\w+)*)\}")
CALLBACK_URL: Final = "callback_url"
BUILTIN_NAMES: Final = frozenset({CALLBACK_URL, "person", "assistant", "flow"})
CANCEL: Final = "取消"
CONFIRM: Final = "确认"
RETRY: Final = "重试"

Name = Annotated[str, Field(pattern=r"^\w+$")]  # can be used in placeholders


def _question(value: object) -> object:
    """Accept a question without a check as a text."""
    return {"question": value} if isinstance(value, str) else value


def _options(value: object) -> object:
    """Accept options as a list."""
    if not isinstance(value, list):
        return value
    labels = [str(item) for item in value]
    if len(set(labels)) != len(labels):
        raise ValueError("options must be unique")
    return dict(zip(labels, value, strict=True))


class AnswerCheck(Section):
    """A check of answers: they match a regular expression in full, or are a number in a range. `words`: the reply
    to other answers.
    """

    regex: Pattern = ""
    min: float | None = None
    max: float | None = None
    words: NonEmpty

    @model_validator(mode="after")
    def _check_kind(self) -> AnswerCheck:
        if bool(self.regex) == self.is_number:
            raise ValueError("either regex or min and max are required")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min must not be above max")
        return self

    @property
    def is_number(self) -> bool:
        """Whether a number is wanted."""
        return self.min is not None or self.max is not None


class Question(Section):
    """A question that is answered with a text, or with a number where `check` has a range."""

    question: NonEmpty
    check: AnswerCheck | None = None

    @property
    def texts(self) -> list[str]:
        """The text sent to the person."""
        return [self.question, *([self.check.words] if self.check else [])]


class Choice(Section):
    """A question that is answered by one of its options. An option's value is stored; in a list it is the option
    itself.
    """

    question: NonEmpty
    options: Annotated[
        dict[NonEmpty, str | int | float | bool], BeforeValidator(_options), Field(min_length=2, max_length=20)
    ]

    @property
    def texts(self) -> list[str]:
        """The text sent to the person; options are used unchanged."""
        return [self.question]


class CallStep(Section):
    """Call a business system; the JSON object of its response is stored as `into`."""

    system: NonEmpty
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    path: Annotated[str, Field(pattern=r"^/[^\s#]*$")]
    body: dict[str, Any] | None = None
    into: Name = "answer"


class WaitStep(Section):
    """Wait for a POST to `callback_url`; its JSON object is stored as `callback`."""

    callback: Name
    hours: float = Field(24, gt=0, le=24 * 365)
    expect: dict[str, Any] = Field({})


class FlowStep(Section):
    """One step: exactly one of ask, choose, confirm, call, say, wait."""

    ask: dict[Name, Annotated[Question, BeforeValidator(_question)]] | None = None
    choose: dict[Name, Choice] | None = None
    confirm: NonEmpty | None = None
    call: CallStep | None = None
    say: NonEmpty | None = None
    wait: WaitStep | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> FlowStep:
        kinds = (self.ask, self.choose, self.confirm, self.call, self.say, self.wait)
        if len(self.model_fields_set) != 1 or not any(kinds):
            raise ValueError("exactly one of ask, choose, confirm, call, say, wait is required")
        return self

    @property
    def questions(self) -> dict[str, Question | Choice]:
        """The questions to the person, by the name of the answer."""
        return {**(self.ask or {}), **(self.choose or {})}

    @property
    def sends_callback_url(self) -> bool:
        """Whether it passes on a callback address."""
        return any(name == CALLBACK_URL for name, _ in placeholders(self.model_dump(exclude_none=True)))

    @property
    def provides(self) -> tuple[str, ...]:
        """The names that later steps may use."""
        if self.call:
            return (self.call.into,)
        return (self.wait.callback,) if self.wait else tuple(self.questions)


class InvalidFlow(ValueError):
    """A flow that cannot work; `place` is the path to the error in it."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


class FlowSettings(Section):
    """A flow: a conversation that calls business systems."""

    name: NonEmpty
    start: list[Annotated[OneEntry, Field(pattern=r"^\S(.*\S)?$")]] = Field(min_length=1)
    allow: Literal["admins", "owners", "everyone"] = "admins"
    steps: list[FlowStep] = Field(min_length=1)
    failed: str = "{flow}失败：{error}"

    def check(self, systems: Container[str]) -> None:
        """Raise InvalidFlow, naming the step, if a step cannot work."""
        has_fields: dict[str, bool] = dict.fromkeys(BUILTIN_NAMES, False)  # by name
        for number, step in enumerate(self.steps, 1):
            location, place = f"flow {self.name}, step {number}", ("steps", number - 1)
            if step.call and step.call.system not in systems:
                raise InvalidFlow(place, f"{location}: unknown system {step.call.system!r}")
            reserved_name = next((name for name in step.provides if name in BUILTIN_NAMES | {"error"}), None)
            if reserved_name:
                raise InvalidFlow(place, f"{location}: {reserved_name!r} is a reserved name")
            for name, question in step.questions.items():
                _check_names(question.texts, has_fields, location, place)
                if isinstance(question, Choice):
                    _check_options(question, location, place)
                has_fields[name] = False
            if not step.questions:
                _check_names(step.model_dump(exclude_none=True), has_fields, location, place)
                has_fields.update(dict.fromkeys(step.provides, True))
        _check_names(self.failed, {**has_fields, "error": False}, f"flow {self.name}, failed", ("failed",))
        self._check_callbacks()

    def callback_sender(self, wait: int) -> int:
        """Return the index of the step that sends the callback address of a waiting step."""
        return max(index for index, step in enumerate(self.steps[:wait]) if step.sends_callback_url)

    def _check_callbacks(self) -> None:
        """Check that every step using callback_url is followed by a waiting step, and vice versa."""
        sender = 0
        for number, step in enumerate(self.steps, 1):
            if step.sends_callback_url:
                sender = number
            if step.wait and not sender:
                raise InvalidFlow(
                    ("steps", number - 1), f"flow {self.name}, step {number}: no earlier step uses {{{CALLBACK_URL}}}"
                )
            sender = 0 if step.wait else sender
        if sender:
            raise InvalidFlow(
                ("steps", sender - 1),
                f"flow {self.name}, step {sender}: no later step waits for {{{CALLBACK_URL}}}",
            )


def normalised(text: str) -> str:
    """Normalise words for comparison: 增加pos机, 增加 POS机, “增加POS机” and 增加POS机。 are equal."""
    compact = "".join(unicodedata.normalize("NFKC", text).casefold().split())
    return compact.rstrip('。.!?,~”"」').lstrip('“"「') or compact


def check_flows(flows: Sequence[FlowSettings], systems: Collection[str]) -> None:
    """Raise an error of the config if a flow cannot work, or names or start words are not unique."""
    names: set[str] = set()
    words: dict[str, str] = {
        CANCEL: "the word that cancels a flow",
        CONFIRM: "the word that confirms a step",
        RETRY: "the word that takes a failed flow up again",
    }
    for number, flow in enumerate(flows):
        if flow.name in names:
            raise error_at(("flows", number, "name"), f"flow {flow.name}: duplicate name")
        names.add(flow.name)
        for word in flow.start:
            if normalised(word) in words:
                raise error_at(
                    ("flows", number, "start"),
                    f"flow {flow.name}, start: {word!r} is already used ({words[normalised(word)]})",
                )
            words[normalised(word)] = f"flow {flow.name}"
        try:
            flow.check(systems)
        except InvalidFlow as error:
            raise error_at(("flows", number, *error.place), str(error)) from None


def placeholders(value: Any) -> Iterator[tuple[str, str]]:
    """Yield every {name.field} in a tree of strings as (name, ".field")."""
    if isinstance(value, str):
        yield from ((match[1], match[2]) for match in PLACEHOLDER.finditer(value))
    elif isinstance(value, dict):
        for item in value.values():
            yield from placeholders(item)
    elif isinstance(value, list):
        for item in value:
            yield from placeholders(item)


def _check_names(value: Any, has_fields: dict[str, bool], location: str, place: Place) -> None:
    for name, field in placeholders(value):
        if name not in has_fields:
            raise InvalidFlow(place, f"{location}: no earlier step sets {{{name}}}")
        if field and not has_fields[name]:
            raise InvalidFlow(place, f"{location}: {{{name}}} is a text and has no field {field[1:]!r}")


def _check_options(choice: Choice, location: str, place: Place) -> None:
    """Reject options that are the same answer. Stored runs, which are not checked again, may have them."""
    labels: dict[str, str] = {}
    for label in choice.options:
        earlier = labels.setdefault(normalised(label), label)
        if earlier != label:
            raise InvalidFlow(place, f"{location}: options {earlier!r} and {label!r} are the same answer")
