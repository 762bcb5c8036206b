"""The clock of a gateway."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from wechat.gateway_clock import GatewayClock

FIRST = "Sat, 01 Jan 2028 00:00:00 GMT"
SECOND = "Sat, 01 Jan 2028 00:01:00 GMT"
UNIX = 1830297600.0


def test_gateway_time_advances_since_the_last_response(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [50.0]
    monkeypatch.setattr("wechat.gateway_clock.time", SimpleNamespace(monotonic=lambda: now[0]))
    clock = GatewayClock()
    for nothing in (None, {}, {"date": ""}, {"date": "yesterday"}):
        clock.read(nothing)
        assert clock.now is None
    clock.read({"date": FIRST})
    now[0] += 7
    assert clock.now == UNIX + 7
    clock.read({"date": FIRST})
    assert clock.now == UNIX + 7, "the same text was read already"
    clock.read({"date": SECOND})
    assert clock.now == UNIX + 60
    now[0] += 1
    clock.read({"date": "nonsense"})
    assert clock.now == UNIX + 61
