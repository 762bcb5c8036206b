"""The protocol's calls about the account's session."""

from __future__ import annotations

from collections.abc import Callable

from protocol import puppet_pb2 as pb
from sandbox.world.world import World


class SessionCallHandlers:
    """One account's session; a method per call of the protocol, named like it."""

    def __init__(self, world: World, account: str, end_stream: Callable[[], None]) -> None:
        self._world = world
        self._account = account
        self._end_stream = end_stream

    def Start(self, request: pb.Empty) -> pb.Empty:
        """The account's session is the world's; nothing to start."""
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
        """Answered by a dong event."""
        self._world.accounts.emit(self._account, "dong", {"data": request.data})
        return pb.Empty()

    def Version(self, request: pb.Empty) -> pb.VersionResponse:
        """The protocol's generation, then whose gateway it is."""
        return pb.VersionResponse(version="1.20.0-sandbox")

    def DirtyPayload(self, request: pb.DirtyPayloadRequest) -> pb.Empty:
        """Nothing is cached here; the event tells the client that its own cache is stale."""
        payload = {"payloadType": request.type, "payloadId": request.id}
        self._world.accounts.emit(self._account, "dirty", payload)
        return pb.Empty()
