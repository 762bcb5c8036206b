"""A gateway that announces the end of its connections with GOAWAY."""

from __future__ import annotations

from functools import partial

from grpclib.const import Status
from h2.errors import ErrorCodes

from relay import frames, http2
from relay.frames import frame
from relay.headers import Headers
from relay.rpc import RESPONSE_FIELDS, outcome
from relay.streams import Stream
from tests.ports import free_port


class Answer:
    """A gateway's side of a call. Those of `hanging` are answered by the test, all others at once."""

    def __init__(self, gateway: Gateway, stream: Stream, headers: Headers) -> None:
        self.stream, self.name = stream, headers.metadata[":path"].rpartition("/")[2]
        self.hangs = self.name in gateway.hanging
        stream.send_headers(Headers(RESPONSE_FIELDS)) if not self.hangs else gateway.waiting.append(self)
        if self.name == "Event":
            stream.send_data(b"\0\0\0\0\x02\x10\x17")  # a heartbeat

    def on_headers(self, headers: Headers, *, end: bool) -> None:
        """Trailers."""

    def on_data(self, data: bytes, size: int, *, end: bool) -> None:
        if end and self.name != "Event" and not self.hangs:
            self.finish()

    def on_reset(self, code: int | None) -> None:
        """It is cancelled."""

    def finish(self) -> None:
        if self.hangs:
            self.stream.send_headers(Headers(RESPONSE_FIELDS))
        self.stream.send_data(bytes(5))
        self.stream.send_headers(Headers(outcome(Status.OK)), end=True)


class Gateway:
    """A gateway that can announce its end."""

    def __init__(self) -> None:
        self.token, self.tls, self.port = "insecure_leaving", False, free_port()
        self.endpoint = f"127.0.0.1:{self.port}"
        self.connections: list[http2.Http2Connection] = []
        self.hanging = {"Hang", "MessageSendText"}
        self.waiting: list[Answer] = []

    def connection(self) -> http2.Http2Connection:
        self.connections.append(http2.Http2Connection(partial(Answer, self)))
        return self.connections[-1]

    def leaves(self, last: int, code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        payload = last.to_bytes(4, "big") + code.to_bytes(4, "big")
        self.connections[-1].writer.write(frame(frames.GOAWAY, 0, 0, payload))
