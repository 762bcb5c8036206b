"""The content of a message in a request: exactly one of text, image, file, link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.body import field, line, text, without_nulls
from errors import InvalidParameter
from services.messaging import messages
from services.messaging.attachments import Attachment, Attachments
from services.messaging.messages import Body
from wechat.entities import Link

KINDS: Final = ("text", "image", "file", "link")
MAX_URL: Final = 2000


async def read_content(body: Mapping[str, Any], attachments: Attachments) -> Body:
    """Parse the content, storing its file on disk; raise InvalidParameter or BodyTooLarge."""
    kinds = [kind for kind in KINDS if kind in body]
    if len(kinds) != 1:
        raise InvalidParameter("exactly one of text, image, file, link is required")
    kind = kinds[0]
    if kind == "text":
        return messages.text(text(body, "text"))
    part = body[kind]
    if not isinstance(part, dict):
        raise InvalidParameter(kind)
    part = without_nulls(part, "name", "url", "base64", "description", "thumbnail")
    if kind == "link":
        return messages.link(_link(part))
    stored = await attachments.store(_attachment(part, picture=kind == "image"))
    return messages.file(stored.path, stored.name)


def _attachment(part: Mapping[str, Any], *, picture: bool) -> Attachment:
    if ("url" in part) == ("base64" in part) or part.keys() - {"url", "base64", "name"}:
        raise InvalidParameter("exactly one of url, base64 is required")
    name = field(part, "name") if "name" in part else ""
    if "url" in part:
        return Attachment(picture, url=_url(part["url"]), name=name)
    data = part["base64"]
    if not isinstance(data, str) or not data or not (name or picture):
        raise InvalidParameter("base64 requires name")
    return Attachment(picture, base64=data, name=name or "image")


def _link(part: Mapping[str, Any]) -> Link:
    if part.keys() - {"title", "url", "description", "thumbnail"}:
        raise InvalidParameter("link")
    description = text(part, "description") if part.get("description") else ""
    thumbnail = _url(part["thumbnail"]) if part.get("thumbnail") else ""
    return Link(field(part, "title"), _url(part.get("url")), description, thumbnail)


def _url(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_URL or not value.startswith(("http://", "https://")):
        raise InvalidParameter("url")
    line("url", value[:256])
    return value
