"""The language of what is printed for the person at the terminal: Chinese unless `language: en` is configured.

Errors are made in English, where they arise; here each has its Chinese words. A test holds the two together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

Language = Literal["zh", "en"]
VARIABLE: Final = "WXBOT_LANGUAGE"
SETTING: Final = re.compile(r"""(?:^|[{,]\s*)["']?language["']?:\s*["']?(zh|en)\b""", re.MULTILINE)

# What may stand in an error's English text, and its Chinese words. The first that fits a place is taken.
CHINESE: Final[tuple[tuple[str, str], ...]] = (
    (r"\bwill not do: ", "不行："),
    # kinds of values
    (r"\bthe EncodingAESKey of 43 letters and digits is wanted", "要填 43 位字母和数字的 EncodingAESKey"),
    (r"\btoken and aes_key are wanted for an assistant of kind wecom", "kind 为 wecom 的助手要填 token 和 aes_key"),
    (r"\bit is wanted for an assistant of kind wecom", "kind 为 wecom 的助手要填这一项"),
    (r"\ba text is wanted, in quotes if it looks like a number", "要填文字，像数字的要加引号"),
    (r"\ba whole number is wanted", "要填整数"),
    (r"\ba number is wanted", "要填数字"),
    (r"\btrue or false is wanted", "只能是 true 或 false"),
    (r"\ba list is wanted", "要填列表"),
    (r"\ba mapping of keys is wanted, not (\w+)", r"要填键值对，而不是 \1"),
    (r"\ba mapping of keys is wanted", "要填键值对"),
    (r"\ba mapping like (\{.*?\}) is wanted", r"要填键值对，例如 \1"),
    (r"\ba list like (\[.*?\]) is wanted", r"要填列表，例如 \1"),
    (r"\bat least one is wanted", "至少要有一项"),
    (r"\bit is missing", "缺少这一项"),
    (r"\bit must not be empty", "不能为空"),
    (r"\bit must be greater than or equal to (\S+)", r"必须大于或等于 \1"),
    (r"\bit must be less than or equal to (\S+)", r"必须小于或等于 \1"),
    (r"\bit must be greater than (\S+)", r"必须大于 \1"),
    (r"\bit must be less than (\S+)", r"必须小于 \1"),
    (r"\bit must be (.+)", r"只能是 \1"),
    (r"\bit must ", "必须 "),
    (r"\bthere is no such key, only ", "没有这个键，只有 "),
    (r"(\{\S+\}) is not known here, only ", r"这里不认识 \1，只有 "),
    (r"\bnothing in braces", "不能有花括号"),
    (r"\bnot UTF-8: save the file as UTF-8", "不是 UTF-8 编码，请另存为 UTF-8"),
    (r"\ba key stands here twice", "同一个键写了两次"),
    (r"('.*?') has two answers", r"\1 有两个不同的答案"),
    (r"\bthe reply takes (\{\w+\}), and the regex has (\w+) groups", r"回复里用了 \1，而正则表达式只有 \2 个分组"),
    (r"\bone name is wanted; names are separated by , and not by ，", "每项只能是一个名字，名字之间用英文逗号隔开"),
    # single settings
    (r"\ban address that more can be put behind is wanted, without \? and #", "要填后面还能接路径的网址，不带 ? 和 #"),
    (r"\ban address like (\S+) is wanted", r"要填网址，例如 \1"),
    (r"\ba time zone like (\S+) is wanted", r"要填时区，例如 \1"),
    (r"\ba network like (\S+) is wanted, without bits behind the mask", r"要填网段，例如 \1，掩码之后的位必须是 0"),
    (
        r"\bprintable characters are wanted, with no space or line end around them",
        "只能用可见字符，前后不能有空格或换行",
    ),
    (
        r"\bonly visible ASCII characters are wanted, with no space or line end around them",
        "只能用可见的 ASCII 字符，前后不能有空格或换行",
    ),
    (
        r"\bhost:port is wanted, like (\S+) or (\S+), or nothing for the sandbox",
        r"要填 主机:端口，例如 \1 或 \2；留空就用沙箱",
    ),
    (r"\bendpoint is set too, and only one of the two may be", "endpoint 也填了，两个只能填一个"),
    (r"\bthe token that it is to be asked for is wanted in token", "还要在 token 里填令牌，才能去查询"),
    (r"\ba file of certificates \(PEM\) is wanted: ", "要填证书文件（PEM）："),
    (r"\bthe file (\S+) cannot be read: ", r"读不了文件 \1："),
    (
        r"\ba WeChat id like (\S+) is wanted, never a nickname \(while the list is empty, the start prints a code: "
        r"who sends (.+?) to the assistant becomes admin\)",
        r"要填微信 id，例如 \1，不能填昵称（列表为空时，启动会打印绑定码，向助手发送 \2 即可成为管理员）",
    ),
    (r"\ba host name like (\S+) is wanted, without scheme and port", r"要填主机名，例如 \1，不带 http:// 和端口"),
    (r"\beach account may stand here once", "每个账号只能出现一次"),
    (r"\bsqlite:///FILE or (\S+) is wanted", r"要填 sqlite:///文件 或 \1"),
    (r"\bwebhooks: each url may stand here once", "webhooks：每个 url 只能出现一次"),
    (r"\ba time like (\S+) is wanted", r"要填时间，例如 \1"),
    (r"\bexactly one of (.+?) is wanted", r"必须且只能填一个：\1"),
    (r"\bnot a regular expression that RE2 takes: ", "不是 RE2 能用的正则表达式："),
    (r"\bthe shortest and the longest are wanted, in this order", "要依次填最短和最长"),
    (r"\bdays like (.+?) are wanted", r"要填星期，例如 \1"),
    (r"\bthe name of a model is wanted where base_url is set", "填了 base_url 就要填模型的名字"),
    (r"\bbase64 is wanted behind (\S+) \((.+) makes one\)", r"\1 后面要填 base64（可用 \2 生成）"),
    (r"\bthere is no file ", "没有这个文件："),
    (r"\bthere is no such job, only ", "没有这个任务，只有 "),
    (r"\bfive fields as in crontab: ", "要像 crontab 一样写五段："),
    # flows
    (r"\bflow (.+?), step (\S+?)(:|,)", r"流程 \1 第 \2 步\3"),
    (r"\bflow (.+?), start: (.+) is taken already \((.+)\)", r"流程 \1 的 start：\2 已经被占用（\3）"),
    (r"\bflow (.+?): there are two of this name", r"流程 \1：有两个同名的"),
    (r"\bthere is no system ", "没有这个业务系统："),
    (r" has a meaning already and cannot be brought", " 已有含义，不能再用"),
    (r"\bnothing before it hands out ", "前面没有哪一步给出 "),
    (r"\bno step after it waits for ", "后面没有哪一步等待 "),
    (r"\bnothing before it brings ", "前面没有哪一步得到 "),
    (r" is a text and has no ", " 是文字，没有 "),
    # the file and the environment
    (r"\bnot readable as YAML: line (\d+), column (\d+): ", r"不是有效的 YAML：第 \1 行第 \2 列："),
    (r"\bnot readable as YAML: ", "不是有效的 YAML："),
    (r"\ban alias \(\*\) stands inside of what it names", "别名（*）引用了包含它自己的内容"),
    (r" stands where a list has its items; a number from 0 is wanted", " 处是列表，要填从 0 开始的序号"),
    (r"\bthere is nothing below (\w+) for ", r"\1 下面没有 "),
    (r"\bthe list has (\S+) items, so the next is number (\S+)", r"列表有 \1 项，下一项是第 \2 号"),
    # the start
    (r"^config: ", "配置："),
    (r"^cannot start: ", "启动不了："),
    (r"\bthe database: ", "数据库："),
    (r"\banother wxbot \(process (\w+)\) runs on the database ", r"另一个 wxbot（进程 \1）正在使用数据库 "),
    (r"\banother wxbot runs on this database ", "另一个 wxbot 正在使用这个数据库 "),
    (r"\banother wxbot has taken the database", "另一个 wxbot 接管了数据库"),
    (r"\bit holds the tables of another program ", "里面是别的程序的表 "),
    (
        r"\ba newer wxbot has used it \(its tables are of version (\S+)\); install that one",
        r"它被更新版本的 wxbot 用过（表的版本是 \1），请安装那个版本",
    ),
    (r"\bits encoding is (\S+); make one with ", r"它的编码是 \1；请这样新建一个："),
    (r"\bfile is not a database", "这个文件不是数据库"),
    (r"\bcannot be written in: ", "不能写入："),
    (r"(?i)\berror while attempting to bind on address (\(.*?\)): address already in use", r"地址 \1 已被占用"),
    (r"(?i)\baddress already in use", "地址已被占用"),
    (r"\bNo such file or directory", "没有这个文件或文件夹"),
    (r"\bPermission denied", "没有权限"),
    (r"\bRead-only file system", "文件系统是只读的"),
    (r"\bIs a directory", "这是文件夹"),
    (r"\bnothing(?= 不行)", "（空）"),
    (r"\(hidden\)", "（隐藏）"),
)
_COMPILED: Final = tuple((re.compile(english), chinese) for english, chinese in CHINESE)


def in_language(line: str, language: str) -> str:
    """An error's line in the person's language."""
    if language == "en":
        return line
    for english, chinese in _COMPILED:
        line = english.sub(chinese, line)
    return line


def language_of(path: str | Path, environment: Mapping[str, str] = os.environ) -> Language:
    """What a config asks for that may not be readable otherwise."""
    said = environment.get(VARIABLE, "")
    if not said:
        try:
            found = SETTING.search(Path(path).read_text(encoding="utf-8", errors="replace"))
        except OSError:
            found = None
        said = found[1] if found else ""
    return "en" if said == "en" else "zh"
