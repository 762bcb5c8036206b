"""A connection to a gateway: calls with deadlines, and translation of their errors."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from google.protobuf.message import DecodeError, Message
from grpclib.client import Channel, Stream
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from grpclib.utils import DeadlineWrapper
from h2.exceptions import H2Error

from errors import (
    WeChatError,
    WeChatNeedsConfirmation,
    WeChatOffline,
    WeChatRefused,
    WeChatTooFast,
    WeChatUnknown,
)
from protocol import CALLS, ProtocolCall
from protocol import puppet_pb2 as pb
from protocol.batched_channel import BatchedChannel, MessageTooLarge
from protocol.going_away import NotBegun
from protocol.relaying import NO_GATEWAY, TAKEN_OVER
from wechat.gateway_clock import GatewayClock
from wechat.relay_progress import RelayProgress

CALL_SECONDS: Final = 10.0
CALLS_AT_ONCE: Final = 32  # without a limit, calls would queue until their deadlines pass
CHUNK: Final = 64 * 1024

# Exceptions raised for a lost connection. AttributeError and AssertionError come from grpclib when the connection is
# lost between two of its steps.
CONNECTION_ERRORS: Final = (
    StreamTerminatedError,
    ProtocolError,
    H2Error,
    TimeoutError,
    OSError,
    DecodeError,
    AttributeError,
    AssertionError,
)
TOO_FAST: Final = re.compile("操作过于频繁|频率过快|频繁")
NEEDS_CONFIRMATION: Final = re.compile("-2012|-2028|邀请确认|需要.*确认")
UNCERTAIN_STATUSES: Final = (Status.DEADLINE_EXCEEDED, Status.UNAVAILABLE, Status.CANCELLED)


def translate(call: str, error: GRPCError, token: str = "") -> WeChatError:
    """Translate a gRPC error. The token, which some gateways repeat, is removed from the message."""
    if error.status is Status.UNAUTHENTICATED:
        return WeChatOffline(call, "the gateway rejects the token")
    if (error.message or "").startswith((NO_GATEWAY, TAKEN_OVER)):
        return WeChatOffline(call, error.message or "")
    text = (error.message or error.status.name).split("\n", 1)[0][:300]
    if token:
        text = text.replace(token, "***")
    if error.status in UNCERTAIN_STATUSES:
        return WeChatUnknown(call, text)
    if TOO_FAST.search(text):
        return WeChatTooFast(call, text)
    if NEEDS_CONFIRMATION.search(text):
        return WeChatNeedsConfirmation(call, text)
    return WeChatRefused(call, text)


class CancelOnce(DeadlineWrapper):
    """Cancel the task of a call at most once when the connection is lost.

    grpclib cancels it twice when it closes the connection itself. With a single cancellation, `Wire` can tell whether
    the task was also cancelled by somebody else.
    """

    def cancel(self, error: Exception) -> None:
        """Cancel the call's task."""
        if self._error is None:
            super().cancel(error)


class Wire:
    """The calls of a connection. After its loss a new Wire is created, and this one fails every call.

    `may_call`: whether calls are allowed now; without it they raise WeChatOffline.
    """

    def __init__(
        self,
        channel: Channel,
        token: str,
        *,
        concurrency: int = CALLS_AT_ONCE,
        relay: RelayProgress | None = None,
        clock: GatewayClock | None = None,
        may_call: Callable[[], bool] = lambda: True,
    ) -> None:
        self.channel = channel
        self._may_call = may_call
        self._clock = clock or GatewayClock()
        self._relay = relay or RelayProgress()
        self.metadata = {"authorization": f"Wechaty {token}"} if token else {}
        self.metadata |= self._relay.base_metadata()
        self._token = token
        self._slots = asyncio.Semaphore(concurrency)
        self._closed = False
        self._transferred_at = 0.0  # when a chunk of a file was last transferred

    async def connect(self, timeout: float = CALL_SECONDS) -> None:
        """Open the connection; raise OSError (including ssl.SSLError) or TimeoutError."""
        async with asyncio.timeout(timeout):
            await self.channel.__connect__()

    def close(self) -> None:
        """Close the connection; running calls raise WeChatUnknown."""
        self._closed = True
        self.channel.close()

    async def call(self, name: str, request: Message, timeout: float = CALL_SECONDS) -> Any:
        """Make a unary call and return the response."""
        async with self._slots:
            return await self._unary(CALLS[name], request, timeout)

    async def is_alive(self, timeout: float) -> bool:
        """Whether the gateway answers within `timeout` seconds; it need not support Version.

        On a slow connection the answer may be delayed by a large file, so a running transfer counts as an answer.
        """
        started = time.monotonic()
        if isinstance(self.channel, BatchedChannel) and self.channel.is_leaving:
            return True  # it is closed once the calls under way have ended
        try:
            await self._unary(CALLS["Version"], pb.Empty(), timeout)
        except WeChatRefused:
            return True
        except WeChatError:
            return self._transferred_at > started and not self._closed
        return True

    def events(self) -> Stream[Message, Message]:
        """Return the Event stream, which has no deadline."""
        return self._open(CALLS["Event"], Cardinality.UNARY_STREAM, None)

    async def upload(self, data: bytes, timeout: float = 120.0) -> str:
        """Upload data to the gateway and return its id."""
        call, sent, cancellations = CALLS["Upload"], False, _cancels()
        async with self._slots:
            try:
                async with self._open(call, Cardinality.STREAM_UNARY, timeout) as stream:
                    stream._wrapper.__class__ = CancelOnce
                    await stream.send_request()
                    sent = True
                    for start in range(0, len(data), CHUNK):
                        await stream.send_message(pb.Chunk(chunk=data[start : start + CHUNK]))
                        self._transferred_at = time.monotonic()
                    await stream.end()
                    answer = await stream.recv_message()
            except (GRPCError, *CONNECTION_ERRORS) as error:
                raise self._translated(call, error, sent, cancellations) from None
        return str(_require_answer(call, answer).id)

    async def download(self, id: str, write: Callable[[bytes], Awaitable[None]], timeout: float = 120.0) -> None:
        """Fetch bytes the gateway keeps.

        Never request an id of an earlier session: the gateway's process would crash.
        """
        call, cancellations = CALLS["Download"], _cancels()
        async with self._slots:
            try:
                async with self._open(call, Cardinality.UNARY_STREAM, timeout) as stream:
                    stream._wrapper.__class__ = CancelOnce
                    await stream.send_message(pb.Id(id=id), end=True)
                    async for answer in stream:
                        self._transferred_at = time.monotonic()
                        await write(answer.chunk)
            except (GRPCError, *CONNECTION_ERRORS) as error:
                raise self._translated(call, error, True, cancellations) from None

    def _open(self, call: ProtocolCall, cardinality: Cardinality, timeout: float | None) -> Stream[Any, Any]:
        if self._closed or not self._may_call():
            raise WeChatOffline(call.name, "not connected")
        metadata = self.metadata | self._relay.position_metadata(resuming=call.name == "Event")
        return self.channel.request(
            call.path, cardinality, call.request, call.response, timeout=timeout, metadata=metadata
        )

    async def _unary(self, call: ProtocolCall, request: Message, timeout: float) -> Any:
        sent, cancellations = False, _cancels()
        try:
            async with self._open(call, Cardinality.UNARY_UNARY, timeout) as stream:
                stream._wrapper.__class__ = CancelOnce
                await stream.send_request()
                sent = True
                await stream.send_message(request, end=True)
                answer = await stream.recv_message()
                self._clock.read(stream.initial_metadata)
        except (GRPCError, *CONNECTION_ERRORS) as error:
            raise self._translated(call, error, sent, cancellations) from None
        return _require_answer(call, answer)

    def _translated(self, call: ProtocolCall, error: Exception, sent: bool, cancellations: int) -> BaseException:
        """Translate an error.

        If the task was also cancelled by its owner, return CancelledError instead. `cancellations`: those before
        the call.
        """
        task = asyncio.current_task()
        if task is not None and task.cancelling() > cancellations:
            task.uncancel()
            if task.cancelling() > cancellations:
                return asyncio.CancelledError()
        if isinstance(error, GRPCError):
            return translate(call.name, error, self._token)
        if isinstance(error, MessageTooLarge):
            return WeChatRefused(call.name, str(error))
        kind = WeChatUnknown if sent and not isinstance(error, NotBegun) else WeChatOffline
        return kind(call.name, f"{type(error).__name__}: connection lost or timeout")


def _cancels() -> int:
    """Return the number of cancellation requests of the current task."""
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0


def _require_answer(call: ProtocolCall, answer: Any) -> Any:
    if answer is None:
        raise WeChatUnknown(call.name, "the gateway ended the call without an answer")
    return answer
