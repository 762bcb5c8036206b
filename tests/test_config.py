"""The configuration: defaults that work, overrides, and errors that name the key in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import Config, ConfigError, load
from settings import ReplyPart

ROOT = Path(__file__).parent.parent


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_file_is_the_defaults() -> None:
    """config.yaml shows every key with the value it has anyway; only its examples are more."""
    shipped, defaults = load(ROOT / "config.yaml").model_dump(), Config().model_dump()
    examples = {"systems", "flows"}
    assert {k: v for k, v in shipped.items() if k not in examples | {"customer_service"}} == {
        k: v for k, v in defaults.items() if k not in examples | {"customer_service"}
    }
    assert shipped["customer_service"] | {"keywords": []} == defaults["customer_service"]


def test_the_shipped_file_names_every_key() -> None:
    """A key that is not in config.yaml is a key nobody finds."""
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")

    def keys(tree: object) -> set[str]:
        if not isinstance(tree, dict):
            return set()
        return set(tree) | {key for value in tree.values() for key in keys(value)}

    dumped = Config().model_dump(by_alias=True, exclude={"texts"})
    assert {key for key in keys(dumped) if f"{key}:" not in text} == set()


def test_files_beside_the_config_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the bot in its own folder must not get the shipped FAQ for theirs."""
    reply = "reply: [look, {image: map.png}, {file: price.pdf}]"
    text = f"customer_service: {{faq: faq.yaml, keywords: [{{equals: faq.yaml, {reply}}}]}}"
    for name in ("faq.yaml", "map.png"):
        (tmp_path / name).touch()
    monkeypatch.chdir(ROOT)
    service = load(write(tmp_path, text)).customer_service
    assert service.faq == str(tmp_path / "faq.yaml")
    assert service.keywords[0].equals == "faq.yaml"
    assert service.keywords[0].reply[1:] == [ReplyPart(image=str(tmp_path / "map.png")), ReplyPart(file="price.pdf")]
    monkeypatch.chdir(tmp_path)
    assert load("config.yaml").customer_service.faq == "faq.yaml"


def test_the_environment_fills_in_and_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "assistants: [{account: a, token: '${SOME_TOKEN}'}]\napi: {port: 8081, host: 0.0.0.0}")
    monkeypatch.setenv("SOME_TOKEN", "t0ken")
    monkeypatch.setenv("WXBOT_API__PORT", "9000")
    monkeypatch.setenv("WXBOT_ADMINS", '["wxid_a"]')
    config = load(path)
    assert (config.assistants[0].token, config.api.port, config.api.host) == ("t0ken", 9000, "0.0.0.0")
    assert config.admins == ["wxid_a"]
    monkeypatch.delenv("SOME_TOKEN")
    assert load(path).assistants[0].token == ""


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("api: {port: abc}", "api.port: 'abc'"),
        ("apii: 1", "apii: there is no such key"),
        ("api: {prot: 1}", "api.prot: there is no such key"),
        ("assistants: [{account: ''}]", "assistants.0.account: ''"),
        ("assistants: [{account: a, endpoint: nonsense}]", "assistants.0.endpoint: 'nonsense'"),
        ("assistants: [{account: a}, {account: a}]", "assistants"),
        ("assistants: []", "assistants: []"),
        ("assistants: [{account: a, tls: maybe}]", "assistants.0.tls: 'maybe'"),
        ("api: {allowed_networks: [10.0.0.0/33]}", "api.allowed_networks.0: '10.0.0.0/33'"),
        ("database: mysql://x", "database: (hidden)"),
        ("timezone: Mars", "timezone: 'Mars'"),
        ("customer_service: {handoff: {hours: {from: '25:00'}}}", "customer_service.handoff.hours.from: '25:00'"),
        ("customer_service: {keywords: [{reply: x}]}", "customer_service.keywords.0"),
        ("customer_service: {keywords: [{equals: a, contains: b, reply: x}]}", "customer_service.keywords.0"),
        ("texts: {bad_token: '{nickname}'}", "texts.bad_token: {nickname} is not known"),
        ("texts: {no_such_text: x}", "texts.no_such_text: there is no such key"),
        ("flows: [{name: f, start: [f], steps: [{say: 'x {y}'}]}]", "flow f, step 1: nothing before it brings {y}"),
        ("flows: [{name: f, start: [f], steps: [{call: {system: s, path: /}}]}]", "flow f, step 1: there is no system"),
        ("flows: [{name: f, start: [f], steps: [{shout: x}]}]", "flows.0.steps.0"),
        ("- a list", "a mapping of keys is wanted"),
        ("a: [", "not readable as YAML"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, "assistants: [{account: a, token: 12345678}]"))
    assert "assistants.0.token" in str(caught.value)
    assert "12345678" not in str(caught.value)


def test_the_urls_handed_out_follow_the_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until they are somebody's own; and a port of 0 is not known yet."""
    assert load(ROOT / "config.yaml").api.public_url == "http://127.0.0.1:8080"
    monkeypatch.setenv("WXBOT_API__PORT", "9000")
    assert load(ROOT / "config.yaml").api.public_url == "http://127.0.0.1:9000"
    assert load(write(tmp_path, "{}")).api.public_url == "http://127.0.0.1:9000"
    own = write(tmp_path, "api: {public_url: 'http://yunmof.com/'}")
    assert load(own).api.public_url == "http://yunmof.com"
    monkeypatch.setenv("WXBOT_API__PORT", "0")
    assert load(ROOT / "config.yaml").api.public_url == "http://127.0.0.1:8080"


def test_an_unknown_environment_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WXBOT_APIS__PORT", "1")
    with pytest.raises(ConfigError, match="WXBOT_APIS__PORT"):
        load()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load(tmp_path / "nowhere.yaml")
