"""Streaming calls that transfer files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from protocol import puppet_pb2 as pb
from sandbox.gateway.files import MAX_FILE, Uploads
from sandbox.gateway.message_calls import MessageCallHandlers
from sandbox.world.model import Refused

PIECE: Final = 64 * 1024


class StreamCallHandlers:
    """Upload, Download, and the older streams of file box chunks."""

    def __init__(self, messages: MessageCallHandlers, uploads: Uploads) -> None:
        self._messages = messages
        self._uploads = uploads

    def table(self) -> dict[str, Callable[[Any], Awaitable[Any]]]:
        """Return the handlers by call name."""
        return {
            "Upload": self.upload,
            "Download": self.download,
            "MessageFileStream": self.message_file,
            "MessageImageStream": self.message_file,
            "MessageSendFileStream": self.send_file,
        }

    async def upload(self, stream: Any) -> pb.Id:
        """Receive a file and return its uuid."""
        data = bytearray()
        async for piece in stream:
            data += piece.chunk
            _check_size(data)
        return pb.Id(id=self._uploads.store(bytes(data)))

    async def download(self, stream: Any) -> None:
        """Send a file by uuid; an unknown uuid is an error."""
        request = await stream.recv_message()
        data = self._uploads.get(request.id)
        for start in range(0, len(data), PIECE):
            await stream.send_message(pb.Chunk(chunk=data[start : start + PIECE]))

    async def message_file(self, stream: Any) -> None:
        """Send the file of a message: first its name, then the data."""
        request = await stream.recv_message()
        media = self._messages.media(request.id)
        await stream.send_message(pb.FileStreamResponse(file_box_chunk=pb.FileBoxChunk(name=media.name)))
        for start in range(0, len(media.data), PIECE):
            piece = pb.FileBoxChunk(data=media.data[start : start + PIECE])
            await stream.send_message(pb.FileStreamResponse(file_box_chunk=piece))

    async def send_file(self, stream: Any) -> pb.MessageSendResponse:
        """Receive conversation id, name and data of a file, and send it."""
        to, name, data = "", "", bytearray()
        async for piece in stream:
            to = piece.conversation_id or to
            name = piece.file_box_chunk.name or name
            data += piece.file_box_chunk.data
            _check_size(data)
        if not to or not name:
            raise Refused("no conversation id" if not to else "no name")
        return self._messages.send_media(to, name, bytes(data))


def _check_size(data: bytearray) -> None:
    if len(data) > MAX_FILE:
        raise Refused(f"文件过大（超过 {MAX_FILE} 字节）")
