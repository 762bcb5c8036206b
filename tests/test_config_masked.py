"""The shown config: every secret is hidden by its type, everything else is complete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from config import Config
from config.error_messages import SECRET_KEYS, is_secret
from config.masked import MASK, masked
from config.section import Mask
from config.texts import Texts

SECRETS = (
    "tok-1", "corp-1", "cb-token-1", "A" * 43, "key-all-1-0123456789", "key-one-1-0123456789",
    "pass-1", "page-pass-1", "llm-1", "emb-1", "hook-path-1",
    "hdr-1", "whsec_c2VjcmV0c2VjcmV0",
)  # fmt: skip


def _config() -> Config:
    data: dict[str, Any] = {
        "assistants": [
            {"account": "a", "endpoint": "10.0.0.1:8788", "token": "tok-1"},
            {
                "account": "b", "kind": "wecom", "corp_id": "ww1", "secret": "corp-1", "open_kfid": "wk1",
                "callback": {"token": "cb-token-1", "aes_key": "A" * 43},
            },
        ],
        "sandbox": {"password": "page-pass-1"},
        "database": "postgresql://wxbot:pass-1@db.example/wxbot",
        "api": {"keys": ["key-all-1-0123456789", {"name": "erp", "key": "key-one-1-0123456789"}]},
        "customer_service": {
            "llm": {"base_url": "http://llm", "model": "m", "key": "llm-1"},
            "embeddings": {"base_url": "http://emb", "model": "m", "key": "emb-1"},
        },
        "webhooks": [{"name": "erp", "url": "https://erp.example/hook-path-1", "secret": "whsec_c2VjcmV0c2VjcmV0"}],
        "systems": {"erp": {"base_url": "http://erp.example/api", "headers": {"Authorization": "Bearer hdr-1"}}},
    }  # fmt: skip
    return Config(**data)


def test_no_secret_is_shown() -> None:
    shown = masked(_config())
    for secret in SECRETS:
        assert secret not in str(shown), secret
    assert shown["assistants"][0]["token"] == MASK
    assert shown["api"]["keys"] == [MASK, {**shown["api"]["keys"][1], "name": "erp", "key": MASK}]
    assert shown["systems"]["erp"]["headers"] == {"Authorization": MASK}
    assert shown["database"] == f"postgresql://{MASK}@db.example/wxbot"
    assert shown["webhooks"][0]["url"] == f"https://erp.example/{MASK}"


def test_absolute_path_of_a_database_is_shown_whole() -> None:
    assert (
        masked(Config(database="sqlite:////var/lib/wxbot/wxbot.db"))["database"] == "sqlite:////var/lib/wxbot/wxbot.db"
    )


def test_other_values_are_shown_unchanged() -> None:
    config = _config()
    shown = masked(config)
    plain = config.model_dump(mode="json", by_alias=True)
    assert _paths(shown) == _paths(plain)
    assert shown["systems"]["erp"]["base_url"] == "http://erp.example/api"
    assert (
        shown["texts"] == plain["texts"] and shown["groups"] == plain["groups"] and shown["pacing"] == plain["pacing"]
    )
    assert masked(Config())["assistants"][0]["token"] == ""  # what is empty stays so


def _paths(value: Any, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {path}.union(*(_paths(item, f"{path}.{key}") for key, item in value.items()))
    return {path}.union(*(_paths(item, f"{path}[]") for item in value)) if isinstance(value, list) else {path}


def _sections(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    if model in seen:
        return
    seen.add(model)
    yield model
    for field in model.model_fields.values():
        for kind in _models(field.annotation):
            yield from _sections(kind, seen)


def _models(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for member in get_args(kind):
        yield from _models(member)


SECTIONS = [section for section in _sections(Config, set()) if section is not Texts]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_errors_show_the_values_of_other_fields(section: type[BaseModel]) -> None:
    assert not [name for name in section.model_fields if name not in SECRET_KEYS and is_secret((name,))]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_secret_sounding_fields_have_secret_types(section: type[BaseModel]) -> None:
    for name, field in section.model_fields.items():
        assert Mask.WHOLE not in field.metadata or is_secret((name,)), f"{section.__name__}.{name}"
        sounds = any(word in name for word in ("token", "secret", "password", "key"))
        if sounds and str in (field.annotation, *get_args(field.annotation)):
            assert Mask.WHOLE in field.metadata, f"{section.__name__}.{name}"
