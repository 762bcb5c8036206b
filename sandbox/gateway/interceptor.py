"""What every call passes through: the token, the faults that are switched on, WeChat's limits, and the trace."""

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
from protocol.server import shows_token
from sandbox.gateway.event_stream import dated
from sandbox.world.faults import CallFault
from sandbox.world.model import Refused
from sandbox.world.world import World

LARGEST_MESSAGE: Final = 4 * 1024 * 1024  # grpc-js takes no more in one message either
# What a gateway answers even while its account is logged out.
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
SHOWN: Final = 200  # characters of a value the trace shows

Serve = Callable[[Any], Any]  # takes the request (or, where it comes in pieces, the stream) and gives the answer


class CallInterceptor:
    """Guards one account's calls."""

    def __init__(self, world: World, account: str, token: str) -> None:
        if not token:
            raise ValueError("the sandbox's gateway needs a token")
        self._world = world
        self._account = account
        self._token = token

    def wrap(self, call: ProtocolCall, serve: Serve) -> Callable[[Any], Awaitable[None]]:
        """The handler of a call, for grpclib. A refusal is answered with UNKNOWN and its text, as the official
        gateway answers whatever its puppet throws."""
        streaming = call.streams_in or call.streams_out

        async def handler(stream: Any) -> None:
            self._authorize(stream)
            request = None if streaming else await stream.recv_message()
            began, outcome = time.monotonic(), "broken off"
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
        """Do one call, as far as the faults let it; returns how it went."""
        fault = self._world.faults.plan_call(call.name)
        if fault is not None:
            self._world.feed.tell_all({"type": "switches"})  # it may have been used up
        await _before(fault)
        self._check(call.name, request)
        answer = serve(stream if request is None else request)
        if inspect.isawaitable(answer):
            answer = await answer
        if answer is None:  # a stream that has sent its own answers
            return "ok"
        if fault is not None and fault.effect == "lose":
            await stream.cancel()
            return "done, answer lost"
        if fault is not None and fault.effect == "lose_silently":
            await _for_ever()
        if call.name == "Version":
            await stream.send_initial_metadata(metadata=dated(self._world))
        await stream.send_message(answer)
        return "ok"

    def _check(self, name: str, request: Message | None) -> None:
        if request is not None and (size := request.ByteSize()) > LARGEST_MESSAGE:
            text = f"Received message larger than max ({size} vs {LARGEST_MESSAGE})"
            raise GRPCError(Status.RESOURCE_EXHAUSTED, text)
        if name in SESSION_CALLS:
            return
        if not self._world.accounts.get(self._account).online:
            raise Refused("not logged in")
        action = "message" if name.startswith("MessageSend") else ACTIONS.get(name)
        if action is not None:
            self._world.limits.take(self._account, action)

    def _authorize(self, stream: Any) -> None:
        if not shows_token(stream.metadata, self._token):
            raise GRPCError(Status.UNAUTHENTICATED, "Invalid Wechaty TOKEN")

    def _note(self, call: ProtocolCall, request: Message | None, outcome: str, seconds: float) -> None:
        if call.name == "Event":
            return
        facts = MessageToDict(request) if request is not None else {}
        shown = {key: _short(value) for key, value in facts.items()}
        ms = round(seconds * 1000, 1)
        now = self._world.clock()
        self._world.trace.add(self._account, now, "call", call.name, request=shown, outcome=outcome, ms=ms)


async def _before(fault: CallFault | None) -> None:
    """What a fault does before anything is done."""
    if fault is None:
        return
    if fault.effect == "fail":
        raise Refused(fault.text)
    if fault.effect == "hang":
        await _for_ever()
    if fault.effect == "slow":
        await asyncio.sleep(fault.ms / 1000)


async def _for_ever() -> None:
    """Wait until the client gives up, or the server stops."""
    await asyncio.get_running_loop().create_future()


def _short(value: Any) -> Any:
    return value[:SHOWN] + "…" if isinstance(value, str) and len(value) > SHOWN else value
