"""Config mistakes that must not pass silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import ConfigError, load
from config.language import in_language
from jobs import JOBS
from jobs.scheduler import check_times
from services.support.faq import load as load_faq

COMMA = "expected one entry; entries are separated by an English comma"


@pytest.mark.parametrize(("text", "says"), [
    ("groups: {capacity: 5}\ngroups: {capacity: 6}", "line 2, column 1: duplicate key"),
    ("groups: {companions: [智多星，吴用]}", COMMA),
    ("groups: {blocked_words: [兼职、刷单]}", COMMA),
    ("customer_service: {handoff: {words: [人工，转人工]}}", COMMA),
    ("customer_service: {handoff: {on_duty: [a，b]}}", COMMA),
    ("customer_service: {accept: {words: [买，卖]}}", COMMA),
    ("flows: [{name: f, start: [开始，开工], steps: [{say: x}]}]", COMMA),
    ("customer_service: {handoff: {hours: {from: 9}}}", 'a time like "09:00"'),
    (r"customer_service: {keywords: [{regex: '(\d+)', reply: '{1} {2}'}]}", "takes {2}, and the regex has 1 groups"),
    ("customer_service:\n  faq: none.yaml", "faq: 'none.yaml' is not valid: file not found ({path}, line 2)"),
    ("customer_service: {knowledge: none}", "customer_service.knowledge: 'none' is not valid: folder not found"),
    (
        "customer_service:\n  keywords:\n    - {equals: a, reply: b}\n    - equals: c\n      reply:\n        - d\n"
        "        - {image: none.png}",
        "customer_service.keywords.2.reply.2.image: 'none.png' is not valid: file not found ({path}, line 7)",
    ),
    ("a: \x07", "line 1, column 4: control character U+0007"),
])  # fmt: skip
def test_suspicious_values_are_rejected(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load(path)
    assert says.replace("{path}", str(path)) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("text", "line"), [
    ("api:\n  host: h\n  port: x", 3),
    ("api: {host: h,\n  port: x}", 2),
    ("keep_days: 1\nassistants:\n  - account: a\n  - endpoint: h:1", 4),  # where the key is missing
    ("assistants:\n  - account: a\n  - account: a", 1),
    ("unknown: 1\n", 1),
    ("api:\n  keys:\n    - first-key-1234567\n    - k", 4),
    ("flows:\n  - name: f\n    start: [f]\n    steps:\n      - say: x\n      - say: '{y}'", 6),
    ("flows:\n  - {name: f, start: [f], steps: [{say: x}]}\n  - {name: f, start: [g], steps: [{say: x}]}", 3),
    ("cluster:\n  advertise: http://h\n  enabled: true", 3),
    ("webhooks:\n  - {url: ftp://h, secret: x}", 2),
    ("base: &b {port: 1}\napi:\n  <<: *b\n  host: ''", 1),  # a key that there is not, before anything else
    ("x-y: &b\n  prot: 1\napi:\n  <<: *b", 1),
    ("texts:\n  bad_token: '{nickname}'", 2),
    ("groups:\n  welcome: ok\n\n  topic: '{x}'", 4),
])  # fmt: skip
def test_line_of_the_error_is_named(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load(path)
    assert str(error.value).endswith(f"({path}, line {line})")
    assert in_language(str(error.value), "zh").endswith(f"（{path} 第 {line} 行）")


def test_environment_variable_is_named_instead_of_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("assistants: [{account: a}]\napi: {port: 1}", encoding="utf-8")
    monkeypatch.setenv("WXBOT_ASSISTANTS__0__ENDPOINT", "nonsense")
    with pytest.raises(ConfigError, match=r"^assistants\.1\.endpoint \(WXBOT_ASSISTANTS__0__ENDPOINT\).*sandbox$"):
        load(path)


def test_line_of_an_invalid_job_is_named(tmp_path: Path) -> None:
    """Jobs are checked after the file was read."""
    path = tmp_path / "config.yaml"
    path.write_text("jobs:\n  - {name: prune, enabled: false}\n  - name: prune\n    cron: at 4", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^jobs\.2\.cron: 'at 4' .*, line 4\)$"):
        check_times(JOBS, load(path).model_copy(deep=True))


def test_default_faq_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("keep_days: 1")
    assert load_faq(load("config.yaml").customer_service.faq) == []


def test_valid_variants_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("customer_service: {handoff: {hours: {from: 9:00}}}\ngroups: {companions: [智多星, 吴用]}", "utf-8")
    config = load(path)
    assert config.customer_service.handoff.hours.from_ == "09:00"
    assert config.groups.companions == ["智多星", "吴用"]


def test_file_in_another_encoding_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes("groups: {welcome: 欢迎}".encode("gbk"))
    with pytest.raises(ConfigError, match="save the file as UTF-8"):
        load(path)


def test_question_with_two_answers_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "faq.yaml"
    path.write_text("- {questions: [几点开门], answer: 九点}\n- {questions: [几点开门？], answer: 十点}", "utf-8")
    with pytest.raises(ConfigError, match=r"'几点开门？' has two answers \(.*faq\.yaml, line 2\)"):
        load_faq(str(path))
    path.write_text("- {questions: [几点开门], answer: 九点}\n- {questions: [几点开门？], answer: 九点}", "utf-8")
    assert len(load_faq(str(path))) == 2
