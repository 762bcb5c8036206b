"""Which messages are offences."""

from __future__ import annotations

from typing import Any

import pytest

from models.groups import Qun
from services.moderation.moderator import Offence
from tests.services.moderated_groups import ALL, EVIL, NONE, FetchingWeChat, message, opened
from tests.services.parts import SONG, XUAN, ZHI, OpenParts, Parts
from wechat.events import MessageKind

QUOTE = "「{by}：{words}」\n- - - - - - - - - - - - - - -\n{reply}"


def offence(parts: Parts, qun: Qun, *fields: Any, **values: Any) -> Offence | None:
    parts.clock.now += 60  # no flooding
    return parts.container.moderator.offence(message(parts, qun, *fields, **values), qun)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"text": "这是坏词"}, Offence.WORD),
        ({"text": "这是好词"}, None),
        ({"text": "坏词", "contact_id": SONG}, None),
        ({"text": "坏词", "contact_id": ZHI}, None),
        ({"text": "坏词", "kind": MessageKind.SYSTEM}, None),
        ({"text": "坏词", "kind": MessageKind.RECALLED}, None),
        ({"text": "", "typed": "坏词", "kind": MessageKind.SYSTEM}, Offence.WORD),
        ({"text": "", "typed": "坏词", "kind": MessageKind.RECALLED}, Offence.WORD),
        ({"text": "", "typed": EVIL, "kind": MessageKind.SYSTEM}, Offence.LINK),
        ({"text": "", "file_name": "坏词.pdf", "kind": MessageKind.FILE}, Offence.WORD),
        ({"text": "好" * 49_998 + "坏词"}, Offence.WORD),
        ({"text": "好" * 49_999 + "坏词"}, None),
        ({"text": "", "typed": "好" * 49_998 + "坏词"}, Offence.WORD),
        ({"text": "", "typed": "好" * 49_999 + "坏词"}, None),
        ({"text": EVIL}, Offence.LINK),
        ({"text": f"坏词 {EVIL}"}, Offence.WORD),
        ({"text": EVIL, "kind": MessageKind.CHAT_HISTORY}, Offence.LINK),
        ({"text": EVIL, "kind": MessageKind.LOCATION}, None),
        ({"text": "https://ours.example/a"}, None),
        ({"kind": MessageKind.CARD}, Offence.CARD),
        ({"kind": MessageKind.MINI_PROGRAM}, Offence.MINI_PROGRAM),
        ({"kind": MessageKind.LINK, "target": EVIL}, Offence.LINK),
        ({"kind": MessageKind.LINK, "target": "https://ours.example/a"}, None),
        ({"kind": MessageKind.LINK}, None),
        ({"kind": MessageKind.IMAGE}, None),
        ({"kind": MessageKind.CARD, "contact_id": SONG}, None),
    ],
)
async def test_offence_of_a_message(open_parts: OpenParts, given: dict[str, Any], found: Offence | None) -> None:
    parts, qun = await opened(open_parts, "坏词", own_hosts=["ours.example"])
    assert offence(parts, qun, **given) is found


@pytest.mark.parametrize(
    "given",
    [
        {"text": EVIL},
        {"text": "", "typed": EVIL},
        {"kind": MessageKind.CARD},
        {"kind": MessageKind.MINI_PROGRAM},
        {"kind": MessageKind.LINK, "target": EVIL},
    ],
)
@pytest.mark.parametrize("words", [("坏词",), ()])
async def test_what_is_not_blocked_is_allowed(
    open_parts: OpenParts, given: dict[str, Any], words: tuple[str, ...]
) -> None:
    parts, qun = await opened(open_parts, *words, block=NONE)
    assert offence(parts, qun, **given) is None


async def test_own_hosts_are_those_of_the_config(open_parts: OpenParts) -> None:
    wechat = FetchingWeChat()
    parts = await open_parts(
        wechat, groups={"block": ALL, "own_hosts": ["ours.example"]}, api={"public_url": "https://bot.example"}
    )
    qun = await parts.group()
    parts.members(qun).add(XUAN)
    assert offence(parts, qun, "https://bot.example/x") is None
    assert offence(parts, qun, "https://ours.example/x") is None
    parts.container.moderator.configure(["theirs.example"])
    assert offence(parts, qun, "https://ours.example/x") is Offence.LINK
    assert offence(parts, qun, "https://bot.example/x https://theirs.example/") is None


async def test_flooding_is_found_first(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts, "坏词", flood={"messages": 2, "seconds": 10})

    def send(text: str, **values: Any) -> Offence | None:
        return parts.container.moderator.offence(message(parts, qun, text, **values), qun)

    assert [send("好") for _ in range(3)] == [None, None, Offence.FLOOD]
    assert [send("坏词") for _ in range(3)] == [Offence.WORD, Offence.WORD, Offence.FLOOD]
    assert [send("好", kind=MessageKind.SYSTEM) for _ in range(4)] == [None] * 4
    assert [send("好", contact_id=SONG) for _ in range(4)] == [None] * 4


async def test_quoting_somebody_elses_offence_is_allowed(open_parts: OpenParts) -> None:
    parts, qun = await opened(open_parts, "坏词")
    reply = QUOTE.format(by="群里的称呼", words="你好坏词", reply="别这样")
    assert offence(parts, qun, reply) is Offence.WORD, "nobody has said it before"
    assert offence(parts, qun, "你好坏词", contact_id=SONG) is None, "an owner may say it"
    assert offence(parts, qun, reply) is None
    own = QUOTE.format(by="黑旋风", words="你好坏词", reply="再说一遍")
    assert offence(parts, qun, own) is Offence.WORD
    assert offence(parts, qun, "同意", quoted="坏词", quoted_by=SONG) is None
    assert offence(parts, qun, "同意", quoted="坏词", quoted_by=XUAN) is Offence.WORD
