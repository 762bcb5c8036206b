"""The wechaty SDK, imported so that it works on today's Python and leaves nothing behind.

wechaty 0.10.7 is its last release (2023). The rest of `wechat` imports the SDK from here and nowhere else.
"""

from __future__ import annotations

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

# What the SDK imports for parts that are not used here: its plugin web server (quart), the GitHub link cards (github),
# link previews (opengraph_py3, lxml), QR codes in the terminal (qrcode) and a job database. The real ones cost about
# 33 MB of memory and 0.3 s at every start. Each is replaced by a stand-in during the import only.
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


class StandIn:
    """Takes the place of any class or function of a module that is not used."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Accept anything: the plugin manager makes a web application it never starts."""


class StandInModule(ModuleType):
    """A module in which every name is a StandIn."""

    __path__: list[str] = []  # noqa: RUF012 - makes it a package, so that its submodules can be imported

    def __getattr__(self, name: str) -> type[StandIn]:
        """Any public name; Python's own attributes are missing as they should be."""
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn


def _get_host(url: str) -> tuple[str, str | None, int | None]:
    """urllib3.get_host as it was before urllib3 2 dropped it."""
    parsed = parse_url(url)
    return parsed.scheme or "http", parsed.hostname, parsed.port


def mend() -> None:
    """Give the SDK what today's libraries no longer have. Safe to call twice."""
    if not hasattr(pyee, "AsyncIOEventEmitter"):  # pyee 12 moved it
        pyee.AsyncIOEventEmitter = AsyncIOEventEmitter  # type: ignore[attr-defined]
    if not hasattr(urllib3, "get_host"):
        urllib3.get_host = _get_host  # type: ignore[attr-defined]


@contextmanager
def stand_ins() -> Iterator[None]:
    """Inside, the unused modules are stand-ins; afterwards sys.modules knows nothing of them."""
    absent = {name: StandInModule(name) for name in UNUSED if name not in sys.modules}
    sys.modules.update(absent)
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


@contextmanager
def _no_traces() -> Iterator[None]:
    """The SDK makes CACHE_DIR (default: ./.wechaty) while it is imported: let that be a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"CACHE_DIR": folder}):
        os.environ.pop("WECHATY_LOG_FILE", None)
        os.environ.pop("WECHATY_LOG", None)
        yield


def silence() -> None:
    """Take the SDK's own handlers away: it writes the text of every message to stderr."""
    for name in ("wechaty", "wechaty_puppet", "wechaty_puppet_service"):
        for module in [m for key, m in sys.modules.items() if key == name or key.startswith(name + ".")]:
            for value in list(vars(module).values()):
                if isinstance(value, logging.Logger):
                    value.handlers = [logging.NullHandler()]
                    value.propagate = False
                    value.setLevel(logging.CRITICAL)


mend()
with stand_ins(), _no_traces(), warnings.catch_warnings(action="ignore"):  # its age shows
    # The order matters: Python 3.11 and later refuse a dataclass default that cannot be hashed, and
    # wechaty.WechatyOptions has a PuppetOptions for a default.
    from wechaty_puppet.schemas.puppet import PuppetOptions

    PuppetOptions.__hash__ = object.__hash__
    from wechaty import Wechaty, WechatyOptions
    from wechaty_grpc.wechaty import PuppetStub
    from wechaty_puppet_service.puppet import PuppetService
silence()

__all__ = ["PuppetOptions", "PuppetService", "PuppetStub", "Wechaty", "WechatyOptions"]
