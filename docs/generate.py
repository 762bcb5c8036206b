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
    shown = table(("名称", "默认文字") if zh else ("Name", "Default wording"), rows)
    return f"# {'文字' if zh else 'Texts'}\n\n{say.intro('texts', language)}\n\n{shown}"


def commands_page(say: Describer, language: str) -> str:
    """Return the page of chat commands and subcommands."""
    zh = language == "zh"
    head = ("命令", "作用") if zh else ("Command", "What it does")
    chat = ((f"`{cell(one.usage)}`", say.command(one.name, one.description, language) or "—") for one in COMMANDS)
    program = ((f"`wxbot {name}`", cell(command.what)) for name, command in PROGRAMS.items())
    parts = [
        f"# {'命令' if zh else 'Commands'}",
        f"## {'微信里的命令' if zh else 'In WeChat'}",
        say.intro("chat", language),
        table(head, chat),
        f"## {'终端里的命令' if zh else 'On the terminal'}",
        say.intro("program", language),
        table(head, program),
    ]
    return "\n\n".join(parts)


def errors_page(say: Describer, language: str) -> str:
    """Return the page of error codes."""
    zh = language == "zh"
    kinds = [(f"`{one.code}`", str(one.status), one.message, _first_line(one)) for one in _general_errors()]
    if zh:
        shown = table(("编号", "HTTP", "message"), (row[:3] for row in kinds))
    else:
        shown = table(("Code", "HTTP", "message", "When"), kinds)
    return f"# {'错误码' if zh else 'Error codes'}\n\n{say.intro('errors', language)}\n\n{shown}"


def _general_errors() -> list[type[BotError]]:
    """Return one error per code and status, the most general class."""
    chosen: dict[tuple[int, int], type[BotError]] = {}
    for one in sorted(all_errors(), key=lambda kind: (kind.code, kind.status, len(kind.__mro__), kind.__name__)):
        chosen.setdefault((one.code, one.status), one)
    return list(chosen.values())


def _first_line(kind: type[BotError]) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


def metrics_page(say: Describer, language: str) -> str:
    """Return the page of metrics."""
    zh = language == "zh"
    rows = (
        (
            f"`{one.name}`",
            one.kind,
            ", ".join(f"`{label}`" for label in one.labels) or "—",
            say.metric(one.name, one.help, language),
        )
        for one in metric_list()
    )
    head = ("名称", "类型", "标签", "含义") if zh else ("Name", "Type", "Labels", "Meaning")
    return f"# {'监控指标' if zh else 'Metrics'}\n\n{say.intro('metrics', language)}\n\n{table(head, rows)}"


def webhooks_page(say: Describer, language: str) -> str:
    """Return the page of webhook events."""
    zh = language == "zh"
    headers = table(("请求头", "含义"), ((f"`{name}`", about) for name, about in HEADERS.items())) + "\n" if zh else ""
    rows = [
        (f"`{name}`", event.about, ", ".join(f"`{one}`" for one in (*event.data, *event.may)))
        for name, event in EVENTS.items()
    ]
    if zh:
        shown = table(("事件", "触发时机", "data"), rows)
    else:
        shown = table(("Event", "data"), ((name, data) for name, _, data in rows))
    return f"# {'事件通知' if zh else 'Webhooks'}\n\n{say.intro('webhooks', language)}\n\n{headers}{shown}"


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
