"""Validation of flows and webhooks in the config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from config import ConfigError, load
from config.business import WebhookSettings

ASK = {"ask": {"store": "哪家？"}}
CALL = {"call": {"system": "shop", "path": "/x", "body": {"to": "{callback_url}"}, "into": "order"}}
WAIT = {"wait": {"callback": "result"}}
SAY = {"say": "好"}


def config(tmp_path: Path, **sections: Any) -> Path:
    """Write a config file with a shop and these sections."""
    file = tmp_path / "config.yaml"
    text = yaml.safe_dump({"systems": {"shop": {"base_url": "http://shop"}}, **sections}, allow_unicode=True)
    file.write_text(text, encoding="utf-8")
    return file


def flow(*steps: Any, **more: Any) -> dict[str, Any]:
    return {"name": "试", "start": ["开始"], "steps": list(steps), **more}


def choose(question: str, options: Any) -> dict[str, Any]:
    return {"choose": {"x": {"question": question, "options": options}}}


def check(**how: Any) -> dict[str, Any]:
    return {"ask": {"x": {"question": "？", "check": {"words": "不对。", **how}}}}


def test_all_step_kinds_are_accepted(tmp_path: Path) -> None:
    say = {"say": "{store} {order.code} {order.list.0} {result.deep.er} {person} {flow} {assistant} {not a name} {}"}
    taken = load(config(tmp_path, flows=[flow(ASK, CALL, WAIT, say, failed="{flow} {error} {store} {result.x}")]))
    assert [bool(step.wait) for step in taken.flows[0].steps] == [False, False, True, False]
    two = {"ask": {"a": "甲？", "b": "乙，{a}？"}}
    assert load(config(tmp_path, flows=[flow(two)])).flows[0].steps[0].provides == ("a", "b")
    chosen = load(config(tmp_path, flows=[flow(choose("？", [12, "月"]), check(regex=r"1\d{10}"))])).flows[0].steps
    assert chosen[0].choose is not None
    assert chosen[0].choose["x"].options == {"12": 12, "月": "月"}
    assert chosen[1].ask is not None
    assert chosen[1].ask["x"].question == "？"


@pytest.mark.parametrize(
    ("flows", "line"),
    [
        ([flow({"say": "{store}"}, ASK)], "flow 试, step 1: no earlier step sets {store}"),
        ([flow({"ask": {"a": "{b}？", "b": "乙？"}})], "flow 试, step 1: no earlier step sets {b}"),
        ([flow({"ask": {"a": "{a}？"}})], "flow 试, step 1: no earlier step sets {a}"),
        ([flow(ASK, {"say": "{store.name}"})], "flow 试, step 2: {store} is a text and has no field 'name'"),
        ([flow(SAY, failed="{order}")], "flow 试, failed: no earlier step sets {order}"),
        ([flow({"call": {"system": "shop2", "path": "/"}})], "flow 试, step 1: unknown system 'shop2'"),
        ([flow(SAY, CALL)], "flow 试, step 2: no later step waits for {callback_url}"),
        ([flow(WAIT)], "flow 试, step 1: no earlier step uses {callback_url}"),
        ([flow(CALL, WAIT, WAIT)], "flow 试, step 3: no earlier step uses {callback_url}"),
        ([flow({"ask": {"flow": "？"}})], "flow 试, step 1: 'flow' is a reserved name"),
        ([flow({"ask": {"error": "？"}})], "flow 试, step 1: 'error' is a reserved name"),
        ([flow({"ask": {"a b": "？"}})], "flows.1.steps.1.ask.a b"),
        ([flow({"shout": "好"})], "flows.1.steps.1.shout: '好' is not valid: unknown key"),
        (
            [flow({"say": "好", "ask": {"a": "？"}})],
            "flows.1.steps.1: exactly one of ask, choose, confirm, call, say, wait is required",
        ),
        ([flow({})], "flows.1.steps.1: exactly one of ask, choose, confirm, call, say, wait is required"),
        ([flow({"ask": {}})], "flows.1.steps.1: exactly one of ask, choose, confirm, call, say, wait is required"),
        ([flow()], "flows.1.steps"),
        ([flow({"call": {"system": "shop", "path": "x"}})], "flows.1.steps.1.call.path: 'x'"),
        ([flow({"call": {"system": "shop", "path": "/", "method": "FETCH"}})], "flows.1.steps.1.call.method: 'FETCH'"),
        ([flow({"wait": {"callback": "x", "hours": 0}})], "flows.1.steps.1.wait.hours: 0"),
        ([flow(SAY, allow="nobody")], "flows.1.allow: 'nobody'"),
        ([flow(SAY, start=[])], "flows.1.start"),
        ([flow(SAY, start=[" x"])], "flows.1.start.1: ' x'"),
        ([flow(SAY, start=["取消"])], "flow 试, start: '取消' is already used"),
        ([flow(SAY, start=["重试"])], "flow 试, start: '重试' is already used"),
        ([flow({"confirm": "{a}"})], "flow 试, step 1: no earlier step sets {a}"),
        ([flow(choose("{a}？", ["一", "二"]))], "flow 试, step 1: no earlier step sets {a}"),
        ([flow(choose("？", ["一"]))], "flows.1.steps.1.choose.x.options"),
        ([flow(choose("？", ["一", "一"]))], "flows.1.steps.1.choose.x.options: "),
        ([flow(choose("？", ["一", "A", "a"]))], "flow 试, step 1: options 'A' and 'a' are the same answer"),
        (
            [flow(SAY, choose("？", {"三 月": 3, "三月。": 4}))],
            "flow 试, step 2: options '三 月' and '三月。' are the same",
        ),
        ([flow(check(regex="("))], "flows.1.steps.1.ask.x.check.regex: '(' is not valid: not a valid RE2 expression"),
        ([flow(check(regex="1", min=2))], "flows.1.steps.1.ask.x.check: either regex or min and max are required"),
        ([flow(check())], "flows.1.steps.1.ask.x.check: either regex or min and max are required"),
        ([flow(check(min=3, max=2))], "flows.1.steps.1.ask.x.check: min must not be above max"),
        ([flow(check(min=3, words="{a}"))], "flow 试, step 1: no earlier step sets {a}"),
        ([flow(SAY, start=["加POS机", "加pos 机"])], "flow 试, start: '加pos 机' is already used (flow 试)"),
        ([flow(SAY), flow(SAY)], "flow 试: duplicate name"),
        ([flow(SAY), {**flow(SAY), "name": "另"}], "flow 另, start: '开始' is already used (flow 试)"),
    ],
)
def test_invalid_flow_stops_the_start(tmp_path: Path, flows: list[Any], line: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(config(tmp_path, flows=flows))
    assert line in str(error.value)
    assert "\n" not in str(error.value)


HOOK = {"url": "https://erp.example/hook", "secret": "whsec_dGVzdHRlc3R0ZXN0dGVzdA=="}


@pytest.mark.parametrize(
    ("webhooks", "line"),
    [
        ([{**HOOK, "secret": "whsec_not base64!"}], "webhooks.1.secret: (hidden) is not valid: expected base64"),
        ([{**HOOK, "secret": "whsec_"}], "webhooks.1.secret: (hidden) is not valid: expected base64"),
        ([{**HOOK, "secret": ""}], "webhooks.1.secret: '' is not valid: must not be empty"),
        ([{**HOOK, "events": ["member.join"]}], "webhooks.1.events.1: 'member.join' is not valid"),
        ([{**HOOK, "url": "ftp://erp"}], "webhooks.1.url: 'ftp://erp' is not valid"),
        ([{**HOOK, "url": "https://"}], "webhooks.1.url: 'https://' is not valid"),
        ([{**HOOK, "url": "https://erp:99999/"}], "webhooks.1.url: 'https://erp:99999/' is not valid"),
        ([HOOK, HOOK], "webhooks: URLs must be unique"),
    ],
)
def test_invalid_webhook_stops_the_start_without_showing_its_secret(
    tmp_path: Path, webhooks: list[Any], line: str
) -> None:
    with pytest.raises(ConfigError) as error:
        load(config(tmp_path, webhooks=webhooks))
    assert line in str(error.value)
    assert "not base64!" not in str(error.value)
    assert "dGVzdA" not in str(error.value)


@pytest.mark.parametrize(
    ("secret", "keys"),
    [
        ("whsec_dGVzdHRlc3R0ZXN0dGVzdA==", [b"testtesttesttest"]),
        ("whsec_dGVzdHRlc3R0ZXN0dGVzdA", [b"testtesttesttest"]),
        ("dGVzdHRlc3R0ZXN0dGVzdA==", [b"testtesttesttest", b"dGVzdHRlc3R0ZXN0dGVzdA=="]),
        # as decoded by receivers in Python
        ("dG-VzdHRlc3R0ZXN0dGVzd!A", [b"testtesttesttest", b"dG-VzdHRlc3R0ZXN0dGVzd!A"]),
        ("\u5bc6\u94a5" * 8, [("\u5bc6\u94a5" * 8).encode()]),
        ("-" * 16, [b"-" * 16]),
    ],
)
def test_secret_without_prefix_yields_both_keys(secret: str, keys: list[bytes]) -> None:
    assert list(WebhookSettings(url="https://erp.example/hook", secret=secret).keys) == keys


def test_queue_name_of_a_webhook_contains_no_secret() -> None:
    plain = WebhookSettings(url="https://erp.example:8443/hook", secret="dGVzdHRlc3R0ZXN0dGVzdA")
    assert plain.plain_url == "https://erp.example:8443/hook"
    keyed = WebhookSettings(url="https://me:pass@erp.example/hook?access_token=s3cret", secret="dGVzdHRlc3R0ZXN0dGVzdA")
    other = WebhookSettings(url="https://me:pass@erp.example/hook?access_token=other", secret="dGVzdHRlc3R0ZXN0dGVzdA")
    assert keyed.plain_url.startswith("https://erp.example/hook#")
    assert not any(part in keyed.plain_url for part in ("me", "pass@", "s3cret"))
    assert keyed.plain_url != other.plain_url


def test_secret_in_the_path_is_not_shown() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLw0hBc7Bqyj8ZCY="
    hook = WebhookSettings(url="https://hooks.example/services/T02AB34CD5EF/sekrit?k=s3cret", secret=secret)
    assert hook.shown_url.startswith("https://hooks.example/services/…/sekrit#")
    plain = WebhookSettings(url="https://hooks.example/api/v2/wechat-events", secret=secret)
    assert plain.shown_url == plain.url
