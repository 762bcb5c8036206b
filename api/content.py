"""The content of a message in a request: exactly one of text, image, file, link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.body import exactly_one, field, line, reject_unknown_fields, rejected, text, without_nulls
from errors import InvalidParameter
from services.messaging import messages
from services.messaging.attachments import Attachment, Attachments
from services.messaging.messages import Body
from wechat.entities import Link

KINDS: Final = ("text", "image", "file", "link")
MAX_URL: Final = 2000


async def read_content(body: Mapping[str, Any], attachments: Attachments) -> Body:
    """Parse the content, storing its file on disk; raise InvalidParameter or BodyTooLarge."""
    kind = exactly_one(body, *KINDS)
    if kind == "text":
        return messages.text(text(body, "text"))
    part = body[kind]
    if not isinstance(part, dict):
        raise rejected(kind, part, "an object")
    part = without_nulls(part, "name", "url", "base64", "description", "thumbnail")
    if kind == "link":
        reject_unknown_fields(part, "title", "url", "description", "thumbnail")
        return messages.link(_link(part))
    reject_unknown_fields(part, "url", "base64", "name")
    stored = await attachments.store(_attachment(part, picture=kind == "image"))
    return messages.file(stored.path, stored.name)


def _attachment(part: Mapping[str, Any], *, picture: bool) -> Attachment:
    source = exactly_one(part, "url", "base64")
    name = field(part, "name") if "name" in part else ""
    if source == "url":
        return Attachment(picture, url=_url("url", part["url"]), name=name)
    data = part["base64"]
    if not isinstance(data, str) or not data:
        raise rejected("base64", data, "the data of the file")
    if not (name or picture):
        raise InvalidParameter("name: missing or null; base64 requires it")
    return Attachment(picture, base64=data, name=name or "image")


def _link(part: Mapping[str, Any]) -> Link:
    description = text(part, "description") if part.get("description") else ""
    thumbnail = _url("thumbnail", part["thumbnail"]) if part.get("thumbnail") else ""
    return Link(field(part, "title"), _url("url", part.get("url")), description, thumbnail)


def _url(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_URL or not value.startswith(("http://", "https://")):
        raise rejected(name, value, f"an address of at most {MAX_URL} characters that begins with http:// or https://")
    line(name, value[:256])
    return value
