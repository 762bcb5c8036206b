"""Errors with a public code, an HTTP status and a message, and the errors that a call to WeChat can raise."""

from __future__ import annotations

from typing import ClassVar


class BotError(Exception):
    """Base class of errors that are reported to callers. `detail` goes to the log only."""

    code: ClassVar[int] = 5000
    status: ClassVar[int] = 500
    message: ClassVar[str] = "服务器内部错误！"

    def __init__(self, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(f"{self.code} {self.message}" + (f" ({detail})" if detail else ""))
        self.detail = detail
        self.retry_after = retry_after  # seconds after which the caller may retry


class InvalidParameter(BotError):
    """A missing, empty, over-long or wrongly typed value."""

    code, status, message = 1001, 400, "缺少必须的参数或参数值无效！"


class OutsideNetwork(BotError):
    """The caller is not on the private network."""

    code, status, message = 1002, 403, "仅限专网访问！"


class CallerUnknown(BotError):
    """A request from a trusted proxy does not name the client it was forwarded for."""

    code, status, message = 1002, 400, "仅限专网访问！"


class BadKey(BotError):
    """The API key is missing or wrong."""

    code, status, message = 1003, 401, "鉴权失败！"


class NotFound(BotError):
    """The resource does not exist."""

    code, status, message = 1004, 404, "请求的资源不存在！"


class MethodNotAllowed(BotError):
    """The resource does not support this method."""

    code, status, message = 1005, 405, "请求方法不支持！"


class BodyTooLarge(BotError):
    """The request body exceeds the size limit."""

    code, status, message = 1006, 413, "请求体过大！"


class TooManyRequests(BotError):
    """A rate limit (of the account, the API key or the landing page) was exceeded."""

    code, status, message = 1007, 429, "请求过于频繁，请稍后再试！"


class AssistantUnknown(BotError):
    """No assistant of this name exists."""

    code, status, message = 2001, 404, "助手不存在！"


class AssistantOffline(BotError):
    """The assistant is not connected or not logged in."""

    code, status, message = 2002, 503, "助手不在线，请稍后再试！"


class OwnerUnknown(BotError):
    """The future group owner is not a friend of the assistant."""

    code, status, message = 2003, 404, "群主不是助手的好友！"


class OwnerAmbiguous(BotError):
    """Several friends match the owner's name."""

    code, status, message = 2004, 409, "群主昵称不唯一！"


class CodeTaken(BotError):
    """The code is already used by a group of another owner or assistant."""

    code, status, message = 2005, 409, "群号代码已被占用！"


class GroupNotMade(BotError):
    """WeChat did not create the group."""

    code, status, message = 2006, 502, "微信建群失败，请稍后再试！"


class StorageFull(BotError):
    """There is no room for another file."""


class NotSupported(BotError):
    """The assistant's channel does not support this operation."""

    code, status, message = 2007, 501, "该渠道不支持此操作！"


class TokenInvalid(BotError):
    """No group has this join token."""

    code, status, message = 3001, 404, "入群令牌无效！"


class TokenExpired(BotError):
    """The join token has expired."""

    code, status, message = 3002, 410, "入群令牌已过期！"


class MemberAmbiguous(BotError):
    """Several people match the member's name."""

    code, status, message = 3003, 409, "群员昵称不唯一！"


class GroupFull(BotError):
    """The group is full."""

    code, status, message = 3004, 409, "群已满！"


class MemberBlacklisted(BotError):
    """The person is on the group's blacklist."""

    code, status, message = 3005, 403, "该群员已被拉黑！"


class InviteFailed(BotError):
    """WeChat neither added nor invited the person."""

    code, status, message = 3006, 502, "微信邀请入群失败，请稍后再试！"


# ---- errors of calls to WeChat; services translate them into the errors above ----


class DatabaseAway(BotError):
    """The database cannot be reached or rejects writes; the request may be retried."""

    code, status, message = 5001, 503, "数据库暂不可用，请稍后再试！"


class WeChatError(Exception):
    """A call to WeChat failed. `text` is the gateway's error message; it never contains a token."""

    def __init__(self, call: str, text: str = "") -> None:
        super().__init__(f"{call}: {text}" if text else call)
        self.call = call
        self.text = text


class WeChatOffline(WeChatError):
    """The account is not connected or not logged in; nothing was sent."""


class WeChatUnknown(WeChatError):
    """The call's answer was lost (deadline, connection); it may or may not have happened."""


class WeChatRefused(WeChatError):
    """WeChat or the gateway rejected the call."""


class WeChatTooFast(WeChatRefused):
    """WeChat rejected the call with 操作过于频繁 or a similar message (rate limit)."""


class WeChatNeedsConfirmation(WeChatRefused):
    """Someone must confirm first: the invited person (-2012, from 40 members on) or the group's owner (-2028)."""


class WeChatUnsupported(WeChatError):
    """The channel does not support this call; it is not retried."""


class WeChatNotYet(WeChatError):
    """The channel rejects the message until the customer writes again; nothing was sent."""


class WeChatTaken(WeChatNotYet):
    """A staff member has the session in their own client, or it has ended; nothing was sent."""


class WeChatExpired(WeChatError):
    """The channel rejects the message because the customer has been silent for too long."""


class WeChatNotDone(WeChatError):
    """The call returned without an error, but reading the value back shows no change."""
