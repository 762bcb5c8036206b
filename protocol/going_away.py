"""A gateway that announces the end of its connection with GOAWAY: the calls that it has begun are finished first.

h2 reads nothing more after a GOAWAY, and grpclib ends all calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from grpclib.exceptions import StreamTerminatedError
from grpclib.protocol import EventsProcessor, Stream
from grpclib.utils import DeadlineWrapper
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event, StreamReset
from hyperframe.frame import GoAwayFrame

LEAVE_SECONDS: Final = 10.0
REASON: Final = "the gateway ends the connection"


class NotBegun(StreamTerminatedError):
    """A call that the gateway has not begun; it can be repeated."""


def announced_end(frame: GoAwayFrame) -> tuple[list[Any], list[Event]]:
    """Read a GOAWAY, in place of h2."""
    event = ConnectionTerminated()
    event.error_code, event.last_stream_id = frame.error_code, frame.last_stream_id
    return [], [event]


class PatientProcessor(EventsProcessor):
    """Closes the connection once the calls under way have ended. Calls without a deadline are not waited for."""

    is_leaving = False

    def register(self, stream: Stream) -> Callable[[], None]:
        """Add a stream; return what removes it."""
        release = super().register(stream)

        def removed() -> None:
            release()
            if self.is_leaving:
                self._close_if_unused()

        if self.is_leaving:
            _reject(stream)
        return removed

    def process_connection_terminated(self, event: ConnectionTerminated) -> None:
        """Handle a GOAWAY, which may come twice: the first time with the highest number."""
        for stream in list(self.streams.values()):
            if (stream.id or 0) > (event.last_stream_id or 0):
                _reject(stream)
        if not self.is_leaving:
            self.is_leaving = True
            asyncio.get_running_loop().call_later(LEAVE_SECONDS, self.close, REASON)
        if event.error_code:
            self.close(REASON)
        self._close_if_unused()

    def process_stream_reset(self, event: StreamReset) -> None:
        """Handle a call that the gateway ended."""
        stream = self.streams.get(event.stream_id or 0)
        if stream is not None and event.error_code == ErrorCodes.REFUSED_STREAM:
            _reject(stream)
        super().process_stream_reset(event)

    def _close_if_unused(self) -> None:
        if not any(isinstance(stream.wrapper, DeadlineWrapper) for stream in self.streams.values()):
            self.close(REASON)


def _reject(stream: Stream) -> None:
    if stream.wrapper is not None:
        stream.wrapper.cancel(NotBegun(REASON))
