"""Names of people and groups may have any characters: in texts, log lines, pages, mentions, and read back."""

from __future__ import annotations

import html
import json
import logging
import re
from html.parser import HTMLParser

from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.pages import make_pages
from api.weiqun import Landing
from config.texts import Texts, fill
from handlers.commands import misspelt_command, parse
from logs import JsonFormatter, TextFormatter
from services.text import without_mention
from wechat.mentions import SEPARATOR, is_to_everybody, mentioned_ids, mentions_name
from wechat.names import MAX_SHOWN_LENGTH, clean_name, same_name

SNEAKY = [
    "王五\n【#7 李四】",
    "\u202e张三",
    "{topic}",
    "<script>alert(1)</script>",
    "阮&阮商行",
    "豹子头🔥",
    "a\u2028b",
]
ANY = st.text(st.characters(categories=["C", "L", "M", "N", "P", "S", "Z"]), max_size=40) | st.sampled_from(SNEAKY)
NAMES = ANY.map(clean_name).filter(str.strip)
TEXTS = Texts()
FILLED = {name: text for name, text in TEXTS if re.search(r"\{\w+\}", text)}
PAGES = make_pages()


@given(ANY)
def test_name_becomes_one_printable_line(name: str) -> None:
    shown = clean_name(name)
    shown.encode()
    assert len(f"<{shown}>".splitlines()) == 1
    assert not re.search("[\u202a-\u202e\u2066-\u2069\0\x1b]", shown)
    assert clean_name(shown) == shown


@settings(max_examples=500)
@given(st.sampled_from(list(FILLED.values())), NAMES)
def test_name_in_a_text_is_not_interpreted(text: str, name: str) -> None:
    """It forges no further line, and what looks like a placeholder in it is not filled in."""
    wanted = set(re.findall(r"\{(\w+)\}", text))
    shown = fill(text, **dict.fromkeys(wanted, name))
    assert len(shown.splitlines()) == len(text.splitlines())
    assert shown.count(name) >= len(wanted)
    rest = re.split(r"\{\w+\}", text)
    assert len(shown) == sum(map(len, rest)) + (len(rest) - 1) * len(name)


@given(ANY)
def test_name_cannot_forge_a_log_line(name: str) -> None:
    record = logging.LogRecord("wxbot", logging.INFO, "", 0, "%s came in", (name,), None)
    text = TextFormatter("%(levelname)s %(message)s").format(record)
    line = JsonFormatter().format(record)
    assert len(text.splitlines()) == len(line.splitlines()) == 1
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", text + line)
    assert json.loads(line)["message"] == f"{name} came in"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _rendered(name: str) -> _Page:
    it = Landing(name, name, 3, False, name, True, "", "", "NTkx", "", "")
    page = _Page()
    page.feed(PAGES.get_template("landing.html").render(it=it))
    page.close()
    return page


@given(NAMES)
def test_name_adds_no_markup_to_a_page(name: str) -> None:
    page = _rendered(name)
    assert page.tags == _rendered("a").tags
    assert name in page.words


def _emoji_word(name: str) -> str:
    return re.sub("[\U0001f300-\U0001faff]", "[Fire]", name)


def _no_emoji(name: str) -> str:
    return re.sub("[\U0001f300-\U0001faff]", "", name)


GIVEN_BACK = (str.strip, html.escape, lambda name: html.escape(html.escape(name)), _emoji_word, _no_emoji)


@given(NAMES, st.sampled_from(GIVEN_BACK))
@example("阮&阮商行的群100001", html.escape)
@example("豹子头🔥的群100002", _emoji_word)
def test_name_is_recognised_as_normalised_by_wechat(name: str, change: object) -> None:
    assert same_name(change(name), name)  # type: ignore[operator]


@given(st.text(st.characters(categories=["L", "N"]), min_size=MAX_SHOWN_LENGTH + 1, max_size=60))
def test_truncated_long_name_is_recognised(name: str) -> None:
    assert same_name(name[:MAX_SHOWN_LENGTH], name)
    assert not same_name(name[:10], name)
    assert not same_name("别" + name[:MAX_SHOWN_LENGTH], name)


PLAIN = st.characters(categories=["L", "M", "N", "P", "S", "Zs"], exclude_characters=f"@{SEPARATOR}")
CALLED = st.text(PLAIN, min_size=1, max_size=20).map(clean_name).filter(str.strip)


@given(CALLED, st.text(PLAIN, max_size=20))
@example("\u3000李四", "")
@example("李四\u3000", "在吗")
def test_mentioned_people_are_found(name: str, text: str) -> None:
    """As WeChat writes a mention, and as people do, if the name has no @ and no end of a mention in it."""
    assert mentions_name(f"@{name}{SEPARATOR}{text}", [name])
    assert mentioned_ids(f"@{name}{SEPARATOR}{text}", lambda found: ["id"] if found == name else []) == ("id",)
    assert mentions_name(f"{text} @{name}", [name])
    assert mentions_name(f"@{name} {text}", [name])


MENTIONS = st.lists(
    st.text(max_size=8)
    | st.sampled_from(["@", "@所有人", SEPARATOR, " ", "\n", "/踢", "100001 ", "@@", "\u3000", "，"]),
    max_size=30,
).map("".join)


@given(MENTIONS, NAMES)
def test_any_mention_is_parsed(text: str, name: str) -> None:
    assert set(mentioned_ids(text, lambda found: [found] if found == name else [])) <= {name}
    if mentions_name(text, [name]) or is_to_everybody(text):
        assert "@" in text
    assert len(without_mention(text, name)) <= len(text)
    command, misspelt = parse(text), misspelt_command(text)
    assert command is None or command[0] is misspelt or misspelt is None or command[0].name.startswith(misspelt.name)
