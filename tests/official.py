"""The official Wechaty gateway as a test fixture: a node process controlled over a small HTTP port.

The gateway is `wechaty-puppet-service` itself, over a WeChat whose people and groups the test controls
(tests/gateway/).
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import pytest
import pytest_asyncio

from tests.official_control import Control, ControlError, Json
from tests.ports import free_port
from tests.waiting import SECONDS

__all__ = ["ControlError", "Json", "OfficialGateway", "Start", "ca_certificate", "official", "requires_node"]

HOME = Path(__file__).parent / "gateway"
CA_FILE = HOME / "node_modules/wechaty-puppet-service/dist/esm/src/auth/ca.js"
SERVER_NAME = "insecure"  # the name in the certificate that the package ships


def requires_node() -> None:
    """Skip the test if Node.js or the gateway's packages are missing; fail with CI set."""
    missing = "node" if shutil.which("node") is None else "tests/gateway/node_modules" if not CA_FILE.exists() else ""
    if not missing:
        return
    reason = f"the official gateway needs {missing} (install Node.js 20 or newer, then `make test`)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def ca_certificate() -> str:
    """Return the CA certificate (PEM) of the gateway's own certificate."""
    text = CA_FILE.read_text()
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    return text[text.index(begin) : text.index(end) + len(end)] + "\n"


class _NodeProcess:
    """A process of tests/gateway/gateway.mjs, which serves one gateway after the other."""

    def __init__(self, env: dict[str, str]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="official-gateway-"))
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        home = {"HOME": str(self._folder), "TMPDIR": str(self._folder)}
        with (self._folder / "stderr").open("ab") as stderr:
            self._process = subprocess.Popen(
                ("node", str(HOME / "gateway.mjs")),
                cwd=self._folder,
                env={"PATH": os.environ["PATH"], "WECHATY_LOG": "warn", **home, **env},
                stdin=subprocess.PIPE,  # it ends when stdin is closed
                stdout=subprocess.PIPE,
                stderr=stderr,
            )

    async def ask(self, options: Json | None) -> Json:
        """Start another gateway, or only stop the one that runs; raise ValueError if the process has ended."""
        return await asyncio.wait_for(asyncio.to_thread(self._ask, options), SECONDS)

    def _ask(self, options: Json | None) -> Json:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(options).encode() + b"\n")
        self._process.stdin.flush()
        answer: Json = json.loads(self._process.stdout.readline())
        return answer

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the process with SIGKILL and remove its files."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):  # what the process did not read any more
                pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def stderr(self) -> str:
        """Return the end of its stderr."""
        return (self._folder / "stderr").read_text(errors="replace")[-4000:]


_idle: list[_NodeProcess] = []


def _take_process(env: dict[str, str]) -> _NodeProcess:
    return _idle.pop() if _idle and not env else _NodeProcess(env)


class OfficialGateway(Control):
    """A gateway with its control port.

    `port` is kept over restarts. `state` is a file that keeps contacts, groups and messages over a kill. `account` is
    the assistant's own contact. `env` adds environment variables, such as WECHATY_PUPPET_SERVICE_TLS_SERVER_CERT and
    _KEY.
    """

    def __init__(
        self,
        *,
        tls: bool = True,
        token: str = "insecure_testtoken",  # the part before the last _ is the TLS server name that clients expect
        state: Path | None = None,
        port: int = 0,
        account: Json | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.tls = tls
        self.token = token
        self.state = state
        self.port = port or free_port()
        self.control_port = free_port()
        self._account = account or {}
        self._env = env or {}
        self._process: _NodeProcess | None = None
        self._frozen = False

    @property
    def endpoint(self) -> str:
        """host:port for clients."""
        return f"127.0.0.1:{self.port}"

    # ---- process ----

    async def start(self) -> Self:
        """Start the gateway and wait until it serves; raise RuntimeError with its last output if it does not."""
        self._process = _take_process(self._env)
        options = {
            "token": self.token,
            "tls": self.tls,
            "port": self.port,
            "control": self.control_port,
            "state": str(self.state or ""),
            "self": self._account,
        }
        try:
            ready = await self._process.ask(options)
        except (TimeoutError, ValueError, OSError) as error:
            said = self.stderr()
            await self.kill()
            raise RuntimeError(f"the official gateway did not start:\n{said}") from error
        self.port, self.control_port = ready["port"], ready["control"]
        self._open(self.control_port)
        return self

    async def kill(self) -> None:
        """Kill the process with SIGKILL."""
        await self._close()
        process, self._process = self._process, None
        if process is not None:
            await asyncio.to_thread(process.kill)

    async def stop(self) -> None:
        """Stop the gateway. Its process can serve another one afterwards."""
        await self._close()
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if self._env or self._frozen:
                raise ValueError
            await process.ask(None)
            _idle.append(process)
        except (TimeoutError, ValueError, OSError):
            await asyncio.to_thread(process.kill)

    async def restart(self) -> None:
        """Kill the process and start a new one on the same ports."""
        await self.kill()
        await self.start()

    def freeze(self) -> None:
        """Suspend the process (SIGSTOP): its sockets stay open, but nothing answers."""
        self._frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume a suspended process."""
        self._frozen = False
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the gateway does not run"
        self._process.signal(number)

    def stderr(self) -> str:
        """Return the process's stderr, for failure messages."""
        return self._process.stderr() if self._process else ""


Start = Callable[..., Awaitable[OfficialGateway]]


@pytest_asyncio.fixture
async def official() -> AsyncIterator[Start]:
    """Return a function that starts official gateways; they are stopped after the test."""
    requires_node()
    running: list[OfficialGateway] = []

    async def start(**options: Any) -> OfficialGateway:
        gateway = OfficialGateway(**options)
        running.append(gateway)
        return await gateway.start()

    yield start
    for gateway in running:
        await gateway.stop()
