"""The language of the relay's config errors: Chinese, or English with WXBOT_LANGUAGE=en.

Errors are raised in English; this table translates them.
"""

from __future__ import annotations

import os
import re
from typing import Final

VARIABLE: Final = "WXBOT_LANGUAGE"

# (pattern of the English text, Chinese text). All matching patterns are applied in order.
CHINESE: Final[tuple[tuple[str, str], ...]] = (
    (r"\(([^()]+), line (\d+)\)$", r"（\1 第 \2 行）"),
    (r"\binvalid YAML: line (\d+), column (\d+): ", r"不是有效的 YAML：第 \1 行第 \2 列："),
    (r"\binvalid YAML: ", "不是有效的 YAML："),
    (r"\bduplicate key", "同一个键写了两次"),
    (r"\bnot UTF-8: save the file as UTF-8", "不是 UTF-8 编码，请另存为 UTF-8"),
    (r"\bcontrol character (U\+\w+)", r"有控制字符 \1"),
    (r"\ban alias \(\*\) refers to itself", "别名（*）引用了包含它自己的内容"),
    (r"\bexpected a mapping with the key relays", "要填带 relays 的键值对"),
    (r"\bthe environment variable (\w+) is not set", r"没有设置环境变量 \1"),
    (r"\bthe file (\S+) cannot be read: ", r"读不了文件 \1："),
    (r"\bthis key is required", "缺少这一项"),
    (r"\bunknown key", "没有这个键"),
    (r"\bexpected a string; quote it if it looks like a number", "要填文字，像数字的要加引号"),
    (r"\bmust not be empty", "不能为空"),
    (r"\bexpected a number", "要填数字"),
    (r"\bexpected a list", "要填列表"),
    (r"\bexpected a mapping", "要填键值对"),
    (r"\bat least one item is required", "至少要有一项"),
    (r"\bmust be greater than or equal to (\S+)", r"必须大于或等于 \1"),
    (r"\bmust be less than or equal to (\S+)", r"必须小于或等于 \1"),
    (r"\bmust be greater than (\S+)", r"必须大于 \1"),
    (r"\bmust be ('auto'), True or False", r"只能是 \1、true 或 false"),
    (r"\bmust be (.+?) or (\S+)", r"只能是 \1 或 \2"),
    (r"\bexpected host:port, like (\S+)", r"要填 主机:端口，例如 \1"),
    (
        r"\bexpected visible ASCII characters, without surrounding whitespace",
        "只能用可见的 ASCII 字符，前后不能有空格或换行",
    ),
    (r"\bexpected letters, digits, \. _ and -", "只能用字母、数字和 . _ -"),
    (r"\bfile not found", "没有这个文件"),
    (r"\btls_certificate and tls_key must be set together", "tls_certificate 和 tls_key 要一起填"),
    (r"\btwo relays have the same (.+): (\S+)", r"有两项的 \1 相同：\2"),
    (r"\bNo such file or directory", "没有这个文件或文件夹"),
    (r"\bPermission denied", "没有权限"),
    (r"\bIs a directory", "这是文件夹"),
)


def translated(error: str) -> str:
    """Return a config error in the operator's language."""
    if os.environ.get(VARIABLE) == "en":
        return error
    for pattern, words in CHINESE:
        error = re.sub(pattern, words, error)
    return error
