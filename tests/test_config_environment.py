"""Environment variables of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import ConfigError, load

ROOT = Path(__file__).parent.parent


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_environment_is_substituted_and_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "assistants: [{account: a, token: '${SOME_TOKEN}'}]\napi: {port: 8081, host: 0.0.0.0}")
    monkeypatch.setenv("SOME_TOKEN", "t0ken")
    monkeypatch.setenv("WXBOT_API__PORT", "9000")
    monkeypatch.setenv("WXBOT_ADMINS", '["wxid_a"]')
    config = load(path)
    assert (config.assistants[0].token, config.api.port, config.api.host) == ("t0ken", 9000, "0.0.0.0")
    assert config.admins == ["wxid_a"]
    monkeypatch.delenv("SOME_TOKEN")
    assert load(path).assistants[0].token == ""


def test_public_url_follows_the_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They follow the port while they have the default; port 0 is not known yet."""
    assert load(ROOT / "config.yaml").api.public_url == "http://127.0.0.1:8080"
    monkeypatch.setenv("WXBOT_API__PORT", "9000")
    assert load(ROOT / "config.yaml").api.public_url == "http://127.0.0.1:9000"
    assert load(write(tmp_path, "{}")).api.public_url == "http://127.0.0.1:9000"
    own = write(tmp_path, "api: {public_url: 'http://yunmof.com/'}")
    assert load(own).api.public_url == "http://yunmof.com"
    monkeypatch.setenv("WXBOT_API__PORT", "0")
    assert load(ROOT / "config.yaml").api.public_url == "http://127.0.0.1:8080"


def test_variables_override_sections_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
    assistants: [{account: a, endpoint: "h:1"}, {account: b}]
    systems: {hipos: {base_url: "http://h", headers: {Authorization: x}}}
    groups: {flood: {seconds: 5}}
    api: {keys: "${KEYS}", trusted_proxies: "${UNSET}"}
    """
    for name, value in {
        "ASSISTANTS__0__TOKEN": "[t0ken]",
        "ASSISTANTS__0__TLS": "false",
        "ASSISTANTS__1__ENDPOINT": "[::1]:2",
        "ASSISTANTS__2": "{account: c}",
        "ADMINS__0": "wxid_a",
        "SYSTEMS__HIPOS__HEADERS__AUTHORIZATION": "Bearer y",
        "GROUPS__FLOOD": '{"messages": 3}',
        "GROUPS__COMPANIONS": "智多星, 入云龙",
        "GROUPS__TOPIC": "{owner}的群",
        "CUSTOMER_SERVICE__HANDOFF__HOURS__FROM": "10:00",
        "CUSTOMER_SERVICE__ACCEPT__DELAY_SECONDS": "[1, 2]",
        "PACING__ENABLED": "false",
        "TEXTS__BAD_TOKEN": "123",
    }.items():
        monkeypatch.setenv(f"WXBOT_{name}", value)
    monkeypatch.setenv("KEYS", '["first-key-1234567", "second-key-123456"]')
    config = load(write(tmp_path, text))
    first, second, third = config.assistants
    assert (first.token, first.tls, first.endpoint) == ("[t0ken]", False, "h:1")
    assert (second.account, second.endpoint, third.account) == ("b", "[::1]:2", "c")
    assert config.admins == ["wxid_a"]
    assert config.systems["hipos"].headers == {"Authorization": "Bearer y"}
    assert (config.groups.flood.messages, config.groups.flood.seconds) == (3, 5)
    assert (config.groups.companions, config.groups.topic) == (["智多星", "入云龙"], "{owner}的群")
    assert config.customer_service.handoff.hours.from_ == "10:00"
    assert list(config.customer_service.accept.delay_seconds) == [1, 2]
    assert not config.pacing.enabled
    assert config.texts.bad_token == "123"
    assert (config.api.keys, config.api.trusted_proxies) == (["first-key-1234567", "second-key-123456"], [])


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("WXBOT_APIS__PORT", "1", "apis (WXBOT_APIS__PORT): a mapping is not valid: unknown key"),
        ("WXBOT_API__PORT", "abc", "api.port (WXBOT_API__PORT): 'abc' is not valid: expected an integer"),
        ("WXBOT_API__PORT__X", "1", "WXBOT_API__PORT__X: int has no key"),
        (
            "WXBOT_API__KEYS",
            "[12345678",
            "api.keys (WXBOT_API__KEYS): (hidden) is not valid: expected a list like [a, b]",
        ),
        ("WXBOT_ASSISTANTS__2__TOKEN", "12345678", "WXBOT_ASSISTANTS__2__TOKEN: the list has 1 items"),
        ("WXBOT_ASSISTANTS__FIRST", "1", "WXBOT_ASSISTANTS__FIRST: 'first' is not a list index"),
        ("WXBOT_ASSISTANTS", "[{account: a, token: 12345678}]", "assistants.1.token (WXBOT_ASSISTANTS): (hidden)"),
    ],
)
def test_invalid_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, named: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, "{api: {port: 1}, assistants: [{account: a}]}"))
    assert named in str(caught.value)
    assert "12345678" not in str(caught.value)


def test_kubernetes_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "WXBOT_PORT": "tcp://10.0.0.1:8080",
        "WXBOT_SERVICE_HOST": "10.0.0.1",
        "WXBOT_SERVICE_PORT": "8080",
        "WXBOT_SERVICE_PORT_HTTP": "8080",
        "WXBOT_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "WXBOT_PORT_8080_TCP_PROTO": "tcp",
        "WXBOT_PORT_8080_TCP_ADDR": "10.0.0.1",
        "WXBOT_PORT_8080_TCP_PORT": "8080",
        "WXBOT_API__PORT": "9000",
    }.items():
        monkeypatch.setenv(name, value)
    assert load().api.port == 9000
    monkeypatch.setenv("WXBOT_PORTS", "1")
    with pytest.raises(ConfigError, match="WXBOT_PORTS"):
        load()
