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
    assert done.stdout.splitlines() == [
        "3 条规则",
        "私聊：第 3 条规则，regex '订单(\\\\d+)' → 订单 42 收到 | 请稍候",
        "群聊：第 3 条规则，regex '订单(\\\\d+)' → 订单 42 收到 | 请稍候",
    ]


def test_output_is_english_if_the_config_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "language: en\ncustomer_service:\n  keywords:\n  - { contains: 发票, reply: 好 }\n", encoding="utf-8"
    )
    assert main([str(path), "开发票"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("1 rules\nprivate: rule 1, contains '发票' -> 好\ngroup: rule 1, ")
    assert "0 questions, 0 passages; by words near from " in out
    path.write_text("language: en\ncustomer_service: { keywords: [{ contains: 发票 }] }\n", encoding="utf-8")
    assert main([str(path)]) == 1
    assert capsys.readouterr().err == f"{path}: rule 1 (reply): this key is required\n"


def test_whole_config_and_context_are_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    indented = RULES.replace("\n-", "\n    -")
    path.write_text(f"customer_service:\n  keywords:{indented}", encoding="utf-8")
    assert main([str(path), "开发票"]) == 0
    out = capsys.readouterr().out
    assert "私聊：第 2 条规则，contains '发票' → 请发抬头。" in out
    assert "群聊：没有匹配的规则" in out


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("- {equals: a, contains: b, reply: c}", "第 1 条规则：必须且只能填一个：equals, contains, regex"),
        ("- {equals: a, reply: b}\n- {regex: '(', reply: c}", "第 2 条规则的 regex：不是 RE2 能用的正则表达式："),
        ("- {equals: a}", "第 1 条规则的 reply：缺少这一项"),
        ("a: [", "rules.yaml: 不是有效的 YAML："),
        ("5", "rules.yaml：整个文件：要填列表"),
        ("- {equals: A, reply: b}\n- {equals: a, reply: c}", "第 2 条规则不会生效：第 1 条的 equals 也是 'a'"),
        ("- {equals: a, reply: [{image: none.png}]}", "没有这个文件：'none.png'"),
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
    assert "none.yaml: 没有这个文件" in capsys.readouterr().err
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("用法：")


def test_menu_threshold_of_config_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faq = "- {questions: [怎么退货], answer: 七天内凭小票。}\n- {questions: [运费多少], answer: 十元。}\n"
    (tmp_path / "faq.yaml").write_text(faq, encoding="utf-8")
    path = tmp_path / "config.yaml"
    embeddings = '{ base_url: "http://127.0.0.1:9/v1", model: m }'
    path.write_text(f"customer_service: {{ faq: faq.yaml, embeddings: {embeddings} }}", encoding="utf-8")
    assert main([str(path), "退货运费谁出"]) == 0
    out = capsys.readouterr().out
    assert "2 条问答，0 段资料；字面相似度达到 0.120 算相近" in out
    assert "按字面：0." in out
    assert "m：服务器没有应答" in out
    assert main([str(path), "xyz"]) == 0
    assert "按字面：没有相近的" in capsys.readouterr().out
