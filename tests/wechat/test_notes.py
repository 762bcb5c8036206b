"""Notes of WeChat itself in a conversation."""

from __future__ import annotations

import pytest

from wechat.notes import Note, note_in


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("消息已发出，但被对方拒收了。", Note.REFUSED),
        ("消息已发出但被对方拒收了", Note.REFUSED),
        ("The message is successfully sent, but rejected by the receiver.", Note.REFUSED),
        ("Message was successfully sent but rejected by the receiver", Note.REFUSED),
        ("李逵开启了朋友验证，你还不是他（她）朋友。请先发送朋友验证请求。", Note.NO_FRIEND),
        (' 李逵开启了好友验证，你还不是他好友。<a href="weixin://">发送朋友验证</a> ', Note.NO_FRIEND),
        ("Li has enabled Friend Confirmation. Send a request.", Note.NO_FRIEND),
        ("你已添加了李逵，现在可以开始聊天了。", Note.GREETING),
        ("以上是打招呼的内容", Note.GREETING),
        ("李逵刚刚把你添加到通讯录，现在可以开始聊天了。", Note.GREETING),
        ("我通过了你的朋友验证请求，现在我们可以开始聊天了", Note.GREETING),
        ("对方通过了我的朋友验证请求，现在可以开始聊天了。", Note.GREETING),
    ],
)
def test_note_is_recognised(text: str, note: Note) -> None:
    assert note_in(text) is note


@pytest.mark.parametrize(
    "text",
    [
        "",
        "你好",
        "我的消息已发出，但被对方拒收了。怎么办",
        "什么是朋友验证",
        "可以开始聊天了吗",
        "我们打招呼的内容",
        f"{'李' * 65}开启了朋友验证，你还不是他朋友",
        f"Li has enabled Friend Confirmation {'x' * 300}",
    ],
)
def test_other_text_is_no_note(text: str) -> None:
    assert note_in(text) is None
