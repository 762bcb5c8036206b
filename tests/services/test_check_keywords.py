"""`make keywords`: validation of a rules file, and which rule answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.check_keywords import main

RULES = """
- { equals: 营业时间, reply: 九点到六点。 }
- { contains: 发票, reply: 请发抬头。, where: private }
- { regex: "订单(\\\\d+)", reply: [ "订单 {1} 收到", { text: 请稍候 } ] }
"""


def test_command_shows_the_matching_rule(tmp_path: Path) -> None:
    """End to end, as called by `make keywords`."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    command = [sys.executable, "-m", "tools.check_keywords", str(path), "我的订单42"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert "3 rules" in done.stdout
    assert "private: rule 3, regex '订单(\\\\d+)' -> 订单 42 收到 | 请稍候" in done.stdout


def test_whole_config_and_context_are_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    indented = RULES.replace("\n-", "\n    -")
    path.write_text(f"customer_service:\n  keywords:{indented}", encoding="utf-8")
    assert main([str(path), "开发票"]) == 0
    out = capsys.readouterr().out
    assert "private: rule 2, contains '发票' -> 请发抬头。" in out
    assert "group: no rule matches" in out


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("- {equals: a, contains: b, reply: c}", "rule 1: exactly one of equals, contains, regex is required"),
        ("- {equals: a, reply: b}\n- {regex: '(', reply: c}", "rule 2 (regex)"),
        ("- {equals: a}", "rule 1 (reply)"),
        ("a: [", "rules.yaml"),
        ("- {equals: A, reply: b}\n- {equals: a, reply: c}", "rule 2 never matches: rule 1 has the same equals 'a'"),
        ("- {equals: a, reply: [{image: none.png}]}", "file not found: 'none.png'"),
    ],
)
def test_rule_error_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str], rules: str, says: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(rules, encoding="utf-8")
    assert main([str(path)]) == 1
    printed = capsys.readouterr()
    assert says in printed.out + printed.err


def test_missing_file_and_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err
    assert main([]) == 2


def test_menu_threshold_of_config_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faq = "- {questions: [怎么退货], answer: 七天内凭小票。}\n- {questions: [运费多少], answer: 十元。}\n"
    (tmp_path / "faq.yaml").write_text(faq, encoding="utf-8")
    path = tmp_path / "config.yaml"
    embeddings = '{ base_url: "http://127.0.0.1:9/v1", model: m }'
    path.write_text(f"customer_service: {{ faq: faq.yaml, embeddings: {embeddings} }}", encoding="utf-8")
    assert main([str(path), "退货运费谁出"]) == 0
    out = capsys.readouterr().out
    assert "2 questions, 0 passages; by words near from 0.150 on" in out
    assert "by words: 0." in out
    assert "m: the server does not answer" in out
    assert main([str(path), "xyz"]) == 0
    assert "by words: nothing is near" in capsys.readouterr().out
