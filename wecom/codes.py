"""Error codes of the API that are handled (developer.work.weixin.qq.com, 全局错误码)."""

from __future__ import annotations

from typing import Final

BUSY: Final = -1
BAD_SECRET: Final = 40001
BAD_CORP: Final = 40013
INVALID_TOKEN: Final = frozenset({40014, 41001, 42001})
TOO_OFTEN: Final = frozenset({45009, 45011, 45033})
IP_REFUSED: Final = 60020
# The account is unknown, is not managed by the app, or the API is closed for it (48002: the app lacks the permission).
ACCOUNT_REFUSED: Final = frozenset({48002, 95000, 95004, 95011, 95012, 95017})
COUNT_LIMIT: Final = 95001  # five messages after the customer's last one
NO_GROUP: Final = frozenset({40050, 90501, 49004})  # no such chat_id, or it is no 客户群 (any more)
TIME_LIMIT: Final = 95002  # 48 hours after the customer's last message
SESSION_STATE: Final = frozenset({95013, 95016, 95018})  # the session is with a person, or has ended

# values of msg_send_fail.fail_type
FAILURES: Final[dict[int, str]] = {
    0: "unknown reason",
    1: "the customer service account was deleted",
    2: "the app is closed",
    4: "more than 48 hours since the customer last spoke",
    5: "the session has ended",
    6: "more than five messages since the customer last spoke",
    7: "no 视频号 is bound",
    8: "the corp is not verified",
    9: "no 视频号 is bound, and the corp is not verified",
    10: "the customer refuses messages",
    11: "nobody of the corp is logged in to 企业微信",
    12: "this kind of message is not allowed",
    13: "stopped by the platform's security",
}
