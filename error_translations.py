"""Chinese translations of errors that wxbot's and the relay's configs have in common.

Errors are raised in English. A translation is a pattern of the English text with the Chinese text; all matching
patterns of a table are applied in order.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

Translations = tuple[tuple[str, str], ...]

# The place of an error, and how its file cannot be read. First in a table: later patterns may take up to the last ")".
PLACES: Final[Translations] = (
    (r"\bnot UTF-8: save the file as UTF-8", "不是 UTF-8 编码，请另存为 UTF-8"),
    (r"\bduplicate key( '[^']*')", r"同一个键\1 写了两次"),
    (r"\bduplicate key", "同一个键写了两次"),
    (r"\bcontrol character (U\+\w+)", r"有控制字符 \1"),
    (r"\ban alias \(\*\) refers to itself", "别名（*）引用了包含它自己的内容"),
    (r"\binvalid YAML: line (\d+), column (\d+): ", r"不是有效的 YAML：第 \1 行第 \2 列："),
    (r"\binvalid YAML: ", "不是有效的 YAML："),
    (r"\(([^()]+), line (\d+)\)$", r"（\1 第 \2 行）"),
    (r"\(line (\d+)\)$", r"（第 \1 行）"),
)

# Values. After the patterns of single settings, which may begin with the same words.
VALUES: Final[Translations] = (
    (r"\bexpected a string; quote it if it looks like a number", "要填文字，像数字的要加引号"),
    (r"\bexpected a number(?! from)", "要填数字"),
    (r"\bexpected a list", "要填列表"),
    (r"\bexpected a mapping", "要填键值对"),
    (r"\bat least one item is required", "至少要有一项"),
    (r"\bthis key is required", "缺少这一项"),
    (r"\bmust not be empty", "不能为空"),
    (r"\bmust be greater than or equal to (\S+)", r"必须大于或等于 \1"),
    (r"\bmust be less than or equal to (\S+)", r"必须小于或等于 \1"),
    (r"\bmust be greater than (\S+)", r"必须大于 \1"),
    (r"\bmust be less than (\S+)", r"必须小于 \1"),
    (r"\bmust have at most (\d+) characters?", r"最多 \1 个字符"),
    (r"\bmust have at least (\d+) characters?", r"至少 \1 个字符"),
    (r"\bmust match pattern ('.*')", r"必须符合正则表达式 \1"),
    (r"\bmust be ('.+') or ('.+')", r"只能是 \1 或 \2"),
    (
        r"\bexpected visible ASCII characters, without surrounding whitespace",
        "只能用可见的 ASCII 字符，前后不能有空格或换行",
    ),
    (r"\bthe file (\S+) cannot be read: ", r"读不了文件 \1："),
    (r"\bfile not found", "没有这个文件"),
    (r"\bNo such file or directory", "没有这个文件或文件夹"),
    (r"\bPermission denied", "没有权限"),
    (r"\bIs a directory", "这是文件夹"),
)


class Translator:
    """Applies a table of translations."""

    def __init__(self, table: Translations) -> None:
        self._source = table

    @cached_property
    def _table(self) -> list[tuple[re.Pattern[str], str]]:
        """The compiled patterns. Most processes never print an error."""
        return [(re.compile(english), chinese) for english, chinese in self._source]

    def translate(self, error: str) -> str:
        """Translate an error message."""
        for english, chinese in self._table:
            error = english.sub(chinese, error)
        return error
