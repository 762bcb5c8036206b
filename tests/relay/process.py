"""The relay as a child process, `python -m relay --config FILE`, which can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from grpclib.const import Cardinality
from h2.exceptions import StreamClosedError

from protocol import CALLS
from protocol import puppet_pb2 as pb
from protocol.relaying import JOURNAL
from tests.bot_process import ROOT
from tests.official import OfficialGateway, ca_certificate
from tests.official_client import Client, tls_context
from tests.ports import free_port
from tests.waiting import SECONDS, until


class RelayProcess:
    """A relay for one gateway. Port, journal and config are kept over restarts."""

    def __init__(self, folder: Path, gateway: OfficialGateway, **more: Any) -> None:
        self.folder = folder
        self.gateway = gateway
        self.token, self.tls = gateway.token, gateway.tls
        self.port, self.metrics_port = free_port(), free_port()
        self.process: asyncio.subprocess.Process | None = None
        relay = {"listen": self.endpoint, "endpoint": gateway.endpoint, "token": gateway.token, "tls": "auto"}
        config = {"relays": [relay | more], "data": str(folder / "relay"), "metrics": f"127.0.0.1:{self.metrics_port}"}
        (folder / "relay.yaml").write_text(json.dumps(config))

    @property
    def endpoint(self) -> str:
        """host:port for clients."""
        return f"127.0.0.1:{self.port}"

    async def start(self, before: Callable[[], object] | None = None) -> None:
        """Start it and wait until it has its gateway. `before` runs in the process before the program."""
        self.process = await self.spawn(before=before)
        await self.until("relay_gateway_up", 1)

    async def spawn(self, *more: str, before: Callable[[], object] | None = None) -> asyncio.subprocess.Process:
        """A process with this configuration."""
        command = (sys.executable, "-m", "relay", "--config", str(self.folder / "relay.yaml"), *more)
        with (self.folder / "relay.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=log, stderr=log, preexec_fn=before)

    async def metric(self, name: str) -> float:
        """Return a metric's value; -1 if it does not exist yet."""
        try:
            text = await asyncio.to_thread(self._metrics)
        except OSError:
            return -1.0
        return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + "{")), -1.0)

    def _metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    async def until(self, name: str, value: float, seconds: float = SECONDS) -> None:
        """Wait until a metric has a value."""

        async def reached() -> bool:
            if self.process is None or self.process.returncode is not None:
                raise RuntimeError(f"the relay has ended:\n{self.log()}")
            return await self.metric(name) == value

        await until(reached, lambda: f"{name} is {value}; the relay's log:\n{self.log()}", seconds)

    async def kill(self) -> None:
        """Kill the process with SIGKILL."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
            self.process = None

    async def terminate(self) -> int:
        """Send SIGTERM; return the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), SECONDS)

    async def restart(self) -> None:
        """Kill the process and start a new one on the same port."""
        await self.kill()
        await self.start()

    def log(self) -> str:
        """Return its output."""
        file = self.folder / "relay.log"
        return file.read_text(errors="replace")[-4000:] if file.exists() else ""


class RelayClient(Client):
    """A plain client of a relay. `metadata` is added to every call."""

    def __init__(self, relay: RelayProcess, tls: bool = True, **metadata: str) -> None:
        super().__init__(relay.port, relay.token, tls_context(ca_certificate()) if tls else None)
        self.metadata |= {key.replace("_", "-"): value for key, value in metadata.items()}
        self.journal = ""

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[Callable[[], Any]]:
        """Open the event stream; yield a function that waits for the next message event."""
        call = CALLS["Event"]
        async with self.channel.request(
            call.path, Cardinality.UNARY_STREAM, call.request, call.response, metadata=self.metadata
        ) as stream:
            await stream.send_message(call.request(), end=True)
            await stream.recv_initial_metadata()
            assert stream.initial_metadata is not None
            self.journal = str(stream.initial_metadata.get(JOURNAL, ""))
            ended = False

            async def following() -> tuple[str, int]:
                nonlocal ended
                try:
                    while (event := _event(await asyncio.wait_for(stream.recv_message(), SECONDS))) is not None:
                        if event.type == pb.EVENT_MESSAGE:
                            return str(json.loads(event.payload)["messageId"]), int(event.relay_number)
                    ended = True
                    await stream.recv_trailing_metadata()
                except BaseException:
                    ended = True
                    raise
                raise EOFError

            yield following
            if not ended:
                with contextlib.suppress(StreamClosedError):  # the relay ended the stream
                    await stream.cancel()


def _event(message: Any) -> Any:
    """Cast to the stream's own message type, which grpclib does not declare."""
    return message
