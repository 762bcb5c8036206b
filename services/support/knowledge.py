"""A folder of Markdown and text files as passages: each is the text below one heading, verbatim."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from config import ConfigError
from services.support.faq import Entry

if TYPE_CHECKING:
    from markdown_it.token import Token

log = logging.getLogger(__name__)
MARKDOWN: Final = (".md", ".markdown")
SUFFIXES: Final = (*MARKDOWN, ".txt")
MAX_PASSAGE: Final = 1500  # characters of a passage; WeChat takes about 2000
MAX_FILE: Final = 2 * 1024 * 1024  # bytes
HEADING_SEPARATOR: Final = " › "  # headings of a title
_FRONT_MATTER: Final = re.compile(r"\A---[ \t]*\r?\n.*?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_COMMENT: Final = re.compile(r"\s*<!--.*-->\s*", re.DOTALL)


class Passage(Entry):
    """A passage as an entry: its heading is the question, its text the answer.

    `title`: the headings above it; `source`: its file, relative to the folder.
    """

    title: str
    source: str = ""

    @property
    def is_passage(self) -> bool:
        """Always true: its text is searched as well."""
        return True


@dataclass(frozen=True, slots=True)
class _Section:
    """The blocks of a file below one heading."""

    headings: tuple[str, ...]
    blocks: tuple[str, ...]
    source: str = ""


def load(folder: str) -> list[Passage]:
    """Return the passages of a folder, in the order of its files; none without a folder. Raises ConfigError."""
    if not folder:
        return []
    root = Path(folder)
    if not root.is_dir():
        raise ConfigError(f"customer_service.knowledge: {folder!r} is not valid: folder not found")
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    visible = [path for path in files if not any(part.startswith(".") for part in path.relative_to(root).parts)]
    sections = (replace(section, source=str(path.relative_to(root))) for path in visible for section in _sections(path))
    passages = _passages(list(sections))
    if not passages:
        log.warning("customer_service.knowledge: the folder %r contains no Markdown or text files", folder)
    return passages


def _sections(path: Path) -> Iterator[_Section]:
    try:
        if path.stat().st_size > MAX_FILE:
            raise ConfigError(f"{path}: the file is larger than {MAX_FILE // 1024 // 1024} MB")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not readable as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    if path.suffix.lower() in MARKDOWN:
        yield from split_markdown(text, path.stem)
    else:
        yield _Section((path.stem,), tuple(block.strip("\n") for block in re.split(r"\n\s*\n", text) if block.strip()))


def split_markdown(text: str, name: str) -> Iterator[_Section]:
    """Return the sections of a text; `name` is the heading of a text before the first heading."""
    from markdown_it import MarkdownIt  # 2 MB, only where there is a folder of knowledge

    text = _FRONT_MATTER.sub("", text)
    lines = text.splitlines()
    open_headings: list[tuple[int, str]] = []  # level and text
    blocks: list[str] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for index, token in enumerate(tokens):
        if token.level or token.map is None or token.nesting < 0:
            continue
        if token.type == "heading_open":
            yield _Section(_headings(open_headings, name), tuple(blocks))
            level, blocks = int(token.tag[1:]), []
            open_headings = [heading for heading in open_headings if heading[0] < level]
            open_headings.append((level, _plain(tokens[index + 1])))
        elif token.type != "hr" and not (token.type == "html_block" and _COMMENT.fullmatch(token.content)):
            first, last = token.map
            blocks.append("\n".join(lines[first:last]).strip("\n"))
    yield _Section(_headings(open_headings, name), tuple(blocks))


def _headings(open_headings: Sequence[tuple[int, str]], name: str) -> tuple[str, ...]:
    headings = tuple(heading for _, heading in open_headings if heading)
    return headings if open_headings and open_headings[0][0] == 1 and headings else (name, *headings)


def _plain(inline: Token) -> str:
    """Return a heading without its markup."""
    pieces = (token.content for token in inline.children or () if token.type in ("text", "code_inline"))
    return " ".join("".join(pieces).split())


def _passages(sections: Sequence[_Section]) -> list[Passage]:
    """Split sections into parts that fit into a message, each with its own title."""
    sections = [section for section in sections if any(block.strip() for block in section.blocks)]
    leaves = Counter(section.headings[-1] for section in sections)
    titles: Counter[str] = Counter()
    passages = []
    for section in sections:
        for piece in _pieces(section.blocks):
            title = HEADING_SEPARATOR.join(section.headings)
            titles[title] += 1
            leaf = section.headings[-1]
            if titles[title] > 1:
                title = f"{title}（{titles[title]}）"
                questions = [title]
            else:  # a heading that several sections share identifies none of them
                questions = list(dict.fromkeys([title, leaf] if leaves[leaf] == 1 else [title]))
            passages.append(Passage(questions=questions, answer=piece, title=title, source=section.source))
    return passages


def _pieces(blocks: Sequence[str]) -> Iterator[str]:
    piece = ""
    for part in (part for block in blocks for part in _parts(block)):
        if piece and len(piece) + len(part) + 2 > MAX_PASSAGE:
            yield piece
            piece = ""
        piece += ("\n\n" if piece else "") + part
    if piece.strip():
        yield piece


def _parts(block: str) -> Iterator[str]:
    """Return a paragraph, list, table or code block, split by lines if it is too long for a message."""
    if len(block) <= MAX_PASSAGE:
        yield block
        return
    part = ""
    for line in block.split("\n"):
        for start in range(0, len(line) or 1, MAX_PASSAGE):
            slice_ = line[start : start + MAX_PASSAGE]
            if part and len(part) + len(slice_) + 1 > MAX_PASSAGE:
                yield part
                part = slice_
            else:
                part += ("\n" if part else "") + slice_
    yield part
