"""What is nested without end costs its own message and nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from errors import WeChatRefused
from protocol import puppet_pb2 as pb
from wechat.account_calls import Sending
from wechat.event_parser import MalformedEvent, parse

DEPTHS = (200, 990, 100_000)  # what can be read, what cannot be walked through, what cannot be read


def nested(depth: int) -> str:
    return '{"title": ' + "[" * depth + '"\\ud83d"' + "]" * depth + "}"


@pytest.mark.parametrize("depth", DEPTHS)
def test_deeply_nested_event_is_malformed(depth: int) -> None:
    try:
        assert isinstance(parse(nested(depth)), dict)
    except MalformedEvent as error:
        assert str(error) == "no JSON"


@pytest.mark.parametrize("depth", DEPTHS)
async def test_deeply_nested_link_and_mini_program_are_rejected(depth: int) -> None:
    async def link(_id: str) -> Any:
        return pb.MessageUrlResponse(url_link_json=nested(depth))

    async def program(_id: str) -> Any:
        return pb.MessageMiniProgramResponse(mini_program_json=nested(depth))

    account = Sending.__new__(Sending)
    account._puppet_client = SimpleNamespace(message_link=link, message_program=program)  # type: ignore[assignment]
    with pytest.raises(WeChatRefused):
        await account.link("m")
    if depth > 900:
        with pytest.raises(WeChatRefused):
            await account.program_title("m")
    else:
        assert await account.program_title("m")
