"""Files as passages: split by heading, with the parent headings, and unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import ConfigError
from services.support.faq import FaqIndex
from services.support.knowledge import MAX_PASSAGE, load, split_markdown

GUIDE = """---
title: not shown
---
# 门店手册

总则写在这里。

## 退货

### 期限
七天内凭小票退货。

<!-- 内部：不要给客户看 -->

| 商品 | 期限 |
| --- | --- |
| 鞋 | 7 天 |

```sh
# 这不是标题
make return
```

### 运费
质量问题由我们承担运费。

#### 空的
## 退货
再说一次。
"""


def folder(tmp_path: Path, **files: str) -> str:
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return str(tmp_path)


def test_passage_is_the_text_below_a_heading(tmp_path: Path) -> None:
    passages = {passage.title: passage for passage in load(folder(tmp_path, guide_md=GUIDE))}
    assert list(passages) == [
        "门店手册",
        "门店手册 › 退货 › 期限",
        "门店手册 › 退货 › 运费",
        "门店手册 › 退货",
    ]
    term = passages["门店手册 › 退货 › 期限"]
    assert term.answer.startswith("七天内凭小票退货。\n\n| 商品 | 期限 |\n| --- | --- |\n| 鞋 | 7 天 |")
    assert term.answer.endswith("```sh\n# 这不是标题\nmake return\n```")
    assert "内部" not in term.answer
    assert term.questions == ["门店手册 › 退货 › 期限", "期限"]
    assert "title: not shown" not in str(passages)


def test_other_files_are_named_by_file_name(tmp_path: Path) -> None:
    files = {
        "停车_txt": "地下停车场免费。\n\n出口在北门。",
        "sub__早餐_markdown": "七点到十点。\n\n## 地点\n二楼。\n",
        "_hidden_md": "# 秘密\n不公开。",
        "setext_md": "标题\n====\n正文\n\n小标题 `x` **粗**\n----\n内容",
        "empty_md": "# 只有标题\n",
        "picture_png": "x",
    }
    found = {passage.title: passage.answer for passage in load(folder(tmp_path, **files))}
    assert found == {
        "停车": "地下停车场免费。\n\n出口在北门。",
        "早餐": "七点到十点。",
        "早餐 › 地点": "二楼。",
        "标题": "正文",
        "标题 › 小标题 x 粗": "内容",
    }


def test_long_passage_is_split_without_loss(tmp_path: Path) -> None:
    paragraphs = [f"第{n}段" + "字" * 400 for n in range(9)]
    table = "| a | b |\n| - | - |\n" + "\n".join(f"| {n} | {'值' * 50} |" for n in range(60))
    text = "# 长文\n\n" + "\n\n".join([*paragraphs, table, "末" * 4000])
    passages = load(folder(tmp_path, long_md=text))
    assert all(len(passage.answer) <= MAX_PASSAGE for passage in passages)
    assert [passage.title for passage in passages][:2] == ["长文", "长文（2）"]
    assert len({passage.title for passage in passages}) == len(passages)
    whole = "".join("".join(passage.answer.split()) for passage in passages)
    assert whole == "".join(text.removeprefix("# 长文").split())


@pytest.mark.parametrize(("second", "lengths"), [(748, [MAX_PASSAGE]), (749, [750, 749])])
def test_paragraphs_share_a_passage_while_they_fit(tmp_path: Path, second: int, lengths: list[int]) -> None:
    """Between them is an empty line."""
    passages = load(folder(tmp_path, long_md="甲" * 750 + "\n\n" + "乙" * second))
    assert [len(passage.answer) for passage in passages] == lengths


def test_empty_line_in_a_long_block_is_kept(tmp_path: Path) -> None:
    code = "```\n" + "甲" * 800 + "\n\n" + "乙" * 600 + "\n" + "丙" * 200 + "\n```"
    first, second = load(folder(tmp_path, code_md=code))
    assert first.answer == "```\n" + "甲" * 800 + "\n\n" + "乙" * 600
    assert second.answer == "丙" * 200 + "\n```"


def test_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.txt"
    path.write_bytes(b"x" + b"\n" * (2 * 1024 * 1024 - 1))
    assert [passage.answer for passage in load(str(tmp_path))] == ["x"]
    path.write_bytes(b"x" + b"\n" * (2 * 1024 * 1024))
    with pytest.raises(ConfigError, match="larger than 2 MB"):
        load(str(tmp_path))


@given(st.text(alphabet="ab好 \n#-=|`*>1.<!", max_size=200))
def test_passages_contain_every_line_unchanged(text: str) -> None:
    """Each line of a passage is in the file; the other lines are headings, rules or comments."""
    lines = text.splitlines()
    for section in split_markdown(text, "文件"):
        assert section.headings
        for block in section.blocks:
            assert block.strip("\n") in "\n".join(lines)


def test_unreadable_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="folder not found"):
        load(str(tmp_path / "nowhere"))
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    with pytest.raises(ConfigError, match=r"latin\.md: not readable as UTF-8"):
        load(str(tmp_path))
    assert load("") == []


def test_passage_is_found_by_words(tmp_path: Path) -> None:
    faq = FaqIndex(list(load(folder(tmp_path, guide_md=GUIDE, 停车_txt="地下停车场对住客免费，出口在北门。"))))
    assert [match.question for match in faq.nearest("运费由谁承担")][:1] == ["门店手册 › 退货 › 运费"]
    assert [match.question for match in faq.nearest("停车场的出口在哪")][:1] == ["停车"]
    assert faq.nearest("今天天气真好") == []
    entry = faq.exact("运费")
    assert entry is not None
    assert entry.answer == "质量问题由我们承担运费。"


def test_heading_of_several_sections_matches_none(tmp_path: Path) -> None:
    text = "# 甲\n## 步骤\n先开机。\n# 乙\n## 步骤\n先关机。\n"
    faq = FaqIndex(list(load(folder(tmp_path, a_md=text))))
    assert faq.exact("步骤") is None
    entry = faq.exact("乙 › 步骤")
    assert entry is not None
    assert entry.answer == "先关机。"
