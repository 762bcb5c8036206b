"""The `expect` of a flow's waiting step."""

from __future__ import annotations

from typing import Any

import pytest

from services.flows.values import matches


@pytest.mark.parametrize(
    ("value", "expect", "met"),
    [
        ({"status": "success"}, {"status": "success"}, True),
        ({"status": "success", "more": 1}, {"status": "success"}, True),
        ({"status": "failed"}, {"status": "success"}, False),
        ({}, {"status": "success"}, False),
        ({"a": 1}, {}, True),
        ({"a": None}, {"a": None}, True),
        ({}, {"a": None}, False),
        ({"ok": 1}, {"ok": True}, False),
        ({"n": True}, {"n": 1}, False),
        ({"device": {"state": "on", "id": 7}}, {"device": {"state": "on"}}, True),
        ({"device": {"state": 1}}, {"device": {"state": True}}, False),
        ({"device": "on"}, {"device": {"state": "on"}}, False),
        ({"list": [1, 2]}, {"list": [1, 2]}, True),
        ({"list": [1, 2]}, {"list": [1]}, False),
    ],
)
def test_expectation_matches_value(value: dict[str, Any], expect: dict[str, Any], met: bool) -> None:
    assert matches(value, expect) is met
