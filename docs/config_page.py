"""The reference page of the configuration, generated from the settings classes."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from config import Config
from docs.page import LANGUAGES, Describer, cell, table

KINDS: Final = {
    str: ("文字", "text"),
    int: ("整数", "integer"),
    float: ("数字", "number"),
    bool: ("是/否", "true/false"),
}


def settings() -> Iterator[tuple[str, FieldInfo]]:
    """Yield every setting with its dotted key; [] stands for an item of a list or mapping."""
    yield from _fields(Config, "")


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        if key == "texts":
            continue  # they have their own page
        section = _model_in(field.annotation)
        if section is None:
            yield key, field
        elif isinstance(field.annotation, type):
            yield from _fields(section, f"{key}.")
        else:
            yield key, field
            yield from _fields(section, f"{key}[].")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section of a setting, or of its items; the first one of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (list, dict, Union, types.UnionType, typing.Annotated):
        return next((section for argument in get_args(annotation) if (section := _model_in(argument))), None)
    return None


def kind(annotation: Any, language: str) -> str:
    """Return the name of a type in a language."""
    column, origin, inner = LANGUAGES.index(language), get_origin(annotation), get_args(annotation)
    if annotation in KINDS:
        return KINDS[annotation][column]
    if origin is Literal:
        return " \\| ".join(
            f"`{str(argument).lower() if isinstance(argument, bool) else argument or '（空）'}`" for argument in inner
        )
    if origin is typing.Annotated:
        return kind(inner[0], language)
    if origin in (list, tuple):
        return ("列表", "list")[column]
    if origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return ("键值对", "mapping")[column]
    if origin in (Union, types.UnionType):
        words = dict.fromkeys(kind(argument, language) for argument in inner if argument is not type(None))
        return " / ".join(words)
    return ("文字", "text")[column]


def _plain(value: Any) -> Any:
    """Return a default with enums replaced by their values."""
    if isinstance(value, Enum):
        return value.value
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _default(field: FieldInfo, language: str) -> str:
    value = _plain(field.get_default(call_default_factory=True))
    if field.is_required() or value is PydanticUndefined:
        return ("必填", "required")[LANGUAGES.index(language)]
    if (
        isinstance(value, list | dict | tuple)
        and value
        and not all(isinstance(one, str | int | float) for one in value)
    ):
        return "—"
    shown = (
        yaml.safe_dump(value, allow_unicode=True, default_flow_style=True, width=1000).removesuffix("\n...\n").strip()
    )
    return "—" if value in ("", None, [], {}) else f"`{cell(shown)}`"


def config_page(say: Describer, language: str) -> str:
    """Return the page: a table per section."""
    zh = language == "zh"
    title = "配置项" if zh else "Configuration"
    header = ("键", "类型", "默认值", "说明") if zh else ("Key", "Type", "Default", "Meaning")
    sections: dict[str, list[tuple[str, ...]]] = {}
    for key, field in settings():
        row = (f"`{key}`", kind(field.annotation, language), _default(field, language), say.config(key, language))
        sections.setdefault(key.partition(".")[0].removesuffix("[]"), []).append(row)
    parts = [f"# {title}\n", say.intro("config", language) + "\n"]
    parts += [f"## {name}\n\n{table(header, iter(rows))}" for name, rows in sections.items()]
    return "\n".join(parts)
