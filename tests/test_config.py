"""The configuration: defaults, overrides, and one-line errors that name the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import Config, ConfigError, load
from config.customer_service import ReplyPart

ROOT = Path(__file__).parent.parent


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_file_has_the_defaults() -> None:
    """config.yaml shows every key with its default; only its examples go further."""
    shipped, defaults = load(ROOT / "config.yaml").model_dump(), Config().model_dump()
    examples = {"systems", "flows"}
    assert {k: v for k, v in shipped.items() if k not in examples | {"customer_service"}} == {
        k: v for k, v in defaults.items() if k not in examples | {"customer_service"}
    }
    assert shipped["customer_service"] | {"keywords": []} == defaults["customer_service"]


def test_shipped_file_contains_every_key() -> None:
    """Every key must be documented in config.yaml."""
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")

    def keys(tree: object) -> set[str]:
        if not isinstance(tree, dict):
            return set()
        return set(tree) | {key for value in tree.values() for key in keys(value)}

    dumped = Config().model_dump(by_alias=True, exclude={"texts"})
    assert {key for key in keys(dumped) if f"{key}:" not in text} == set()


def test_files_next_to_the_config_take_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a directory with its own FAQ file, that one is used, not the shipped one."""
    reply = "reply: [look, {image: map.png}, {file: price.pdf}]"
    text = f"customer_service: {{faq: faq.yaml, keywords: [{{equals: faq.yaml, {reply}}}]}}"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for path in (tmp_path / "faq.yaml", tmp_path / "map.png", elsewhere / "faq.yaml", elsewhere / "price.pdf"):
        path.touch()
    monkeypatch.chdir(elsewhere)
    service = load(write(tmp_path, text)).customer_service
    assert service.faq == str(tmp_path / "faq.yaml")
    assert service.keywords[0].equals == "faq.yaml"
    assert service.keywords[0].reply[1:] == [ReplyPart(image=str(tmp_path / "map.png")), ReplyPart(file="price.pdf")]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "price.pdf").touch()
    assert load("config.yaml").customer_service.faq == "faq.yaml"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("api: {port: abc}", "api.port: 'abc'"),
        ("apii: 1", "apii: 1 is not valid: unknown key; allowed: assistants, database, api"),
        ("api: {prot: 1}", "api.prot: 1 is not valid: unknown key; allowed: host, port"),
        ("api: {port: true}", "api.port: True is not valid: expected an integer"),
        ('api: {port: "8080"}', "api.port: '8080' is not valid: expected an integer"),
        ('keep_days: "7"', "keep_days: '7' is not valid: expected a number"),
        ("groups: {overflow: 1}", "groups.overflow: 1 is not valid: expected true or false"),
        ('pacing: {enabled: "off"}', "pacing.enabled: 'off' is not valid: expected true or false"),
        ("groups: {pending_days: 1.0e+300}", "groups.pending_days: 1e+300 is not valid: must be less than"),
        ("groups: {token_days: 36501}", "groups.token_days: 36501 is not valid: must be less than"),
        ("api: {public_url: 'http://h/?a=b'}", "api.public_url: 'http://h/?***' is not valid: expected a base URL"),
        ("api: {public_url: 'http://h/#a'}", "api.public_url: 'http://h/#a' is not valid: expected a base URL"),
        ("api: {keys: ['k ']}", "api.keys.1: (hidden) is not valid: expected printable characters"),
        ('api: {keys: ["k\\n"]}', "api.keys.1: (hidden) is not valid: expected printable characters"),
        ("api: {keys: ['']}", "api.keys.1: '' is not valid: must not be empty"),
        (
            "database: 'postgresql://u:p@h:port/d'",
            "database: 'postgresql://***@h:port/d' is not valid: expected sqlite:///",
        ),
        ('"a\\nb": c', "a b: 'c' is not valid: unknown key"),
        ("pacing: {groups_per_day: 0}", "pacing.groups_per_day: 0 is not valid: must be greater than or equal to 1"),
        ("groups: {1: 2}", "groups.1: 2 is not valid: unknown key"),
        ("flows: [{name: \"a\\nb\", start: [f], steps: [{say: '{y}'}]}]", "flow a b, step 1: no earlier step"),
        ("api: {port: 65536}", "api.port: 65536 is not valid: must be less than or equal to 65535"),
        ("api:", "api: (no value) is not valid: expected a mapping"),
        ("keep_days: .nan", "keep_days: nan"),
        ("log_format: xml", "log_format: 'xml' is not valid: must be 'text' or 'json'"),
        ("assistants: [{account: ''}]", "assistants.1.account: '' is not valid: must not be empty"),
        ("assistants: [{account: ' '}]", "assistants.1.account: ' ' is not valid: must not be empty"),
        (
            'assistants: [{account: a, token: "a\\n"}]',
            "assistants.1.token: (hidden) is not valid: expected visible ASCII",
        ),
        (
            "assistants: [{account: a, token: 令牌}]",
            "assistants.1.token: (hidden) is not valid: expected visible ASCII",
        ),
        ("sandbox: {password: 12345678}", "sandbox.password: (hidden) is not valid: expected a string"),
        ("sandbox: {pasword: abc}", "sandbox.pasword: (hidden) is not valid: unknown key"),
        ("assistants: [{account: a, tokn: abc}]", "assistants.1.tokn: (hidden) is not valid: unknown key"),
        ("api: {keys: [{name: a b, key: 0123456789abcdef}]}", "api.keys.1.name: 'a b' is not valid: must match"),
        ("assistants: [{token: t}]", "assistants.1.account: this key is required"),
        (
            "assistants: [{account: a, endpoint: 'http://h:1'}]",
            "assistants.1.endpoint: 'http://h:1' is not valid: expected host:port",
        ),
        ("assistants: [{account: a, endpoint: 'h:70000'}]", "assistants.1.endpoint: 'h:70000'"),
        (
            "assistants: [{account: a, tls_ca: no.pem}]",
            "assistants.1.tls_ca: 'no.pem' is not valid: expected a PEM file",
        ),
        ("assistants: [{account: a, authority: 'ftp://h', token: t}]", "assistants.1.authority: 'ftp://h'"),
        ("assistants: [{account: a, authority: 'https://h'}]", "assistants.1.authority: 'https://h'"),
        (
            "assistants: [{account: a, authority: 'https://h', endpoint: 'h:1', token: t}]",
            "assistants.1.authority: 'https://h' is not valid: endpoint and authority",
        ),
        ("assistants: [{account: a, endpoint: nonsense}]", "assistants.1.endpoint: 'nonsense'"),
        (
            "assistants: [{account: a}, {account: a}]",
            "assistants.2.account: 'a' is not valid: every account must occur",
        ),
        ("keep_days: 1\nkeep_days: 2", "line 2, column 1: duplicate key 'keep_days'"),
        ("assistants: []", "assistants: [] is not valid: at least one item is required"),
        ("assistants: [{account: a, tls: maybe}]", "assistants.1.tls: 'maybe'"),
        ("api: {allowed_networks: [10.0.0.0/33]}", "api.allowed_networks.1: '10.0.0.0/33'"),
        ("database: mysql://x", "database: 'mysql://x' is not valid: expected sqlite:///FILE or postgresql://USER:"),
        ("database: ''", "database: '' is not valid"),
        (
            "groups: {topic: '{name}'}",
            "groups.topic: '{name}' is not valid: unknown placeholder {name}; allowed: {number}, {owner}",
        ),
        (
            "customer_service: {greeting: '{x}'}",
            "customer_service.greeting: '{x}' is not valid: unknown placeholder {x}",
        ),
        ("customer_service: {accept: {delay_seconds: [9, 1]}}", "customer_service.accept.delay_seconds: [9, 1] is"),
        (
            "customer_service: {llm: {base_url: 'http://h'}}",
            "customer_service.llm.model: (no value) is not valid: the name",
        ),
        (
            "customer_service: {keywords: [{equals: a, reply: ''}]}",
            "customer_service.keywords.1.reply: '' is not valid",
        ),
        (
            "customer_service: {keywords: [{equals: a, reply: [{txt: b}]}]}",
            "customer_service.keywords.1.reply.1.txt: 'b'",
        ),
        ("timezone: Mars", "timezone: 'Mars'"),
        ("customer_service: {handoff: {hours: {from: '25:00'}}}", "customer_service.handoff.hours.from: '25:00'"),
        ("customer_service: {keywords: [{reply: x}]}", "customer_service.keywords.1: exactly one of equals, contains"),
        ("customer_service: {keywords: [{equals: a, contains: b, reply: x}]}", "customer_service.keywords.1"),
        (
            "texts: {bad_token: '{nickname}'}",
            "texts.bad_token: '{nickname}' is not valid: unknown placeholder {nickname}",
        ),
        ("texts: {bad_tokn: x}", "texts.bad_tokn: 'x' is not valid: unknown key; allowed: bad_token"),
        ("flows: [{name: f, start: [f], steps: [{say: 'x {y}'}]}]", "flow f, step 1: no earlier step sets {y}"),
        ("flows: [{name: f, start: [f], steps: [{call: {system: s, path: /}}]}]", "flow f, step 1: unknown system"),
        ("flows: [{name: f, start: [f], steps: [{shout: x}]}]", "flows.1.steps.1"),
        ("- a list", "expected a mapping"),
        ("groups: &g {topic: *g}", "an alias (*) refers to itself"),
        ("a: [", "invalid YAML: line 1, column 5"),
    ],
)
def test_invalid_value_is_reported_in_one_line(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "assistants: [{account: a, token: 12345678}]",
        "assistants: [{account: a, token: '12345678]",  # invalid YAML; its errors quote the line
        "assistants: [[{token: 12345678}]]",
        "api: {keys: 12345678}",
        "api: {keys: [12345678]}",
        "database: 'mysql://wxbot:12345678@host/db'",
        "database: 'host=db password=12345678'",
        "webhooks: [{url: 'ftp://h/?key=12345678', secret: eA==}]",
        "webhooks: [{url: 'https://h', secret: 'whsec_!12345678'}]",
        "systems: {s: {base_url: 'https://h', headers: {Authorization: [12345678]}}}",
    ],
)
def test_secrets_are_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert "12345678" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unquoted_time_is_parsed_as_time(tmp_path: Path) -> None:
    """YAML parses 18:00 as a sexagesimal number."""
    hours = load(write(tmp_path, "customer_service: {handoff: {hours: {from: 9:30, to: 18:00}}}")).customer_service
    assert (hours.handoff.hours.from_, hours.handoff.hours.to) == ("09:30", "18:00")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("yaml", "key"),
    [
        ("api: {keys: [short]}", "api.keys.1"),
        ("api: {keys: [{name: erp, key: fifteen-letters}]}", "api.keys.1"),
        ("webhooks: [{url: 'https://erp.example/hook', secret: whsec_dGVzdA}]", "webhooks.1.secret"),
    ],
)
def test_weak_secrets_are_rejected(tmp_path: Path, yaml: str, key: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml)
    with pytest.raises(ConfigError, match="at least 16 characters") as refused:
        load(path)
    assert str(refused.value).startswith(key)
    assert not any(secret in str(refused.value) for secret in ("short", "fifteen", "dGVzdA"))
