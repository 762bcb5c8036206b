"""Stand-ins for modules during the import of the SDK."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from types import ModuleType

import pyee
import pytest
import urllib3
from pyee.asyncio import AsyncIOEventEmitter

from wechat import compat


def test_unused_module_has_any_public_name() -> None:
    module = compat.UnusedModule("absent")
    assert module.Anything is compat.UnusedName
    module.Anything(1, key=2)
    assert module.__path__ == [], "it is a package"
    with pytest.raises(AttributeError):
        _ = module.__wrapped__


def test_lazy_module_is_the_real_one_when_used() -> None:
    module = compat.LazyModule("json")
    assert module.loads is json.loads
    with pytest.raises(AttributeError):
        _ = module.__all__


def test_modules_are_replaced_while_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "UNUSED", ("absent_one", "json"))
    monkeypatch.setattr(compat, "LAZY", ("absent_two", "json"))
    with pytest.raises(ZeroDivisionError), compat.patched_modules():
        assert isinstance(sys.modules["absent_one"], compat.UnusedModule)
        assert isinstance(sys.modules["absent_two"], compat.LazyModule)
        assert sys.modules["json"] is json
        del sys.modules["absent_two"]
        raise ZeroDivisionError
    assert not {"absent_one", "absent_two"} & sys.modules.keys()
    assert sys.modules["json"] is json


def test_names_that_libraries_no_longer_have_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(pyee, "AsyncIOEventEmitter")
    monkeypatch.delattr(urllib3, "get_host")
    compat.install_patches()
    assert pyee.AsyncIOEventEmitter is AsyncIOEventEmitter  # type: ignore[attr-defined]
    assert urllib3.get_host("https://h.example:9/a") == ("https", "h.example", 9)  # type: ignore[attr-defined]
    assert urllib3.get_host("h.example") == ("http", "h.example", None)  # type: ignore[attr-defined]


def test_names_that_are_there_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyee, "AsyncIOEventEmitter", "theirs")
    monkeypatch.setattr(urllib3, "get_host", "theirs")
    compat.install_patches()
    assert (pyee.AsyncIOEventEmitter, urllib3.get_host) == ("theirs", "theirs")  # type: ignore[attr-defined]


def test_environment_of_the_sdk_is_empty_during_its_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHE_DIR", "kept")
    monkeypatch.setenv("WECHATY_LOG", "debug")
    monkeypatch.setenv("WECHATY_LOG_FILE", "log.txt")
    with compat._discard_side_effects():
        assert "WECHATY_LOG" not in os.environ
        assert "WECHATY_LOG_FILE" not in os.environ
        folder = Path(os.environ["CACHE_DIR"])
        assert folder.is_dir()
    assert not folder.exists()
    assert [os.environ[name] for name in ("CACHE_DIR", "WECHATY_LOG", "WECHATY_LOG_FILE")] == [
        "kept",
        "debug",
        "log.txt",
    ]


@pytest.mark.parametrize(
    ("name", "silent"),
    [
        ("wechaty.part", True),
        ("wechaty_puppet.part", True),
        ("wechaty_puppet_service.part", True),
        ("wechatyx", False),
        ("other.wechaty", False),
    ],
)
def test_loggers_of_the_sdk_are_silent(monkeypatch: pytest.MonkeyPatch, name: str, silent: bool) -> None:
    logger = logging.Logger(name)
    logger.addHandler(logging.StreamHandler())
    module = ModuleType(name)
    module.log = logger  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
    compat.silence()
    assert isinstance(logger.handlers[0], logging.NullHandler) is silent
    assert len(logger.handlers) == 1
    assert logger.propagate is not silent
    assert (logger.level == logging.CRITICAL) is silent
