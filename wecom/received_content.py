"""The content of received messages: files, cards and places."""

from __future__ import annotations

from errors import WeChatUnsupported
from wechat.entities import Link, Media
from wecom import kf_messages
from wecom.api import WecomApi
from wecom.storage import Storage


class ReceivedContent:
    """Reads the content of a message from its stored payload, and files from the API."""

    _api: WecomApi
    _storage: Storage

    async def media(self, message_id: str) -> Media:
        """Return the file of a message; the platform keeps it for three days."""
        media_id = kf_messages.media_id_of(await self._storage.payload(message_id))
        if not media_id:
            raise WeChatUnsupported("media/get", "the message has no file")
        return await self._api.download(media_id)

    async def file(self, message_id: str) -> Media:
        """Return the file of a message; the platform has no large files."""
        return await self.media(message_id)

    async def image(self, message_id: str) -> Media:
        """Return the image of a message."""
        return await self.media(message_id)

    async def link(self, message_id: str) -> Link:
        """Return the link card of a message."""
        return kf_messages.link_of(await self._storage.payload(message_id))

    async def program_title(self, message_id: str) -> str:
        """Return the title of a mini-program message."""
        return kf_messages.text_of(await self._storage.payload(message_id))

    async def place(self, message_id: str) -> str:
        """Return name and address of a location message."""
        return kf_messages.text_of(await self._storage.payload(message_id))
