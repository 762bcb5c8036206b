"""The official Wechaty gateway as a test fixture: a node process controlled over a small HTTP port.

The gateway is `wechaty-puppet-service` itself, over a WeChat whose people and groups the test controls
(tests/gateway/).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import pytest
import pytest_asyncio

from tests.official_control import Control, ControlError, Json
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


class OfficialGateway(Control):
    """A gateway process with its control port.

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
        self.port = port
        self.control_port = 0
        self._account = account or {}
        self._env = env or {}
        self._folder: Path | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def endpoint(self) -> str:
        """host:port for clients."""
        return f"127.0.0.1:{self.port}"

    # ---- process ----

    async def start(self) -> Self:
        """Start the process and wait until it serves; raise RuntimeError with its last output if it does not."""
        self._folder = self._folder or Path(tempfile.mkdtemp(prefix="official-gateway-"))
        with (self._folder / "stderr").open("ab") as stderr:
            self._process = await asyncio.create_subprocess_exec(
                "node",
                str(HOME / "gateway.mjs"),
                cwd=self._folder,
                env=self._environment(self._folder),
                stdin=asyncio.subprocess.PIPE,  # the gateway ends when stdin is closed
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
            )
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), SECONDS)
            ready = json.loads(line)
        except (TimeoutError, ValueError) as error:
            await self.kill()
            raise RuntimeError(f"the official gateway did not start:\n{self.stderr()}") from error
        self.port, self.control_port = ready["port"], ready["control"]
        self._open(self.control_port)
        return self

    def _environment(self, folder: Path) -> dict[str, str]:
        names = {
            "GATEWAY_TOKEN": self.token,
            "GATEWAY_TLS": "1" if self.tls else "0",
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_CONTROL_PORT": str(self.control_port),
            "GATEWAY_STATE": str(self.state or ""),
            "GATEWAY_SELF": json.dumps(self._account),
            "WECHATY_LOG": "warn",
            "HOME": str(folder),
            "TMPDIR": str(folder),
        }
        return {"PATH": os.environ["PATH"], **names, **self._env}

    async def kill(self) -> None:
        """Kill the process with SIGKILL."""
        await self._close()
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.wait_for(self._process.communicate(), SECONDS)
        self._process = None

    async def stop(self) -> None:
        """End the process and remove its files, except the state file."""
        await self.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def restart(self) -> None:
        """Kill the process and start a new one on the same ports."""
        await self.kill()
        await self.start()

    def freeze(self) -> None:
        """Suspend the process (SIGSTOP): its sockets stay open, but nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume a suspended process."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the gateway does not run"
        self._process.send_signal(number)

    def stderr(self) -> str:
        """Return the process's stderr, for failure messages."""
        file = self._folder / "stderr" if self._folder else None
        return file.read_text(errors="replace")[-4000:] if file and file.exists() else ""


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
