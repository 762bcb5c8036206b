"""The language of terminal output: Chinese, or English with `language: en`.

Errors are raised in English; this table translates them. A test checks that it is complete.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from error_translations import PLACES, VALUES, Translations, Translator

Language = Literal["zh", "en"]
VARIABLE: Final = "WXBOT_LANGUAGE"
SETTING: Final = re.compile(r"""(?:^|[{,]\s*)["']?language["']?:\s*["']?(zh|en)\b""", re.MULTILINE)

CHINESE: Final[Translations] = (
    *PLACES,
    (r" has two answers", " 有两个不同的答案"),
    (r"\bthe reply takes (\{\w+\}), and the regex has (\w+) groups", r"回复里用了 \1，而正则表达式只有 \2 个分组"),
    (
        r"\bexpected one entry; entries are separated by an English comma \(,\), not by ， or 、",
        "每项只能写一个，多项之间用英文逗号（,）隔开，不能用，或、",
    ),
    (r"\bis not valid: ", "不行："),
    (r"\(no value\)", "（空）"),
    # types of values
    (
        r"\bexpected an EncodingAESKey of (\w+) letters and digits, not (\w+)",
        r"要填 \1 位字母和数字的 EncodingAESKey，现在是 \2 位",
    ),
    (r"\bexpected an EncodingAESKey of (\w+) letters and digits", r"要填 \1 位字母和数字的 EncodingAESKey"),
    (r"\ba group may be listed only once", "同一个群只能写一次"),
    (
        r"\bonly for an assistant of kind wecom; kind is missing",
        "只用于 kind 为 wecom 的助手，请加上 kind: wecom",
    ),
    (r"\bnot for an assistant of kind wecom, which has no gateway", "kind 为 wecom 的助手没有网关，不能填这一项"),
    (r"\b(open_kfid|groups\.pool) (\S+): another assistant has it too", r"\1 \2：另一个助手也用了它"),
    (
        r"\btoken and aes_key are required for an assistant of kind wecom",
        "kind 为 wecom 的助手要填 token 和 aes_key",
    ),
    (r"\brequired for an assistant of kind wecom", "kind 为 wecom 的助手要填这一项"),
    (r"\bexpected an integer", "要填整数"),
    (r"\bexpected true or false", "只能是 true 或 false"),
    (r"\bexpected a list like (\[.*?\])", r"要填列表，例如 \1"),
    (r"\bexpected a mapping like (\{.*?\})", r"要填键值对，例如 \1"),
    (r"\bexpected a mapping, not (\w+)", r"要填键值对，而不是 \1"),
    (r"\bunknown key; allowed: ", "没有这个键，只有 "),
    (r"\bunknown placeholder (\{\S+\}); allowed: none", r"这里不认识 \1，不能有花括号"),
    (r"\bunknown placeholder (\{\S+\}); allowed: ", r"这里不认识 \1，只有 "),
    # single settings
    (r"\bexpected a base URL, without \? and #", "要填后面还能接路径的网址，不带 ? 和 #"),
    (r"\bexpected a URL like (\S+), because (\S+) is true", r"\2 为 true 时要填网址，例如 \1"),
    (r"\bexpected a URL like (\S+)", r"要填网址，例如 \1"),
    (r"\bexpected a time zone like (\S+)", r"要填时区，例如 \1"),
    (r"\bexpected a network like (\S+), without host bits", r"要填网段，例如 \1，掩码之后的位必须是 0"),
    (r"\bexpected printable characters, without surrounding whitespace", "只能用可见字符，前后不能有空格或换行"),
    (
        r"\bexpected host:port, like (\S+) or (\S+); empty for the sandbox",
        r"要填 主机:端口，例如 \1 或 \2；留空就用沙箱",
    ),
    (r"\bendpoint and authority must not both be set", "endpoint 也填了，两个只能填一个"),
    (r"\btoken is required", "还要在 token 里填令牌，才能去查询"),
    (r"\bexpected a PEM file of certificates: ", "要填证书文件（PEM）："),
    (
        r"\bexpected a WeChat id like (\S+), not a nickname \(while the list is empty, a code is printed at startup; "
        r"whoever sends (.+?) to the assistant becomes an admin\)",
        r"要填微信 id，例如 \1，不能填昵称（列表为空时，启动会打印绑定码，向助手发送 \2 即可成为管理员）",
    ),
    (r"\bexpected a host name like (\S+), without scheme and port", r"要填主机名，例如 \1，不带 http:// 和端口"),
    (r"\bevery account must occur once", "每个账号只能出现一次"),
    (r"\bexpected sqlite:///FILE or (\S+)", r"要填 sqlite:///文件 或 \1"),
    (r"\bcluster\.enabled: several processes need a database: (\S+)", r"cluster.enabled：多个进程要共用 \1 数据库"),
    (
        r"\bcluster\.enabled: assistant (\S+) has no gateway, and the sandbox is of one process",
        r"cluster.enabled：助手 \1 没有网关，沙箱只能由一个进程使用",
    ),
    (r"\bwebhooks: URLs must be unique", "webhooks：每个 url 只能出现一次"),
    (r"\bwebhooks: names must be unique", "webhooks：每个 name 只能出现一次"),
    (r"\bexpected a time like (\S+)", r"要填时间，例如 \1"),
    (r"\bexactly one of (.+?) is required", r"必须且只能填一个：\1"),
    (r"\bnot a valid RE2 expression: ", "不是 RE2 能用的正则表达式："),
    (r"\bexpected the minimum and the maximum, in this order", "要依次填最短和最长"),
    (r"\bexpected days like (\S+) or (\S+)", r"要填星期，例如 \1 或 \2"),
    (r"\bthe name of a model is required if base_url is set", "填了 base_url 就要填模型的名字"),
    (r"\bexpected base64 after (\S+) \((.+) creates it\)", r"\1 后面要填 base64（可用 \2 生成）"),
    (r"\bunknown job; allowed: ", "没有这个任务，只有 "),
    (r"\bexpected five crontab fields: ", "要像 crontab 一样写五段："),
    # flows
    (r"\bflow (.+?), step (\S+?)(:|,)", r"流程 \1 第 \2 步\3"),
    (r"\bflow (.+?), start: (.+) is already used \((.+)\)", r"流程 \1 的 start：\2 已经被占用（\3）"),
    (r"\bflow (.+?): duplicate name", r"流程 \1：有两个同名的"),
    (r"\bunknown system ", "没有这个业务系统："),
    (
        r"\boptions (.+) and (.+) are the same answer",
        r"选项 \1 和 \2 算同一个回答（不分大小写、全半角、空格和首尾标点）",
    ),
    (r" is a reserved name", " 已有含义，不能再用"),
    (r"\bno earlier step uses ", "前面没有哪一步给出 "),
    (r"\bno later step waits for ", "后面没有哪一步等待 "),
    (r"\bno earlier step sets ", "前面没有哪一步得到 "),
    (r" is a text and has no field ", " 是文字，没有 "),
    (r"\bfolder not found", "没有这个文件夹"),
    (r"\bthe file is larger than (\d+) MB", r"文件超过 \1 MB"),
    (r"\bnot readable as UTF-8", "不是有效的 UTF-8 文本"),
    (r"\beither regex or min and max are required", "要么填 regex，要么填 min、max"),
    (r"\bmin must not be above max", "min 不能大于 max"),
    (r"\boptions must be unique", "每个选项只能出现一次"),
    (
        r"\bexpected at least (\S+) characters \(openssl rand -base64 32 creates some\)",
        r"至少要 \1 个字符（可用 openssl rand -base64 32 生成）",
    ),
    # file and environment
    (r" is not a list index; expected a number from 0", " 处是列表，要填从 0 开始的序号"),
    (r"\b(\w+) has no key ", r"\1 下面没有 "),
    (r"\bthe list has (\S+) items; the next index is (\S+)", r"列表有 \1 项，下一项是第 \2 号"),
    *VALUES,
    (r"\bmust be (.+)", r"只能是 \1"),
    (r"\bmust ", "必须 "),
    # start
    (r"^config: ", "配置："),
    (r"^cannot start: ", "启动不了："),
    (r"^stopped: ", "已停止："),
    (r"\bthe database: ", "数据库："),
    (r"\banother wxbot \(process (\w+)\) runs on the database ", r"另一个 wxbot（进程 \1）正在使用数据库 "),
    (r"\banother wxbot runs on this database ", "另一个 wxbot 正在使用这个数据库 "),
    (r"\banother wxbot has taken the database", "另一个 wxbot 接管了数据库"),
    (r"\bthe database file was deleted or replaced", "数据库文件被删除或替换了"),
    (
        r"\bthe database (\S+) has another name \(a hard link\), which must be removed",
        r"数据库 \1 还有另一个名字（硬链接），请先删除它",
    ),
    (r"\bit contains tables of another program ", "里面是别的程序的表 "),
    (
        r"\bit was used by a newer wxbot \(schema version (\S+)\); install that version",
        r"它被更新版本的 wxbot 用过（表的版本是 \1），请安装那个版本",
    ),
    (r"\bits encoding is (\S+); create one with ", r"它的编码是 \1；请这样新建一个："),
    (r"\bfile is not a database", "这个文件不是数据库"),
    (r"\bcannot be written in: ", "不能写入："),
    (r"\banother program uses (\S+)", r"\1 已被别的程序占用"),
    (r"(?i)\baddress already in use", "地址已被占用"),
    (r"\bRead-only file system", "文件系统是只读的"),
    (r"\(hidden\)", "（隐藏）"),
)
_TRANSLATOR: Final = Translator(CHINESE)


def in_language(line: str, language: str) -> str:
    """Translate an error message."""
    return line if language == "en" else _TRANSLATOR.translate(line)


def language_of(path: str | Path, environment: Mapping[str, str] = os.environ) -> Language:
    """Return the configured language, even if the config cannot be parsed."""
    value = environment.get(VARIABLE, "")
    if not value:
        try:
            match = SETTING.search(Path(path).read_text(encoding="utf-8", errors="replace"))
        except OSError:
            match = None
        value = match[1] if match else ""
    return "en" if value == "en" else "zh"
