"""Protocol calls about the account's session."""

from __future__ import annotations

from collections.abc import Callable

from protocol import puppet_pb2 as pb
from sandbox.world.world import World


class SessionCallHandlers:
    """Session calls of one account, named as in the protocol."""

    def __init__(self, world: World, account: str, end_stream: Callable[[], None]) -> None:
        self._world = world
        self._account = account
        self._end_stream = end_stream

    def Start(self, request: pb.Empty) -> pb.Empty:
        """Do nothing: the session belongs to the world."""
        return pb.Empty()

    def Stop(self, request: pb.Empty) -> pb.Empty:
        """End the event stream, as the official gateway does."""
        self._end_stream()
        return pb.Empty()

    def Logout(self, request: pb.Empty) -> pb.Empty:
        """Log the account out."""
        self._world.accounts.logout(self._account)
        return pb.Empty()

    def Ding(self, request: pb.DingRequest) -> pb.Empty:
        """Answer with a dong event."""
        self._world.accounts.emit(self._account, "dong", {"data": request.data})
        return pb.Empty()

    def Version(self, request: pb.Empty) -> pb.VersionResponse:
        """Return the protocol version and the name of the gateway."""
        return pb.VersionResponse(version="1.20.0-sandbox")

    def DirtyPayload(self, request: pb.DirtyPayloadRequest) -> pb.Empty:
        """Emit a dirty event, which tells the client to drop its cached payload."""
        payload = {"payloadType": request.type, "payloadId": request.id}
        self._world.accounts.emit(self._account, "dirty", payload)
        return pb.Empty()
