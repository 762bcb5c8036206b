"""Settings of an assistant on the official channel: each slip is one line that names the key and shows no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from config import Config, ConfigError, load
from config.language import in_language

KEY = "a" * 43
ASSISTANT: dict[str, Any] = {
    "account": "kefu1", "kind": "wecom", "corp_id": "ww1", "secret": "the-secret", "open_kfid": "wk1",
    "callback": {"token": "the-token", "aes_key": KEY},
}  # fmt: skip
SECOND = {**ASSISTANT, "account": "kefu2"}
NEEDED = "required for an assistant of kind wecom"
WRONG_KEY = "assistants.1.callback.aes_key: (hidden) is not valid: expected an EncodingAESKey of 43 letters and digits"


def read(folder: Path, *assistants: dict[str, Any]) -> Config:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({"assistants": list(assistants)}, allow_unicode=True), encoding="utf-8")
    return load(path)


def callback(**values: str) -> dict[str, Any]:
    return {"callback": {**ASSISTANT["callback"], **values}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"secret": None}, f"assistants.1.secret: (no value) is not valid: {NEEDED}"),
        ({"secret": ""}, f"assistants.1.secret: '' is not valid: {NEEDED}"),
        ({"secret": "  "}, f"assistants.1.secret: (hidden) is not valid: {NEEDED}"),
        ({"secret": "file:{folder}/none"}, "secret: (hidden) is not valid: the file '{folder}/none' cannot be read"),
        ({"secret": "file:{folder}/empty"}, f"assistants.1.secret: (hidden) is not valid: {NEEDED}"),
        ({"corp_id": None}, f"assistants.1.corp_id: (no value) is not valid: {NEEDED}"),
        ({"open_kfid": " wk1"}, "assistants.1.open_kfid: ' wk1' is not valid: expected printable characters"),
        (callback(aes_key="b" * 44), f"{WRONG_KEY}, not 44"),
        (callback(aes_key="b" * 42), f"{WRONG_KEY}, not 42"),
        (callback(aes_key="!" * 43), WRONG_KEY),
        (callback(aes_key="file:{folder}/empty"), "token and aes_key are required for an assistant of kind wecom"),
        (callback(token=""), "token and aes_key are required for an assistant of kind wecom"),
        ({"callback": None}, "assistants.1.callback: (no value) is not valid: token and aes_key are required"),
        ({"kind": None}, "assistants.1.corp_id: 'ww1' is not valid: only for an assistant of kind wecom"),
        ({"endpoint": "127.0.0.1:1"}, "assistants.1.endpoint: '127.0.0.1:1' is not valid: not for an assistant"),
        ({"handoff": "room"}, "assistants.1.handoff: 'room' is not valid: must be 'console' or 'client'"),
        (
            {"groups": {"pool": ["wr1", "wr1"]}},
            "assistants.1.groups.pool: ['wr1', 'wr1'] is not valid: a group may be listed",
        ),
        ({"groups": {"pool": ["wr1"], "room_base_name": "x" * 41}}, "must have at most 40 characters"),
    ],
)  # fmt: skip
def test_a_slip_is_one_line(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    fields = yaml.safe_load(yaml.safe_dump({**ASSISTANT, **change}).replace("{folder}", str(tmp_path)))
    with pytest.raises(ConfigError) as error:
        read(tmp_path, {name: value for name, value in fields.items() if value is not None})
    told = str(error.value)
    assert says.replace("{folder}", str(tmp_path)) in told
    assert "config.yaml, line " in told
    for secret in ("the-secret", "the-token", KEY, "b" * 42, "\n"):
        assert secret not in told
    own_words = [word for word in ("required", "expected", "only for", "not for", "may be") if word in told]
    assert all(word not in in_language(told, "zh") for word in own_words)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "open_kfid wk1: another assistant has it too"),
        ({"open_kfid": "wk2", "groups": {"pool": ["wr2", "wr1"]}}, "groups.pool wr1: another assistant has it too"),
    ],
)
def test_two_assistants_do_not_share_an_account_or_a_group(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    """Both would answer the same customers."""
    with pytest.raises(ConfigError, match=says) as error:
        read(tmp_path, {**ASSISTANT, "groups": {"pool": ["wr1"]}}, {**SECOND, **change})
    assert "也用了它" in in_language(str(error.value), "zh")


def test_optional_keys_and_secrets_in_files(tmp_path: Path) -> None:
    """Groups do without `agent`; then their owners are not written to."""
    for name, value in (("secret", "of-the-file\n"), ("key", f"{KEY}\n")):
        (tmp_path / name).write_text(value, encoding="utf-8")
    files = {"secret": f"file:{tmp_path}/secret", **callback(aes_key=f"file:{tmp_path}/key")}
    other_corp = {**SECOND, "corp_id": "ww2"}
    config = read(tmp_path, {**ASSISTANT, **files, "groups": {"pool": ["wr1"]}}, other_corp)
    assistant = config.assistants[0]
    assert (assistant.secret, assistant.callback.aes_key, assistant.agent, assistant.handoff) == (
        "of-the-file",
        KEY,
        0,
        "console",
    )
