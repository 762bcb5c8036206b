"""GET /openapi.json and GET /docs; the page needs no external resources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from aiohttp import web

from api.pages import page
from api.responses import HEADERS
from config.settings import ApiSettings


class Document:
    """The OpenAPI document, created on first use because that takes a quarter of a second."""

    def __init__(self, settings: ApiSettings) -> None:
        self.configure(settings)

    def configure(self, settings: ApiSettings) -> None:
        """Set the settings to describe."""
        self._url, self._has_keys = settings.public_url, bool(settings.keys)
        for name in ("_document", "raw", "values"):
            self.__dict__.pop(name, None)

    @cached_property
    def _document(self) -> dict[str, Any]:
        from api.openapi import document  # late: the modules that describe the API are not needed to serve it

        return document(self._url, self._has_keys)

    @cached_property
    def raw(self) -> bytes:
        """The document as JSON."""
        return json.dumps(self._document, ensure_ascii=False).encode()

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """The template values of the page."""
        from api.reference import reference

        return reference(self._document["info"]["title"], self._url, self._has_keys)


DOCUMENT = web.AppKey("document", Document)


async def openapi(request: web.Request) -> web.Response:
    """GET /openapi.json."""
    return web.Response(body=request.app[DOCUMENT].raw, headers=HEADERS)


async def docs(request: web.Request) -> web.Response:
    """GET /docs."""
    return page(request, "docs.html", dict(request.app[DOCUMENT].values))
