"""The relay's configuration: accepted values, and one-line errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from relay.config import RelayConfigError, load
from tests.bot_process import ROOT
from tests.waiting import SECONDS

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
        ("listen: 127.0.0.1:9010", "listen: 9010", "relays.0.listen: "),
        ("endpoint: 127.0.0.1:9009", "endpoint: host:99999", "relays.0.endpoint: expected host:port"),
        ("tls: auto", "tls: perhaps", "relays.0.tls"),
        ("keep_days: 3", "keep_days: 0", "relays.0.keep_days: "),
        ("keep_days: 3", "keep: 3", "relays.0.keep: "),
        ('"${RELAY_TEST_TOKEN}"', '"${RELAY_TEST_NO}"', "relays.0.token: the environment variable RELAY_TEST_NO"),
        ('"${RELAY_TEST_TOKEN}"', '""', "relays.0.token: "),
        ('"${RELAY_TEST_TOKEN}"', '"file:/nowhere"', "relays.0.token: "),
        ("metrics: 127.0.0.1:9011", "metrics: here", "metrics: expected host:port"),
        ("data:", "date:", "date: "),
        ("relays:", "relay: [", "not YAML"),
    ],
)
def test_config_error_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, says: str
) -> None:
    monkeypatch.setenv("RELAY_TEST_TOKEN", "secret")
    with pytest.raises(RelayConfigError) as refused:
        load(_file(tmp_path, GOOD.replace(old, new)))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_two_relays_on_one_port_are_rejected(tmp_path: Path) -> None:
    one = "{ listen: 127.0.0.1:9010, endpoint: 127.0.0.1:9009, token: a }"
    with pytest.raises(RelayConfigError, match="the same listen"):
        load(_file(tmp_path, f"relays: [{one}, {one.replace('9009', '9008')}]"))


def test_command_prints_one_line_and_exits_with_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "relay", "--config", str(tmp_path / "none.yaml")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert ended.returncode == 2
    assert ended.stderr == f"relay: {tmp_path}/none.yaml: No such file or directory\n"
