"""The documentation site builds, both languages correspond, and the reference pages are current."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.generate import pages
from tests.bot_process import ROOT
from wechat.problems import TEXTS, Problem

DOCS = ROOT / "docs"
WRITTEN = sorted(path.relative_to(DOCS / "zh") for path in (DOCS / "zh").rglob("*.md"))
READ_FIRST = ("index.md", "start/first-run.md", "start/tutorial.md")
JARGON = re.compile(r"API\b|JSON|puppet|gRPC|PostgreSQL|systemd|webhook|Prometheus|TLS", re.IGNORECASE)


def test_site_builds_without_warnings(tmp_path: Path) -> None:
    """No broken links or missing pictures; no external resources."""
    done = subprocess.run(
        [sys.executable, "-m", "docs.build", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for language in ("zh", "en"):
        for path in WRITTEN:
            place = path.with_suffix("") if path.name != "index.md" else path.parent
            page = (tmp_path / "site" / language / place / "index.html").read_text()
            assert not re.search(r'<(?:script|link|img)[^>]*(?:src|href)="https?://', page), path
    alerts = (tmp_path / "site/zh/operations/alerts/index.html").read_text()
    assert 'id="wxbotdown"' in alerts  # the target of the alerts' links


@pytest.mark.parametrize(
    ("path", "text"), list(pages()), ids=lambda value: str(value) if isinstance(value, Path) else ""
)
def test_generated_page_is_current(path: Path, text: str) -> None:
    assert (DOCS / path).read_text() == text, "run `make reference`"


def test_languages_have_the_same_pages_and_headings() -> None:
    english = sorted(path.relative_to(DOCS / "en") for path in (DOCS / "en").rglob("*.md"))
    assert english == WRITTEN
    for path in WRITTEN:
        levels = [
            re.findall(r"^(#+) ", (DOCS / language / path).read_text(), re.MULTILINE) for language in ("zh", "en")
        ]
        assert levels[0] == levels[1], path


@pytest.mark.parametrize("page", READ_FIRST)
def test_first_pages_avoid_technical_terms(page: str) -> None:
    """Technical terms come later."""
    prose = re.sub(r"```.*?```|`[^`]*`|\|.*\|", "", (DOCS / "zh" / page).read_text(), flags=re.DOTALL)
    assert JARGON.findall(prose) == []


# Questions of operators, the page that answers each, and words of the answer.
QUESTIONS = [
    ("怎么先试试，不碰真微信？", "start/first-run.md", "make run"),
    ("怎么成为管理员？", "start/real-account.md", "绑定"),
    ("会不会被封号？", "explanation/wechat-rules.md", "封禁"),
    ("客服怎么回复 12 号客户？", "start/tutorial.md", "#12 您好"),
    ("怎么改欢迎语？", "start/tutorial.md", "welcome"),
    ("怎么设客服群？", "start/real-account.md", "/绑定客服群"),
    ("怎么备份？", "operations/backup.md", "wxbot backup"),
    ("升级出了问题怎么退回去？", "operations/upgrade.md", "restore"),
    ("助手为什么不回答？", "operations/troubleshooting.md", "账号在线吗"),
    ("为什么群发这么慢？", "operations/troubleshooting.md", "限速"),
]


@pytest.mark.parametrize(("question", "page", "answer"), QUESTIONS, ids=[question[0] for question in QUESTIONS])
def test_common_questions_are_answered(question: str, page: str, answer: str) -> None:
    assert answer in (DOCS / "zh" / page).read_text(), question


@pytest.mark.parametrize("problem", sorted(set(Problem) - {Problem.STOPPED}))
def test_offline_problems_are_explained(problem: Problem) -> None:
    """The longest literal part of each text is found in the runbook or on the troubleshooting page."""
    text = (DOCS / "zh/operations/troubleshooting.md").read_text() + (DOCS / "zh/operations/alerts.md").read_text()
    general = {Problem.TLS, Problem.STREAM_ENDED, Problem.STREAM_FAILED, Problem.UNFORESEEN, Problem.CANNOT_START}
    if problem in general | {Problem.AUTHORITY_DOWN, Problem.LOGGED_OUT}:
        pytest.skip("passes by itself, or says all there is to do")
    parts = re.split(r"[：；，（）？{}0]+|的$", TEXTS[problem][0])
    assert any(part.strip() and part.strip() in text for part in parts if len(part) > 4), TEXTS[problem][0]
