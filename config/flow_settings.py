"""Settings of flows: four kinds of step, validated at start."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Container, Iterator, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from config.section import NonEmpty, Section

PLACEHOLDER: Final = re.compile(r"\{(\w+)((?:\.\w+)*)\}")
CALLBACK_URL: Final = "callback_url"
ALWAYS_KNOWN: Final = frozenset({CALLBACK_URL, "person", "assistant", "flow"})
CANCEL: Final = "取消"

Name = Annotated[str, Field(pattern=r"^\w+$")]  # can be used in placeholders


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
    """A step: exactly one of ask, call, say, wait."""

    ask: dict[Name, NonEmpty] | None = None
    call: CallStep | None = None
    say: NonEmpty | None = None
    wait: WaitStep | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> FlowStep:
        if len(self.model_fields_set) != 1 or not any((self.ask, self.call, self.say, self.wait)):
            raise ValueError("exactly one of ask, call, say, wait is required")
        return self

    @property
    def brings(self) -> tuple[str, ...]:
        """The names that the step defines."""
        if self.ask:
            return tuple(self.ask)
        if self.call:
            return (self.call.into,)
        return (self.wait.callback,) if self.wait else ()


class FlowSettings(Section):
    """A flow: a conversation that calls business systems."""

    name: NonEmpty
    start: list[Annotated[str, Field(pattern=r"^\S(.*\S)?$")]] = Field(min_length=1)
    allow: Literal["admins", "owners", "everyone"] = "admins"
    steps: list[FlowStep] = Field(min_length=1)
    failed: str = "{flow}失败：{error}"

    def check(self, systems: Container[str]) -> None:
        """Raise ValueError, naming the step, if a step cannot work."""
        known: dict[str, bool] = dict.fromkeys(ALWAYS_KNOWN, False)  # name -> whether it has fields
        for number, step in enumerate(self.steps, 1):
            where = f"flow {self.name}, step {number}"
            if step.call and step.call.system not in systems:
                raise ValueError(f"{where}: unknown system {step.call.system!r}")
            taken = next((name for name in step.brings if name in ALWAYS_KNOWN | {"error"}), None)
            if taken:
                raise ValueError(f"{where}: {taken!r} is a reserved name")
            for name, question in (step.ask or {}).items():
                _check_names(question, known, where)
                known[name] = False
            if not step.ask:
                _check_names(step.model_dump(exclude_none=True), known, where)
                known.update(dict.fromkeys(step.brings, True))
        _check_names(self.failed, {**known, "error": False}, f"flow {self.name}, failed")
        self._check_callbacks()

    def _check_callbacks(self) -> None:
        """Check that every step using callback_url is followed by a waiting step, and vice versa."""
        handed_out = 0
        for number, step in enumerate(self.steps, 1):
            if any(name == CALLBACK_URL for name, _ in placeholders(step.model_dump(exclude_none=True))):
                handed_out = number
            if step.wait and not handed_out:
                raise ValueError(f"flow {self.name}, step {number}: no earlier step uses {{{CALLBACK_URL}}}")
            handed_out = 0 if step.wait else handed_out
        if handed_out:
            raise ValueError(f"flow {self.name}, step {handed_out}: no later step waits for {{{CALLBACK_URL}}}")


def spoken(words: str) -> str:
    """Normalise words for comparison: 增加pos机, 增加 POS机, “增加POS机” and 增加POS机。 are equal."""
    bare = "".join(unicodedata.normalize("NFKC", words).casefold().split())
    return bare.rstrip('。.!?,~”"」').lstrip('“"「') or bare


def check_flows(flows: Sequence[FlowSettings], systems: Collection[str]) -> None:
    """Raise ValueError if a flow cannot work, or names or start words are not unique."""
    names: set[str] = set()
    words: dict[str, str] = {CANCEL: "the word that cancels a flow"}
    for flow in flows:
        if flow.name in names:
            raise ValueError(f"flow {flow.name}: duplicate name")
        names.add(flow.name)
        for word in flow.start:
            if spoken(word) in words:
                raise ValueError(f"flow {flow.name}, start: {word!r} is already used ({words[spoken(word)]})")
            words[spoken(word)] = f"flow {flow.name}"
        flow.check(systems)


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


def _check_names(value: Any, known: dict[str, bool], where: str) -> None:
    for name, field in placeholders(value):
        if name not in known:
            raise ValueError(f"{where}: no earlier step sets {{{name}}}")
        if field and not known[name]:
            raise ValueError(f"{where}: {{{name}}} is a text and has no field {field[1:]!r}")
