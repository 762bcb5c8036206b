"""/登录 /登出: login link of the console, and logout."""

from __future__ import annotations

from sqlmodel import Session

from config.texts import fill
from handlers.chat_commands.request import CommandReply, CommandRequest
from handlers.context import EventContext
from services.accounts.console_sessions import LINK_SECONDS
from services.clock import MINUTE
from wechat.events import PrivateMessage


def may_log_in(event: PrivateMessage, context: EventContext) -> bool:
    """Whether the person is an admin or a staff member."""
    return context.container.console_sessions.role_of(event.account, event.contact_id) is not None


async def log_in(request: CommandRequest) -> CommandReply:
    """Send a single-use login link of the console."""
    if request.rest:
        return request.usage_error()
    container, person = request.container, await _name(request)

    def act(session: Session) -> str:
        secret = container.console_sessions.link(session, request.account, request.sender_id, person)
        request.record(session, "console_link", request.sender_id)
        url = f"{container.config.api.public_url}/console/login/{secret}"
        return fill(request.texts.console_link, minutes=int(LINK_SECONDS // MINUTE), url=url)

    return CommandReply(act=act)


async def log_out(request: CommandRequest) -> CommandReply:
    """End all console sessions of the person."""
    if request.rest:
        return request.usage_error()

    def act(session: Session) -> str:
        count = request.container.console_sessions.end_all(session, request.account, request.sender_id)
        return fill(request.texts.console_logged_out, count=count)

    return CommandReply(act=act)


async def _name(request: CommandRequest) -> str:
    contact = request.container.accounts.get(request.account).directory.contacts.get(request.sender_id)
    return contact.name if contact else ""
