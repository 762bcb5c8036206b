"""Terminal output is Chinese by default, and every error has a Chinese translation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from app.terminal import TEXTS
from config import Config, ConfigError, load
from config.error_messages import REASONS_BY_TYPE
from config.language import in_language, language_of
from config.texts_english import ENGLISH
from jobs import JOBS
from relay.config import REASONS
from relay.language import translated
from wechat.problems import TEXTS as PROBLEMS
from wechat.problems import Problem, Reason

ROOT = Path(__file__).parent.parent
RAISED = {
    "ValueError",
    "_BadValue",
    "key_error",
    "error_at",
    "InvalidFlow",
    "BadVariable",
    "ConfigError",
    "config.error",
}
UNTRANSLATED = re.compile(r"\b(is|are|has|expected|required|allowed|unknown|must|no|only|cannot|not|the|of)\b")


def _template(node: ast.expr) -> str | None:
    """Return a message with its values replaced by V."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "V" for part in node.values)
    return None


def _name(function: ast.expr) -> str:
    """Return the name of what is called."""
    return ast.unparse(function) if isinstance(function, ast.Name | ast.Attribute) else ""


OF_CONFIG = [
    *(ROOT / "config").glob("*.py"),
    ROOT / "yaml_file.py",
    ROOT / "jobs/scheduler.py",
    ROOT / "services/support/faq.py",
]
OF_RELAY = [ROOT / "relay/config.py", ROOT / "yaml_file.py"]


def _messages(paths: Iterable[Path] = OF_CONFIG) -> Iterator[tuple[str, str]]:
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _name(node.func) in RAISED:
                message = _template(node.args[-1])
                if message and UNTRANSLATED.search(message):
                    yield path.name, message


@pytest.mark.parametrize(
    ("file", "message"), [*_messages(), *(("error_messages.py", reason) for reason in REASONS_BY_TYPE.values())]
)
def test_every_config_error_has_a_chinese_translation(file: str, message: str) -> None:
    chinese = in_language(message, "zh")
    assert not UNTRANSLATED.search(chinese), f"{file}: add Chinese words to config/language.py: {chinese}"
    assert in_language(message, "en") == message


@pytest.mark.parametrize("message", [*(message for _, message in _messages(OF_RELAY)), *REASONS.values()])
def test_every_config_error_of_the_relay_has_a_chinese_translation(
    message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WXBOT_LANGUAGE", raising=False)
    assert not UNTRANSLATED.search(translated(message)), "add Chinese words to relay/language.py"
    monkeypatch.setenv("WXBOT_LANGUAGE", "en")
    assert translated(message) == message


def test_message_search_finds_messages() -> None:
    assert len(list(_messages())) > 30
    assert len(list(_messages(OF_RELAY))) > 8


@pytest.mark.parametrize(
    ("yaml", "line"),
    [
        ("api: {prot: 1}", "api.prot: 1 不行：没有这个键，只有 host, port,"),
        ("api: {port: eighty}", "api.port: 'eighty' 不行：要填整数"),
        ("api: {port: 70000}", "api.port: 70000 不行：必须小于或等于 65535"),
        ("assistants: []", "assistants: [] 不行：至少要有一项"),
        ("keep_days: 1\nkeep_days: 2", "第 2 行第 1 列：同一个键 'keep_days' 写了两次"),
        ("assistants: [{account: a}, {account: a}]", "assistants.2.account: 'a' 不行：每个账号只能出现一次"),
        ("language: fr", "language: 'fr' 不行：只能是 'zh' 或 'en'"),
        ("log_format: xml", "log_format: 'xml' 不行：只能是 'text' 或 'json'"),
        ("webhooks: [{name: 订单 1, url: http://a/, secret: 0123456789abcdef}]", "不行：必须符合正则表达式 '^["),
        (f"webhooks: [{{name: {'x' * 101}, url: http://a/, secret: 0123456789abcdef}}]", "不行：最多 100 个字符"),
        (
            "customer_service: {handoff: {hours: {days: mo-fr}}}",
            "customer_service.handoff.hours.days: 'mo-fr' 不行：要填星期，例如 mon-fri 或 mon-fri,sun",
        ),
        ("keep_days: [", "不是有效的 YAML：第 1 行第 13 列："),
    ],
)
def test_config_error_is_printed_in_chinese(tmp_path: Path, yaml: str, line: str) -> None:
    (tmp_path / "config.yaml").write_text(yaml)
    with pytest.raises(ConfigError) as raised:
        load(tmp_path / "config.yaml")
    assert line in in_language(str(raised.value), "zh")


def test_language_is_selected(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    assert language_of(path, {}) == "zh"
    path.write_text("# language: en\nassistants: [")
    assert language_of(path, {}) == "zh"
    path.write_text("language: en  # a broken file\nassistants: [")
    assert language_of(path, {}) == "en"
    assert language_of(path, {"WXBOT_LANGUAGE": "zh"}) == "zh"
    assert Config().language == "zh"


@pytest.mark.parametrize("problem", list(Problem))
def test_every_account_problem_has_a_text(problem: Problem) -> None:
    chinese, english = PROBLEMS[problem]
    assert re.search("[一-鿿]", chinese)
    assert not re.search("[一-鿿]", english)
    assert "DETAIL" in Reason(problem, "DETAIL").text("zh") or "{0}" not in chinese


def test_both_languages_have_the_same_texts() -> None:
    for name, (chinese, english) in TEXTS.items():
        assert set(re.findall(r"\{\w+\}", chinese)) == set(re.findall(r"\{\w+\}", english)), name


def test_reports_follow_the_language() -> None:
    english = Config(language="en", texts={"report_miss": "? {question}"}).texts
    assert english.report_title == "Daily report, {day}"
    assert english.report_miss == "? {question}"
    assert english.bad_token == Config().texts.bad_token  # texts for customers
    assert Config(language="zh").texts.report_title == "【日报】{day}"
    jobs = {f"job_{job.name}" for job in JOBS}
    assert jobs <= ENGLISH.keys()
    assert jobs <= type(english).model_fields.keys()
