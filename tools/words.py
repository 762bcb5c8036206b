"""What `make keywords` prints, in Chinese and English."""

from __future__ import annotations

from typing import Final

from config.language import Language

# name: (Chinese, English)
TEXTS: Final[dict[str, tuple[str, str]]] = {
    "usage": (
        "用法：python -m tools.check_keywords 文件 [一句话]；文件是 config.yaml，或关键词规则的 YAML 列表",
        "usage: python -m tools.check_keywords FILE [SENTENCE]; FILE is a config.yaml, or a YAML list of rules",
    ),
    "count": ("{count} 条规则", "{count} rules"),
    "no_file": ("没有这个文件：{path!r}", "file not found: {path!r}"),
    "never": (
        "第 {number} 条规则不会生效：第 {first} 条的 {kind} 也是 {word!r}",
        "rule {number} never matches: rule {first} has the same {kind} {word!r}",
    ),
    "invalid": ("{path}：{place}：{reason}", "{path}: {place}: {reason}"),
    "rule": ("第 {number} 条规则", "rule {number}"),
    "rule_key": ("第 {number} 条规则的 {key}", "rule {number} ({key})"),
    "file": ("整个文件", "the file"),
    "private": ("私聊", "private"),
    "group": ("群聊", "group"),
    "no_match": ("{where}：没有匹配的规则", "{where}: no rule matches"),
    "match": (
        "{where}：第 {number} 条规则，{kind} {word!r} → {reply}",
        "{where}: rule {number}, {kind} {word!r} -> {reply}",
    ),
    "questions": (
        "{questions} 条问答，{passages} 段资料；字面相似度达到 {threshold:.3f} 算相近",
        "{questions} questions, {passages} passages; by words near from {threshold:.3f} on",
    ),
    "model": ("{model}：相似度达到 {threshold:.3f} 算相近", "{model}: near from {threshold:.3f} on"),
    "no_answer": ("{model}：服务器没有应答", "{model}: the server does not answer"),
    "words": ("按字面", "by words"),
    "meaning": ("按意思", "by meaning"),
    "near": ("{by}：{score:.3f} {question}", "{by}: {score:.3f} {question}"),
    "nothing": ("{by}：没有相近的", "{by}: nothing is near"),
}


def text(name: str, language: Language, **values: object) -> str:
    """Return a text in a language, filled in."""
    return TEXTS[name][0 if language == "zh" else 1].format(**values)
