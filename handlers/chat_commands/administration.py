"""/群列表 /管理员 /问答 /重载: administration at run time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sqlmodel import Session

from config import ConfigError
from config.language import in_language
from config.texts import fill
from errors import NotFound
from handlers.chat_commands.request import MAX_TEXT, CommandReply, CommandRequest, first_word, parse_row_id
from handlers.chat_commands.targets import find_targets
from models.accounts import Admin
from models.groups import Qun, QunState
from services.accounts.admins import LastAdmin
from services.groups.lists import QunFilter, list_quns
from services.paging import PageRequest
from services.support.faq import Entry
from wechat.entities import Contact

ADD: Final = "加"
DROP: Final = "删"
MAX_SHOWN: Final = 30
MAX_QUESTION: Final = 100
_EQUALS: Final = re.compile("[=＝]")
_OR: Final = re.compile("[|｜]")


async def group_list(request: CommandRequest) -> CommandReply:
    """List the account's groups, newest first, optionally filtered by a word in topic or code."""
    container, criteria = request.container, QunFilter(account=request.account, q=request.rest.strip())
    page = await container.store.read(lambda s: list_quns(s, criteria, PageRequest(MAX_SHOWN)))
    if not page.rows:
        return CommandReply(request.texts.quns_none)
    lines = "\n".join(_qun_line(request, qun) for qun in page.rows)
    template = request.texts.quns_first if page.next else request.texts.quns_shown
    return CommandReply(fill(template, count=len(page.rows), lines=lines))


def _qun_line(request: CommandRequest, qun: Qun) -> str:
    texts = request.texts
    states = {
        QunState.MAKING: texts.state_making,
        QunState.ACTIVE: texts.state_active,
        QunState.LOST: texts.state_lost,
        QunState.CLOSED: texts.state_closed,
    }
    members = request.container.groups.member_count(qun)
    return fill(texts.qun_line, number=qun.number, topic=qun.topic, members=members, state=states[QunState(qun.state)])


# ---- admins ----


async def admins(request: CommandRequest) -> CommandReply:
    """List the admins, add one by @ or WeChat id, or remove one by number."""
    action, argument = first_word(request.rest)
    if not action:
        rows = await request.container.store.read(request.container.admins.added_admins)
        return CommandReply(
            fill(request.texts.admins_shown, lines=_admin_lines(request, rows) or request.texts.nothing)
        )
    if action == ADD and argument:
        return await _add_admin(request, argument)
    number = parse_row_id(argument) if action == DROP else None
    return _remove_admin(request, number) if number is not None else request.usage_error()


def _admin_lines(request: CommandRequest, rows: Sequence[Admin]) -> str:
    texts, accounts = request.texts, request.container.accounts
    lines = [
        fill(texts.admin_line_configured, name=_name(request, contact_id))
        for contact_id in accounts.configured_admins()
    ]
    lines += [fill(texts.admin_line, id=row.id, name=_name(request, row.contact_id)) for row in rows]
    return "\n".join(lines)


def _name(request: CommandRequest, contact_id: str) -> str:
    contact = request.container.accounts.get(request.account).directory.contacts.get(contact_id)
    return f"{contact.name}（{contact_id}）" if contact and contact.name else contact_id


async def _add_admin(request: CommandRequest, name: str) -> CommandReply:
    if name.startswith("@"):
        if not request.room_id or request.qun is None:
            return request.usage_error()
        targets = await find_targets(_with_text(request, name))
        if targets.problem or len(targets.people) != 1:
            return CommandReply(targets.problem) if targets.problem else request.usage_error()
        return _bind(request, targets.people[0])
    directory = request.container.accounts.get(request.account).directory
    people = [person for person in directory.find(name, friends=True) if name in (person.id, person.weixin)]
    if len(people) != 1:
        return CommandReply(fill(request.texts.admin_not_found, name=name))
    return _bind(request, people[0])


def _with_text(request: CommandRequest, name: str) -> CommandRequest:
    """Return the request with `name` as its text, for `find_targets`."""
    return CommandRequest(
        request.container, request.account, request.sender_id, request.qun, request.room_id, name, request.mentions,
        request.usage,
    )  # fmt: skip


def _bind(request: CommandRequest, person: Contact) -> CommandReply:
    def act(session: Session) -> str:
        new = request.container.admins.add(session, person.id, person.name, request.actor)
        template = request.texts.admin_added if new else request.texts.admin_known
        return fill(template, name=person.name or person.id)

    return CommandReply(act=act)


def _remove_admin(request: CommandRequest, number: int) -> CommandReply:
    def act(session: Session) -> str:
        try:
            admin = request.container.admins.remove(session, number, request.actor)
        except LastAdmin:
            return request.texts.admin_last
        except NotFound:
            return fill(request.texts.admin_unknown, id=number)
        return fill(request.texts.admin_removed, name=_name(request, admin.contact_id))

    return CommandReply(act=act)


# ---- questions ----


async def questions(request: CommandRequest) -> CommandReply:
    """List the added questions, add one (问题|另一种问法=答案), or remove one by number."""
    action, argument = first_word(request.rest)
    if not action:
        return await _list_questions(request)
    if action == DROP and (number := parse_row_id(argument)) is not None:
        return _remove_question(request, number)
    question, *answer = (part.strip() for part in _EQUALS.split(argument, maxsplit=1))
    questions = [part.strip() for part in _OR.split(question) if part.strip()]
    if action != ADD or not questions or not answer or not answer[0]:
        return request.usage_error()
    if max(map(len, questions)) > MAX_QUESTION or len(answer[0]) > MAX_TEXT:
        return CommandReply(fill(request.texts.too_long, most=MAX_TEXT if len(answer[0]) > MAX_TEXT else MAX_QUESTION))
    entry = Entry(questions=questions, answer=answer[0])

    def act(session: Session) -> str:
        row, new = request.container.knowledge_editor.put_question(session, entry, request.actor)
        return fill(request.texts.question_added if new else request.texts.question_changed, id=row.id)

    return CommandReply(act=act)


async def _list_questions(request: CommandRequest) -> CommandReply:
    rows = await request.container.store.read(request.container.faq_entries.added_rows)
    lines = "\n".join(
        fill(request.texts.question_line, id=row.id, questions="|".join(row.questions), answer=row.answer)
        for row in rows[-MAX_SHOWN:]
    )
    return CommandReply(fill(request.texts.questions_shown, lines=lines or request.texts.nothing))


def _remove_question(request: CommandRequest, number: int) -> CommandReply:
    def act(session: Session) -> str:
        try:
            request.container.knowledge_editor.remove_question(session, number, request.actor)
        except NotFound:
            return fill(request.texts.question_unknown, id=number)
        return fill(request.texts.question_removed, id=number)

    return CommandReply(act=act)


# ---- configuration ----


async def reload(request: CommandRequest) -> CommandReply:
    """Reload config.yaml and faq.yaml."""
    texts = request.texts
    try:
        result = await request.container.reloader.reload(request.actor)
    except ConfigError as error:
        return CommandReply(fill(texts.reload_failed, why=in_language(str(error), request.container.config.language)))
    lines = [fill(texts.reloaded, changed="、".join(result.changed)) if result.changed else texts.reloaded_nothing]
    if result.restart:
        lines.append(fill(texts.reload_restart, restart="、".join(result.restart)))
    return CommandReply("\n".join(lines))
