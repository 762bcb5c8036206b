"""The page's texts: complete in both languages, with one for each audit kind."""

from __future__ import annotations

import re

from console.page_files import FOLDER
from services.groups.adding import AddResult

ROOMS = ("services", "handlers", "app", "api", "console")


def test_every_text_has_an_english_translation() -> None:
    own = [path for path in FOLDER.rglob("*.js") if "vendor" not in path.parts]
    sources = {path.name: path.read_text(encoding="utf-8") for path in own}
    english = sources.pop("english.js") + sources.pop("english-more.js")
    known = {line.partition("|")[0] for line in english.splitlines() if "|" in line}
    used = {
        found for source in sources.values() for found in re.findall(r'"([^"\n]*[\u4e00-\u9fff][^"\n]*)"', source)
    }  # fmt: skip
    assert len(used) > 200 and used - known - {"中文"} == set()


def test_every_audit_kind_has_a_label() -> None:
    words = set(re.findall(r"(\w+): \"", (FOLDER / "audit-words.js").read_text(encoding="utf-8")))
    folders = [FOLDER.parents[1] / name for name in ROOMS]
    source = "\n".join(path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py"))
    noted = re.findall(r"audit\.(?:record|begin)\(\s*(?:s|session)?,?\s*[\w.()\[\]{}:\"]*,\s*\"(\w+)\"", source)
    noted += re.findall(r"(?:request|self)\.(?:_note|record)\(session(?:, ticket, agent)?, \"(\w+)\"", source)
    assert len(set(noted)) > 30 and set(noted) - words == set()


def test_every_result_of_adding_a_member_has_a_label() -> None:
    _, _, labels = (FOLDER / "audit-words.js").read_text(encoding="utf-8").partition("SEEN = ")
    assert {result.value for result in AddResult} <= set(re.findall(r"(\w+): \"", labels))
