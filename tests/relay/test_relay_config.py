"""The relay's configuration: accepted values, and one-line errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from relay.config import load
from tests.bot_process import ROOT
from tests.waiting import SECONDS
from yaml_file import ConfigError

GOOD = """
relays:
  - { listen: 127.0.0.1:9010, endpoint: 127.0.0.1:9009, token: "${RELAY_TEST_TOKEN}", tls: auto, keep_days: 3 }
data: data/relay
metrics: 127.0.0.1:9011
"""


def _file(folder: Path, text: str) -> Path:
    file = folder / "relay.yaml"
    file.write_text(text)
    return file


def test_documented_config_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_TEST_TOKEN", "secret")
    config = load(_file(tmp_path, GOOD))
    (relay,) = config.relays
    assert (relay.listen, relay.endpoint, relay.token) == ("127.0.0.1:9010", "127.0.0.1:9009", "secret")
    assert (relay.tls, relay.keep_days, str(config.data), config.metrics) == ("auto", 3, "data/relay", "127.0.0.1:9011")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("listen: 127.0.0.1:9010", "listen: 9010", "relays.1.listen: "),
        ("endpoint: 127.0.0.1:9009", "endpoint: host:99999", "relays.1.endpoint: expected host:port"),
        ("tls: auto", "tls: perhaps", "relays.1.tls"),
        ("keep_days: 3", "keep_days: 0", "relays.1.keep_days: "),
        ("keep_days: 3", "keep: 3", "relays.1.keep: "),
        ('"${RELAY_TEST_TOKEN}"', '"${RELAY_TEST_NO}"', "relays.1.token: the environment variable RELAY_TEST_NO"),
        ('"${RELAY_TEST_TOKEN}"', '""', "relays.1.token: "),
        ('"${RELAY_TEST_TOKEN}"', '"file:/nowhere"', "relays.1.token: "),
        ("metrics: 127.0.0.1:9011", "metrics: here", "metrics: expected host:port"),
        ("data:", "date:", "date: "),
        ("relays:", "relay: [", "invalid YAML: line "),
    ],
)
def test_config_error_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, says: str
) -> None:
    monkeypatch.setenv("RELAY_TEST_TOKEN", "secret")
    with pytest.raises(ConfigError) as refused:
        load(_file(tmp_path, GOOD.replace(old, new)))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    line = GOOD[: GOOD.index(old)].count("\n") + 1
    assert str(refused.value).endswith(f"relay.yaml, line {line})") or "invalid YAML: line 3, column 3" in str(
        refused.value
    )
    assert "secret" not in str(refused.value)


def test_two_relays_on_one_port_are_rejected(tmp_path: Path) -> None:
    relay = "{ listen: 127.0.0.1:9010, endpoint: 127.0.0.1:9009, token: a }"
    with pytest.raises(ConfigError, match="the same listen"):
        load(_file(tmp_path, f"relays: [{relay}, {relay.replace('9009', '9008')}]"))


def test_command_prints_one_line_and_exits_with_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "relay", "--config", str(tmp_path / "none.yaml")]
    for language, says in (("zh", "没有这个文件或文件夹"), ("en", "No such file or directory")):
        environment = os.environ | {"WXBOT_LANGUAGE": language}
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert ended.returncode == 2
        assert ended.stderr == f"relay: {tmp_path}/none.yaml: {says}\n"
