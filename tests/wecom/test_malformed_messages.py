"""Messages that the API should not send: they are left out, so that those behind them are read."""

from __future__ import annotations

from typing import Any

import pytest

from wecom import kf_messages
from wecom.storage import IncomingMessage

GOOD: dict[str, Any] = {"msgid": "m1", "send_time": 1_700_000_000, "origin": 3, "external_userid": "wm_1"}


def test_message_is_accepted() -> None:
    raw = kf_messages.raw_event("kefu1", GOOD)
    assert raw is not None
    assert (raw.id, raw.kind, raw.at.timestamp()) == ("m1", "message", 1_700_000_000)
    assert kf_messages.incoming_message(GOOD) == IncomingMessage("wm_1", 1_700_000_000)


@pytest.mark.parametrize(
    "wrong",
    [
        {"msgid": ""},
        {"msgid": 7},
        {"send_time": None},
        {"send_time": "1700000000"},
        {"send_time": float("inf")},
        {"send_time": float("nan")},
        {"send_time": 10**20},
    ],
)
def test_message_without_id_or_time_is_left_out(wrong: dict[str, Any]) -> None:
    assert kf_messages.raw_event("kefu1", GOOD | wrong) is None


@pytest.mark.parametrize("event", [None, "enter_session", ["enter_session"], {}])
def test_event_of_another_shape_allows_nothing_to_be_sent(event: Any) -> None:
    message = {"msgid": "m1", "send_time": 1_700_000_000, "origin": 4, "msgtype": "event", "event": event}
    assert kf_messages.raw_event("kefu1", message) is not None
    assert kf_messages.incoming_message(message) is None
