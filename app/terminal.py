"""Terminal output: the addresses after the start, or why it failed."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DBAPIError

from config.language import in_language

if TYPE_CHECKING:
    from app.lifecycle import Bot

# name: (Chinese, English)
TEXTS: Final[dict[str, tuple[str, str]]] = {
    "up": (
        "wxbot 已启动：{url}，文档 {url}/docs，状态 {url}/readyz",
        "wxbot is running: {url}, documentation: {url}/docs, status: {url}/readyz",
    ),
    "up_sandbox": (
        "wxbot 已启动，用的是沙箱微信，不会碰到真实账号。文档：{url}/docs",
        "wxbot is running with a sandbox WeChat, without a real account. Documentation: {url}/docs",
    ),
    "sandbox_password": (
        "⚠ 沙箱微信的网页别人也能访问（sandbox.host 不是本机地址），登录密码：{password}",
        "⚠ others can reach the sandbox WeChat (sandbox.host is no loopback address); its password: {password}",
    ),
    "look": (
        "  看一看：{page}  沙箱微信；选店长，对 {account} 说 /帮助 或 商户设置",
        "  open:  {page}  the sandbox WeChat; switch to 店长 and send /帮助 or 商户设置 to {account}",
    ),
    "try": ("  试一试：curl {url}/wxbot/qun -d '{body}'", "  try:   curl {url}/wxbot/qun -d '{body}'"),
    "then": (
        "  接着：  打开返回的 url，选九纹龙，用页面上的令牌添加助手",
        "  then:  open the url in the response, switch to 九纹龙, and add the assistant with the token shown there",
    ),
    "also": (
        "  还有：  {systems}  流程要调用的业务系统（模拟）",
        "  also:  {systems}  the business systems that the flows call",
    ),
    "no_admin": (
        "还没有管理员：向助手发送 “绑定 {code}” 即可成为管理员",
        "no admin yet: send “绑定 {code}” to the assistant to become an admin",
    ),
    "sandbox_admin": (
        "沙箱里店长已是管理员；其他人向助手发送 “绑定 {code}” 也能成为管理员",
        "店长 is an admin in the sandbox; others become admins by sending “绑定 {code}” to the assistant",
    ),
    "unseen_admin": (
        "还没有在助手的好友里见到 admins 里的人。如果 id 填错了，向助手发送 “绑定 {code}” 也能成为管理员",
        "no one of admins was seen among the friends yet; if an id is wrong, send “绑定 {code}” to become an admin",
    ),
    "checked": ("{path} 没有问题", "{path} is valid"),
    "console": (
        "  管理：  {url}/console/  管理后台；对助手说 /登录 取得登录链接",
        "  manage: {url}/console/  send /登录 to the assistant for a login link",
    ),
    "console_first": (
        "管理后台（5 分钟内有效，只能使用一次）：{url}/console/login/{secret}",
        "the console (valid once, for 5 minutes): {url}/console/login/{secret}",
    ),
    "scan": ("请用微信扫码登录 {account}：", "scan this with WeChat to log in {account}:"),
    "offline": ("{account} 不在线：{why}。会一直重试", "{account} is not online: {why}. Retrying"),
    "waiting": ("正在连接", "connecting"),
    "unwritable": (
        "启动不了：{folder} 不能写入（{why}）。请换一个文件夹，或让运行 wxbot 的用户可以写入",
        "cannot start: {folder} is not writable ({why}). Choose another folder, or grant wxbot's user write access",
    ),
}
UNWRITABLE: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


def text(name: str, language: str, **values: object) -> str:
    """Return a text in a language, filled in."""
    return TEXTS[name][0 if language == "zh" else 1].format(**values)


def accept_any_encoding() -> None:
    """On terminals that cannot display Chinese, print escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def print_error(line: str, language: str) -> None:
    """Print an error to stderr."""
    print(in_language(line, language), file=sys.stderr)


def print_checked(path: str, advice: Mapping[str, str], language: str) -> None:
    """Print that a configuration is valid, and advice about it."""
    print(text("checked", language, path=path))
    for line in advice.values():
        print(line)


def cannot_open(error: OSError, language: str) -> int:
    """Print which file could not be opened; return the exit status, 2 if a restart would not help."""
    if error.errno not in UNWRITABLE and error.errno != errno.ENOENT:
        print_error(f"cannot start: {error}", language)
        return 1
    reason = in_language(os.strerror(error.errno), language)
    place = Path(error.filename or ".")
    folder = place if place.is_dir() or error.errno == errno.ENOENT else place.parent
    print(text("unwritable", language, folder=folder, why=reason), file=sys.stderr)
    return 2


def database_failed(error: DBAPIError, language: str) -> int:
    """Print the database driver's error; return the exit status as in `cannot_open`."""
    message = " ".join(str(error.orig).split())
    print_error(f"cannot start: the database: {message}", language)
    is_ours = re.search(r"file is not a database|readonly database|unable to open database file", message)
    return 2 if is_ours else 1


def print_addresses(bot: Bot) -> str:
    """Return a few lines on where to look and what to try."""
    language, url = bot.config.language, bot.config.api.public_url
    if bot.sandbox is None:
        return text("up", language, url=url)
    account = next(assistant.account for assistant in bot.config.assistants if assistant.is_sandboxed)
    body = json.dumps({"code": "1001", "owner": "宋公明", "assistant": account}, ensure_ascii=False)
    systems = " ".join(bot.systems.urls.values()) if bot.systems else ""
    values = {"url": url, "page": bot.sandbox.url, "account": account, "body": body, "systems": systems}
    names = ["up_sandbox", "look", "try", "then", *(["also"] if systems else []), "console"]
    if bot.sandbox.password:
        names.append("sandbox_password")
        values["password"] = bot.sandbox.password
    return "\n".join(text(name, language, **values) for name in names)


async def report_accounts(bot: Bot, seconds: float) -> None:
    """Print which accounts are not online after `seconds`, and why."""
    gateway_accounts = [assistant.account for assistant in bot.config.assistants if not assistant.is_sandboxed]
    if not gateway_accounts:
        return
    await bot.container.accounts.all_online(seconds, *gateway_accounts)
    for account in gateway_accounts:
        wechat = bot.container.accounts.get(account)
        if not bot.container.accounts.is_online(account):
            language = bot.config.language
            reason = wechat.reason.text(language) if wechat.reason else text("waiting", language)
            print(text("offline", language, account=account, why=reason), flush=True)


async def show_login_codes(bot: Bot) -> None:
    """Draw login QR codes on the terminal. They are not written to a log file."""
    if not sys.stdout.isatty():
        return
    import segno  # 1 MB, loaded when a code is drawn

    shown_codes: dict[str, str] = {}
    while True:
        for wechat in bot.container.accounts:
            if wechat.qr_code and shown_codes.get(wechat.account) != wechat.qr_code:
                print(text("scan", bot.config.language, account=wechat.account))
                segno.make(wechat.qr_code).terminal(compact=True)
            shown_codes[wechat.account] = wechat.qr_code
        await bot.container.changes.wait_after(bot.container.changes.last, 3600.0)
