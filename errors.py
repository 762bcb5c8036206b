"""Every error a caller can meet: it knows its code, its HTTP status and its sentence."""

from __future__ import annotations

from typing import ClassVar


class BotError(Exception):
    """A refusal with a code of the contract. `detail` is for the log, never for the caller."""

    code: ClassVar[int] = 5000
    status: ClassVar[int] = 500
    message: ClassVar[str] = "服务器内部错误！"

    def __init__(self, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(f"{self.code} {self.message}" + (f" ({detail})" if detail else ""))
        self.detail = detail
        self.retry_after = retry_after  # seconds until a repeat makes sense


class InvalidParameter(BotError):
    """A missing, empty, over-long or wrongly typed value."""

    code, status, message = 1001, 400, "缺少必须的参数或参数值无效！"


class OutsideNetwork(BotError):
    """The caller is not on the private network."""

    code, status, message = 1002, 403, "仅限专网访问！"


class CallerUnknown(BotError):
    """A trusted proxy does not say for whom it asks."""

    code, status, message = 1002, 400, "仅限专网访问！"


class BadKey(BotError):
    """No API key, or a wrong one."""

    code, status, message = 1003, 401, "鉴权失败！"


class NotFound(BotError):
    """Nothing is there."""

    code, status, message = 1004, 404, "请求的资源不存在！"


class MethodNotAllowed(BotError):
    """The resource does not know this method."""

    code, status, message = 1005, 405, "请求方法不支持！"


class BodyTooLarge(BotError):
    """More bytes than a request may have."""

    code, status, message = 1006, 413, "请求体过大！"


class TooManyRequests(BotError):
    """The account's pace, or a view limit, does not allow it yet."""

    code, status, message = 1007, 429, "请求过于频繁，请稍后再试！"


class AssistantUnknown(BotError):
    """No assistant of that name is configured."""

    code, status, message = 2001, 404, "助手不存在！"


class AssistantOffline(BotError):
    """The assistant is not connected or not logged in."""

    code, status, message = 2002, 503, "助手不在线，请稍后再试！"


class OwnerUnknown(BotError):
    """The group's owner-to-be is no friend of the assistant."""

    code, status, message = 2003, 404, "群主不是助手的好友！"


class OwnerAmbiguous(BotError):
    """Several friends answer to the owner's name."""

    code, status, message = 2004, 409, "群主昵称不唯一！"


class CodeTaken(BotError):
    """The code already names a group of another owner or assistant."""

    code, status, message = 2005, 409, "群号代码已被占用！"


class GroupNotMade(BotError):
    """WeChat did not make the group."""

    code, status, message = 2006, 502, "微信建群失败，请稍后再试！"


class StorageFull(BotError):
    """There is no room for another file."""


class NotSupported(BotError):
    """The assistant's channel has no way to do it."""

    code, status, message = 2007, 501, "该渠道不支持此操作！"


class TokenInvalid(BotError):
    """No group has this join token."""

    code, status, message = 3001, 404, "入群令牌无效！"


class TokenExpired(BotError):
    """The join token is past its day."""

    code, status, message = 3002, 410, "入群令牌已过期！"


class MemberAmbiguous(BotError):
    """Several people answer to the member's name."""

    code, status, message = 3003, 409, "群员昵称不唯一！"


class GroupFull(BotError):
    """The group has no place left."""

    code, status, message = 3004, 409, "群已满！"


class MemberBlacklisted(BotError):
    """The person is on the group's blacklist."""

    code, status, message = 3005, 403, "该群员已被拉黑！"


class InviteFailed(BotError):
    """WeChat neither added nor invited the person."""

    code, status, message = 3006, 502, "微信邀请入群失败，请稍后再试！"


# ---- what a call to WeChat can end in; services turn these into the errors above ----


class DatabaseAway(BotError):
    """The database cannot be reached, or takes nothing now: a repeat makes sense."""

    code, status, message = 5001, 503, "数据库暂不可用，请稍后再试！"


class WeChatError(Exception):
    """A call to WeChat did not do what was asked. `text` is the gateway's own sentence, never a token."""

    def __init__(self, call: str, text: str = "") -> None:
        super().__init__(f"{call}: {text}" if text else call)
        self.call = call
        self.text = text


class WeChatOffline(WeChatError):
    """The account is not connected or not logged in; nothing was sent."""


class WeChatUnknown(WeChatError):
    """The call's answer was lost (deadline, connection); it may or may not have happened."""


class WeChatRefused(WeChatError):
    """WeChat, or the gateway, said no."""


class WeChatTooFast(WeChatRefused):
    """WeChat said 操作过于频繁 (or a sentence like it)."""


class WeChatNeedsConfirmation(WeChatRefused):
    """A person must confirm first: the invited one (-2012, from 40 members on) or the group's owner (-2028)."""


class WeChatUnsupported(WeChatError):
    """The channel has no such call; it will never be done."""


class WeChatNotYet(WeChatError):
    """The channel does not take it before the customer has spoken again; nothing was sent."""


class WeChatExpired(WeChatError):
    """The channel does not take it any more: the customer has not spoken for too long."""


class WeChatNotDone(WeChatError):
    """The call returned without an error, and reading back shows that nothing changed."""
