"""Generates the reference pages of the site: `python -m docs.generate` (`make reference`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from api.events import EVENTS, HEADERS
from api.openapi import all_errors
from config.texts import Texts
from docs.config_page import config_page
from docs.metric_list import metric_list
from docs.page import HOME, LANGUAGES, Describer, cell, table
from docs.rest_page import rest_page
from errors import BotError
from handlers.commands import COMMANDS
from wxbot.command import COMMANDS as PROGRAMS

HEAD: Final = "<!-- make reference wrote this page; change docs/generate.py or docs/descriptions.yaml instead -->\n\n"


def texts_page(say: Describer, language: str) -> str:
    """Return the page of texts."""
    zh = language == "zh"
    rows = ((f"`{name}`", cell(str(field.default))) for name, field in Texts.model_fields.items())
    texts_table = table(("名称", "默认文字") if zh else ("Name", "Default wording"), rows)
    return f"# {'文字' if zh else 'Texts'}\n\n{say.intro('texts', language)}\n\n{texts_table}"


def commands_page(say: Describer, language: str) -> str:
    """Return the page of chat commands and subcommands."""
    zh = language == "zh"
    header = ("命令", "作用") if zh else ("Command", "What it does")
    chat = (
        (f"`{cell(chat_command.usage)}`", say.command(chat_command.name, chat_command.description, language) or "—")
        for chat_command in COMMANDS
    )
    program = ((f"`wxbot {name}`", cell(command.what)) for name, command in PROGRAMS.items())
    parts = [
        f"# {'命令' if zh else 'Commands'}",
        f"## {'微信里的命令' if zh else 'In WeChat'}",
        say.intro("chat", language),
        table(header, chat),
        f"## {'终端里的命令' if zh else 'On the terminal'}",
        say.intro("program", language),
        table(header, program),
    ]
    return "\n\n".join(parts)


def errors_page(say: Describer, language: str) -> str:
    """Return the page of error codes."""
    zh = language == "zh"
    kinds = [(f"`{error.code}`", str(error.status), error.message, _first_line(error)) for error in _general_errors()]
    if zh:
        errors_table = table(("编号", "HTTP", "message"), (row[:3] for row in kinds))
    else:
        errors_table = table(("Code", "HTTP", "message", "When"), kinds)
    return f"# {'错误码' if zh else 'Error codes'}\n\n{say.intro('errors', language)}\n\n{errors_table}"


def _general_errors() -> list[type[BotError]]:
    """Return one error per code and status, the most general class."""
    chosen: dict[tuple[int, int], type[BotError]] = {}
    for error in sorted(all_errors(), key=lambda kind: (kind.code, kind.status, len(kind.__mro__), kind.__name__)):
        chosen.setdefault((error.code, error.status), error)
    return list(chosen.values())


def _first_line(kind: type[BotError]) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


def metrics_page(say: Describer, language: str) -> str:
    """Return the page of metrics."""
    zh = language == "zh"
    rows = (
        (
            f"`{listed_metric.name}`",
            listed_metric.kind,
            ", ".join(f"`{label}`" for label in listed_metric.labels) or "—",
            say.metric(listed_metric.name, listed_metric.help, language),
        )
        for listed_metric in metric_list()
    )
    header = ("名称", "类型", "标签", "含义") if zh else ("Name", "Type", "Labels", "Meaning")
    return f"# {'监控指标' if zh else 'Metrics'}\n\n{say.intro('metrics', language)}\n\n{table(header, rows)}"


def webhooks_page(say: Describer, language: str) -> str:
    """Return the page of webhook events."""
    zh = language == "zh"
    headers = table(("请求头", "含义"), ((f"`{name}`", about) for name, about in HEADERS.items())) + "\n" if zh else ""
    rows = [
        (f"`{name}`", event.description, ", ".join(f"`{field}`" for field in (*event.data, *event.optional)))
        for name, event in EVENTS.items()
    ]
    if zh:
        events_table = table(("事件", "触发时机", "data"), rows)
    else:
        events_table = table(("Event", "data"), ((name, data) for name, _, data in rows))
    return f"# {'事件通知' if zh else 'Webhooks'}\n\n{say.intro('webhooks', language)}\n\n{headers}{events_table}"


PAGES: Final = {
    "config": config_page,
    "texts": texts_page,
    "commands": commands_page,
    "rest": rest_page,
    "webhooks": webhooks_page,
    "errors": errors_page,
    "metrics": metrics_page,
}


def pages() -> Iterator[tuple[Path, str]]:
    """Yield the path and text of every generated page."""
    say = Describer()
    for language in LANGUAGES:
        for name, make in PAGES.items():
            yield Path(language) / "reference" / f"{name}.md", HEAD + make(say, language)


def main() -> int:
    """Write all pages."""
    for path, text in pages():
        (HOME / path).parent.mkdir(parents=True, exist_ok=True)
        (HOME / path).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
