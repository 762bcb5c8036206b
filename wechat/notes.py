"""Notes of WeChat itself in a conversation: not delivered, no longer friends, now friends.

Gateways report them as system messages (GroupNote) or as texts of the person concerned.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


class Note(StrEnum):
    """The meaning of a note. The first two mean that our message was not delivered."""

    REFUSED = "refused by the receiver"
    NO_FRIEND = "the receiver is no friend any more"
    GREETING = "greeting"  # a friendship has begun


_NOTES: Final = tuple(
    (note, re.compile(pattern))
    for note, pattern in (
        (Note.REFUSED, r"消息已发出，?但被对方拒收了。?"),
        (Note.REFUSED, r"(?:The )?[Mm]essage (?:is|was) successfully sent,? but rejected by the receiver\.?"),
        (
            Note.NO_FRIEND,
            r".{0,64}开启了(?:好友|朋友)验证，你还不是(?:他（她）|他\(她\)|他|她|对方).{0,80}",
        ),
        (Note.NO_FRIEND, r".{0,64} has enabled Friend Confirmation\b.{0,200}"),
        (Note.GREETING, r"你已添加了.{1,64}，现在可以开始聊天了。?"),
        (Note.GREETING, r"以上是打招呼的(?:内容|消息)。?"),
        (Note.GREETING, r".{1,64}刚刚把你添加到通讯录，现在可以开始聊天了。?"),
        (Note.GREETING, r"(?:我|对方)通过了(?:你|我)的朋友验证请求，现在(?:我们)?可以开始聊天了。?"),
    )
)


_WORDS: Final = re.compile(
    "被对方拒收|rejected by|验证|Friend Confirmation|开始聊天|打招呼"
)  # one of them is in each note


def note_in(text: str) -> Note | None:
    """Return the note that a text is; None for other texts."""
    if not _WORDS.search(text):
        return None
    text = re.sub(r"<[^<>]{1,200}>", "", text.strip())  # 发送朋友验证 is a link in some
    return next((note for note, pattern in _NOTES if pattern.fullmatch(text)), None)
