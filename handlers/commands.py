"""Chat commands: in a group for its owner and admins, in private for admins. COMMANDS is the full list."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlmodel import Session

from config.texts import fill
from errors import WeChatError
from handlers.chat_commands import (
    administration,
    console,
    info,
    keywords,
    members,
    presentation,
    recognition,
    reports,
    scheduled,
    staff_room,
    systems,
    words,
)
from handlers.chat_commands.request import CommandReply, CommandRequest, describe_error
from handlers.chat_commands.words import CANCEL
from handlers.context import EventContext
from models.groups import Qun
from services.messaging.messages import text
from services.outreach.broadcasts import CONFIRM_MINUTES
from wechat.events import GroupMessage, MessageKind, PrivateMessage
from wechat.interface import Capability


class CommandScope(StrEnum):
    """Scope of a command: where it may be given, and whether a group's number precedes the arguments in private."""

    NO_GROUP = "no group"
    GROUP = "group"  # in private, the group's number comes first
    GROUP_OR_ALL = "group or all"  # in private without a number: all groups
    ACCOUNT = "account"  # in private only
    ADMINS = "admins"  # anywhere, for admins only
    CONSOLE = "console"  # in private only, for admins and staff
    STAFF_ROOM = "staff room"  # in any group or in private, for admins only


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its name, arguments, description, scope and function."""

    name: str
    arguments: str
    description: str
    scope: CommandScope
    run: Callable[[CommandRequest], Awaitable[CommandReply]]
    needs: Capability | None = None  # of the account's channel

    @property
    def usage(self) -> str:
        """The command's syntax."""
        return f"{self.name} {self.arguments}".strip()


async def show_help(request: CommandRequest) -> CommandReply:
    """List all commands, one per line, short enough for a phone."""
    lines = [
        f"{command.usage}　{command.description}".strip()
        for command in COMMANDS
        if not request.room_id or command.scope not in PRIVATE_ONLY
    ]
    return CommandReply(fill(request.texts.help, commands="\n".join(lines)))


COMMANDS: Final = (
    Command("/帮助", "", "看这一页", CommandScope.NO_GROUP, show_help),
    Command("/令牌", "", "看入群令牌", CommandScope.GROUP, info.token),
    Command("/换令牌", "", "旧令牌作废", CommandScope.GROUP, info.change_token),
    Command("/群信息", "", "看群信息", CommandScope.GROUP, info.info),
    Command("/统计", "", "近14天数据", CommandScope.GROUP, info.statistics),
    Command(
        "/欢迎", "文本", "改欢迎语（关｜默认）", CommandScope.GROUP, presentation.welcome, Capability.ROOM_MESSAGES
    ),
    Command("/公告", "文本", "发群公告", CommandScope.GROUP, presentation.announcement, Capability.SET_ANNOUNCEMENT),
    Command("/群名", "文本", "改群名", CommandScope.GROUP, presentation.topic, Capability.SET_TOPIC),
    Command("/踢", "@人", "移出群", CommandScope.GROUP, members.kick, Capability.REMOVE_MEMBER),
    Command("/警告", "@人 [理由]", "警告", CommandScope.GROUP, members.warn, Capability.ROOM_MESSAGES),
    Command("/拉黑", "@人", "移出并拉黑", CommandScope.GROUP, members.blacklist, Capability.REMOVE_MEMBER),
    Command("/解除拉黑", "昵称", "移出黑名单", CommandScope.GROUP, members.unblacklist),
    Command(
        "/屏蔽词", "[加|删 词]", "看、改屏蔽词", CommandScope.GROUP_OR_ALL, words.blocked, Capability.ROOM_MESSAGES
    ),
    Command("/关键词", "[加 词=回复 | 删 词]", "看、改关键词", CommandScope.GROUP_OR_ALL, keywords.keywords),
    Command("/定时", "[加 分 时 日 月 周 文本 | 删 编号]", "看、改定时消息", CommandScope.GROUP, scheduled.timed),
    Command("/群发", "文本 | 取消 [编号]", "发到所有群", CommandScope.ACCOUNT, scheduled.broadcast),
    Command("/群列表", "[词]", "看所有群", CommandScope.ACCOUNT, administration.group_list),
    Command("/认领", "[编号 [否]]", "找回编号变了的群", CommandScope.ACCOUNT, recognition.recognise),
    Command("/管理员", "[加 @人|加 微信号 | 删 编号]", "看、改管理员", CommandScope.ADMINS, administration.admins),
    Command("/问答", "[加 问题=答案 | 删 编号]", "看、改问答", CommandScope.ACCOUNT, administration.questions),
    Command("/重载", "", "重新加载配置", CommandScope.ACCOUNT, administration.reload),
    Command("/登录", "", "打开管理后台", CommandScope.CONSOLE, console.log_in),
    Command("/登出", "", "退出管理后台", CommandScope.CONSOLE, console.log_out),
    Command(reports.NAME, "开|关", "每天早上给群主发日报", CommandScope.GROUP, reports.report),
    Command("/任务", "", "看定时任务", CommandScope.ACCOUNT, reports.jobs),
    Command("/流程", "[结束 编号]", "看、结束流程", CommandScope.ACCOUNT, systems.flows),
    Command("/绑定客服群", "", "把所在的群设为客服群", CommandScope.STAFF_ROOM, staff_room.bind),
    Command("/客服群", "", "看客服群", CommandScope.STAFF_ROOM, staff_room.show),
    Command("/重发", "[编号|全部]", "未送达的通知", CommandScope.ACCOUNT, systems.resend),
)
PRIVATE_ONLY: Final = (CommandScope.ACCOUNT, CommandScope.CONSOLE)
ADMINS_ONLY: Final = (CommandScope.STAFF_ROOM, CommandScope.ADMINS)
BY_NAME: Final = {command.name: command for command in COMMANDS}

ONLINE_TIMEOUT: Final = 10.0  # seconds that a command waits for the account to be online
CONFIRM: Final = "确认"
_COMMAND: Final = re.compile(r"(?:(\d{6,18})\s*)?[/／]([^\s@/／]+)[\s\u2005]*(.*)", re.DOTALL)
_ATS_AHEAD: Final = re.compile(r"^(?:@[^@/／]*(?<=\s))+(?=[/／])")
_NUMBER: Final = re.compile(r"(\d{6,18})(?:\s+(.*))?$", re.DOTALL)
_SHORT_NUMBER: Final = re.compile(r"\d{1,5}(?=\s|$)")  # too short for a group's number, but in its place


def parse(text: str) -> tuple[Command, str] | None:
    """Parse a command; return it with the text after its name, including a number before it. None if it is not a
    command.
    """
    match = _COMMAND.fullmatch(_ATS_AHEAD.sub("", text.strip()))
    command = BY_NAME.get("/" + match[2]) if match else None
    return (command, f"{match[1] or ''} {match[3]}".strip()) if command and match else None


def misspelt_command(text: str) -> Command | None:
    """Return the command with which a message begins, for a missing blank after its name."""
    match = _COMMAND.fullmatch(_ATS_AHEAD.sub("", text.strip()))
    return next((command for command in COMMANDS if match and f"/{match[2]}".startswith(command.name)), None)


async def run_in_group(event: GroupMessage, context: EventContext) -> bool:
    """Handle a command in a group."""
    qun = context.container.groups.by_room(event.account, event.room_id)
    parsed = parse(event.text) if event.kind is MessageKind.TEXT else None
    if qun is None and (parsed is None or parsed[0].scope is not CommandScope.STAFF_ROOM):
        return False
    if parsed is None:
        return qun is not None and await _reply_misspelt(event, context, qun)
    command, rest = parsed
    if context.is_old:
        return True
    if not await _is_authorised(event, context, None if command.scope in ADMINS_ONLY else qun):
        context.reply(text(context.container.config.texts.not_allowed, [event.contact_id]))
        return True
    number = _NUMBER.match(rest)
    if qun and number and command.scope is not CommandScope.NO_GROUP and int(number[1]) == qun.number:
        rest = number[2] or ""
    if command.scope in PRIVATE_ONLY:
        context.reply(fill(context.container.config.texts.private_only, command=command.name))
        return True
    reported = () if event.by_name else event.mentions
    request = CommandRequest(
        context.container, event.account, event.contact_id, qun, event.room_id, rest, reported, command.usage
    )
    answer(context, await _run(command, request))
    return True


async def _is_authorised(event: GroupMessage, context: EventContext, qun: Qun | None) -> bool:
    """Whether the sender may give commands here: an admin, or the owner of the group `qun`."""
    if context.container.accounts.is_admin(event.account, event.contact_id):
        return True
    owners = context.container.group_owners
    return qun is not None and await owners.owns(qun, event.room_id, event.contact_id)


async def _reply_misspelt(event: GroupMessage, context: EventContext, qun: Qun) -> bool:
    """Reply with the syntax if someone who may give a command forgot the blank after its name."""
    command = misspelt_command(event.text)
    if command is None or context.is_old or not await _is_authorised(event, context, qun):
        return False
    context.reply(fill(context.container.config.texts.usage, usage=command.usage))
    return True


async def run_in_private(event: PrivateMessage, context: EventContext) -> bool:
    """Handle a private command."""
    parsed = parse(event.text) if event.kind is MessageKind.TEXT else None
    if parsed is None:
        return False
    if context.is_old:
        return True
    command, rest = parsed
    texts = context.container.config.texts
    is_admin = context.container.accounts.is_admin(event.account, event.contact_id)
    if not is_admin and not (command.scope is CommandScope.CONSOLE and console.may_log_in(event, context)):
        context.reply(texts.not_allowed)
        return True
    qun, number, rest = _group(context, command, event.account, rest)
    usage = _private_usage(command)
    if number and qun is None:
        context.reply(fill(texts.group_unknown, number=number))
    elif qun is None and command.scope is CommandScope.GROUP:
        context.reply(fill(texts.usage, usage=usage))
    else:
        request = CommandRequest(context.container, event.account, event.contact_id, qun, "", rest, (), usage)
        answer(context, await _run(command, request))
    return True


async def _run(command: Command, request: CommandRequest) -> CommandReply:
    """Run a command and return its reply, also if WeChat fails.

    A command interrupted by a crash is handled again before the account is online, so wait for it.
    """
    # A group's keywords apply to messages in it; keywords without a group also apply to private chats.
    needs = command.needs or (
        Capability.ROOM_MESSAGES if command.scope is CommandScope.GROUP_OR_ALL and request.qun else None
    )
    if needs and needs not in request.container.accounts.get(request.account).capabilities:
        return CommandReply(fill(request.texts.command_unsupported, command=command.name))
    await request.container.accounts.all_online(ONLINE_TIMEOUT, request.account)
    try:
        return await command.run(request)
    except WeChatError as error:
        return CommandReply(fill(request.texts.wechat_refused, why=describe_error(request.texts, error)))


def _group(context: EventContext, command: Command, account: str, rest: str) -> tuple[Qun | None, str, str]:
    """Split a leading group number from the arguments; return the group, the number and the rest."""
    match = _NUMBER.match(rest) if command.scope in (CommandScope.GROUP, CommandScope.GROUP_OR_ALL) else None
    short = _SHORT_NUMBER.match(rest) if command.scope is CommandScope.GROUP else None
    if match is None and short is not None:
        return None, short[0], ""
    if match is None:
        return None, "", rest
    qun = context.container.groups.by_number(int(match[1]))
    return qun if qun is not None and qun.account == account else None, match[1], match[2] or ""


def _private_usage(command: Command) -> str:
    number = {CommandScope.GROUP: " 群编号", CommandScope.GROUP_OR_ALL: " [群编号]"}.get(command.scope, "")
    return f"{command.name}{number} {command.arguments}".strip()


def answer(context: EventContext, command_reply: CommandReply) -> None:
    """Send the reply in the transaction that executes the command."""
    to = context.event.conversation

    def say(session: Session) -> None:
        if body := command_reply.act(session) if command_reply.act else command_reply.text:
            context.container.messages.queue(session, context.event.account, to, body)

    context.write(say)


async def confirm_broadcast(event: PrivateMessage, context: EventContext) -> bool:
    """Handle an admin's 确认 or 取消 of a broadcast."""
    text = event.text.strip()
    if text not in (CONFIRM, CANCEL) or not context.container.accounts.is_admin(event.account, event.contact_id):
        return False
    broadcasts, texts = context.container.broadcasts, context.container.config.texts
    waiting = await broadcasts.unconfirmed(event.account, event.contact_id)
    if waiting is None or context.is_old:
        return False
    if await context.container.flows.asked_at(event.account, event.contact_id) > waiting.created_at:
        return False  # a flow has asked a question since then
    if text == CANCEL or broadcasts.has_expired(waiting):
        context.write(lambda s: broadcasts.cancel(s, waiting))
        expired_text = fill(texts.broadcast_expired, minutes=CONFIRM_MINUTES)
        context.reply(texts.broadcast_cancelled if text == CANCEL else expired_text)
        return True
    answer(context, CommandReply(act=lambda s: fill(texts.broadcast_sent, count=broadcasts.send(s, waiting))))
    return True


async def reply_unknown(event: PrivateMessage, context: EventContext) -> bool:
    """Reply to an admin's unknown or misspelt command that no other handler has handled."""
    match = _COMMAND.fullmatch(event.text.strip()) if event.kind is MessageKind.TEXT else None
    is_admin = match is not None and context.container.accounts.is_admin(event.account, event.contact_id)
    if match is None or not is_admin or match[2].isascii() or context.is_old:
        return False
    texts, similar = context.container.config.texts, misspelt_command(event.text)
    if similar is not None:
        context.reply(fill(texts.usage, usage=_private_usage(similar)))
    else:
        context.reply(fill(texts.command_unknown, command=f"/{match[2]}"))
    return True
