"""Imports the wechaty SDK so that it works on current Python versions and without side effects.

wechaty 0.10.7 is its last release (2023). The rest of `wechat` imports the SDK only from here.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final
from unittest import mock

import pyee
import urllib3
from pyee.asyncio import AsyncIOEventEmitter
from urllib3.util import parse_url

# Imports of the SDK for parts that are not used here: its plugin web server (quart), GitHub link cards (github), link
# previews (opengraph_py3, lxml), QR codes in the terminal (qrcode) and a job database. The real modules cost about 33
# MB of memory and 0.3 s at every start. They are replaced by stand-ins during the import only.
UNUSED: Final = (
    "quart",
    "quart_cors",
    "github",
    "github.Repository",
    "github.PullRequest",
    "github.PullRequestComment",
    "github.Issue",
    "github.IssueComment",
    "opengraph_py3",
    "lxml",
    "qrcode",
    "apscheduler.jobstores.sqlalchemy",
)
# Used by the SDK only to download a file from a URL, which is not done here either; 5 MB. Loaded when it is used.
LAZY: Final = ("requests", "requests.exceptions")


class UnusedName:
    """Replaces a class or function of an unused module."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Accept any arguments: the plugin manager creates a web application that it never starts."""


class UnusedModule(ModuleType):
    """A module in which every name is an UnusedName."""

    __path__: list[str] = []  # noqa: RUF012 - makes it a package, so that its submodules can be imported

    def __getattr__(self, name: str) -> type[UnusedName]:
        """Return UnusedName for public names; dunder attributes are missing as usual."""
        if name.startswith("__"):
            raise AttributeError(name)
        return UnusedName


class LazyModule(ModuleType):
    """A module that is imported when one of its names is used."""

    def __getattr__(self, name: str) -> Any:
        """Return the name of the real module."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


def _get_host(url: str) -> tuple[str, str | None, int | None]:
    """urllib3.get_host, which urllib3 2 removed."""
    parsed = parse_url(url)
    return parsed.scheme or "http", parsed.hostname, parsed.port


def install_patches() -> None:
    """Restore what the SDK needs and current libraries no longer have. Idempotent."""
    if not hasattr(pyee, "AsyncIOEventEmitter"):  # moved in pyee 12
        pyee.AsyncIOEventEmitter = AsyncIOEventEmitter  # type: ignore[attr-defined]
    if not hasattr(urllib3, "get_host"):
        urllib3.get_host = _get_host  # type: ignore[attr-defined]


@contextmanager
def patched_modules() -> Iterator[None]:
    """Context in which the unused and late modules are stand-ins; they are removed from sys.modules afterwards."""
    absent: dict[str, ModuleType] = {name: UnusedModule(name) for name in UNUSED if name not in sys.modules}
    absent |= {name: LazyModule(name) for name in LAZY if name not in sys.modules}
    sys.modules.update(absent)
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


@contextmanager
def _discard_side_effects() -> Iterator[None]:
    """Use a temporary CACHE_DIR (default: ./.wechaty), which the SDK creates during its import."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"CACHE_DIR": folder}):
        os.environ.pop("WECHATY_LOG_FILE", None)
        os.environ.pop("WECHATY_LOG", None)
        yield


def silence() -> None:
    """Remove the SDK's log handlers, which write the text of every message to stderr."""
    for name in ("wechaty", "wechaty_puppet", "wechaty_puppet_service"):
        for module in [m for key, m in sys.modules.items() if key == name or key.startswith(name + ".")]:
            for value in list(vars(module).values()):
                if isinstance(value, logging.Logger):
                    value.handlers = [logging.NullHandler()]
                    value.propagate = False
                    value.setLevel(logging.CRITICAL)


install_patches()
with (
    patched_modules(),
    _discard_side_effects(),
    warnings.catch_warnings(action="ignore"),
):  # it uses deprecated features
    # Required by the following import: since Python 3.11 a dataclass default must be hashable, and
    # wechaty.WechatyOptions has a PuppetOptions as default.
    from wechaty_puppet.schemas.puppet import PuppetOptions

    PuppetOptions.__hash__ = object.__hash__
    from wechaty import Wechaty, WechatyOptions
    from wechaty_grpc.wechaty import PuppetStub
    from wechaty_puppet_service.puppet import PuppetService
silence()

__all__ = ["PuppetOptions", "PuppetService", "PuppetStub", "Wechaty", "WechatyOptions"]
