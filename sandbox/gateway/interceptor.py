"""Processing common to all calls: authentication, faults, rate limits and the trace."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from protocol import ProtocolCall
from protocol.server import has_token
from sandbox.gateway.event_stream import date_header
from sandbox.world.faults import CallFault, Effect
from sandbox.world.model import Refused
from sandbox.world.world import World

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024  # also the default limit of grpc-js
# Calls that work while the account is logged out.
SESSION_CALLS: Final = frozenset(
    {"Start", "Stop", "Logout", "Ding", "Version", "Event", "DirtyPayload", "Upload", "Download"}
)
ACTIONS: Final = {
    "RoomCreate": "room_create",
    "RoomAdd": "room_add",
    "FriendshipAdd": "friend_add",
    "FriendshipAccept": "friend_accept",
    "MessageForward": "message",
}
MAX_SHOWN: Final = 200  # characters of a value kept in the trace

Serve = Callable[[Any], Any]  # takes the request (or the stream, for streaming calls) and returns the response


class CallInterceptor:
    """Wraps the call handlers of one account."""

    def __init__(self, world: World, account: str, token: str) -> None:
        if not token:
            raise ValueError("the sandbox gateway requires a token")
        self._world = world
        self._account = account
        self._token = token

    def wrap(self, call: ProtocolCall, serve: Serve) -> Callable[[Any], Awaitable[None]]:
        """Return the grpclib handler of a call.

        Refused is reported as UNKNOWN with its text, as the official gateway does for exceptions of its puppet.
        """
        streaming = call.streams_in or call.streams_out

        async def handler(stream: Any) -> None:
            self._authorize(stream)
            request = None if streaming else await stream.recv_message()
            began, outcome = time.monotonic(), "connection closed"
            try:
                outcome = await self._run(call, serve, stream, request)
            except Refused as error:
                outcome = str(error)
                raise GRPCError(Status.UNKNOWN, outcome) from None
            except GRPCError as error:
                outcome = error.message or error.status.name
                raise
            finally:
                self._note(call, request, outcome, time.monotonic() - began)

        return handler

    async def _run(self, call: ProtocolCall, serve: Serve, stream: Any, request: Message | None) -> str:
        """Execute a call subject to the active faults; return the outcome for the trace."""
        fault = self._world.faults.plan_call(call.name)
        if fault is not None:
            self._world.feed.emit_all({"type": "switches"})  # its count may have run out
        await _apply_first(fault)
        self._check(call.name, request)
        answer = serve(stream if request is None else request)
        if inspect.isawaitable(answer):
            answer = await answer
        if answer is None:  # streaming calls send their own responses
            return "ok"
        if fault is not None and fault.effect == Effect.LOSE:
            await stream.cancel()
            return "executed, answer lost"
        if fault is not None and fault.effect == Effect.LOSE_SILENTLY:
            await _hang()
        if call.name == "Version":
            await stream.send_initial_metadata(metadata=date_header(self._world))
        await stream.send_message(answer)
        return "ok"

    def _check(self, name: str, request: Message | None) -> None:
        if request is not None and (size := request.ByteSize()) > MAX_MESSAGE_BYTES:
            text = f"Received message larger than max ({size} vs {MAX_MESSAGE_BYTES})"
            raise GRPCError(Status.RESOURCE_EXHAUSTED, text)
        if name in SESSION_CALLS:
            return
        if not self._world.accounts.get(self._account).online:
            raise Refused("not logged in")
        action = "message" if name.startswith("MessageSend") else ACTIONS.get(name)
        if action is not None:
            self._world.limits.take(self._account, action)

    def _authorize(self, stream: Any) -> None:
        if not has_token(stream.metadata, self._token):
            raise GRPCError(Status.UNAUTHENTICATED, "Invalid Wechaty TOKEN")

    def _note(self, call: ProtocolCall, request: Message | None, outcome: str, seconds: float) -> None:
        if call.name == "Event":
            return
        facts = MessageToDict(request) if request is not None else {}
        shortened = {key: _shortened(value) for key, value in facts.items()}
        ms = round(seconds * 1000, 1)
        now = self._world.clock()
        self._world.trace.add(self._account, now, "call", call.name, request=shortened, outcome=outcome, ms=ms)


async def _apply_first(fault: CallFault | None) -> None:
    """Apply the fault's effect that comes before the call."""
    if fault is None:
        return
    if fault.effect == Effect.FAIL:
        raise Refused(fault.text)
    if fault.effect == Effect.HANG:
        await _hang()
    if fault.effect == Effect.SLOW:
        await asyncio.sleep(fault.ms / 1000)


async def _hang() -> None:
    """Wait until the call is cancelled by the client or the server."""
    await asyncio.get_running_loop().create_future()


def _shortened(value: Any) -> Any:
    return value[:MAX_SHOWN] + "…" if isinstance(value, str) and len(value) > MAX_SHOWN else value
