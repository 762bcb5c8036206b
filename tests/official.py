"""The official Wechaty gateway as a part of a test: a node process, steered over a small HTTP control port.

The gateway is `wechaty-puppet-service` itself, over a WeChat whose people and groups the test plays (tests/gateway/).
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

__all__ = ["ControlError", "Json", "OfficialGateway", "Start", "ca_certificate", "official", "requires_node"]

HOME = Path(__file__).parent / "gateway"
CA_FILE = HOME / "node_modules/wechaty-puppet-service/dist/esm/src/auth/ca.js"
SERVER_NAME = "insecure"  # the name in the certificate that the package brings
START_SECONDS = 60.0
STOP_SECONDS = 10.0


def requires_node() -> None:
    """Skips the test where Node.js or the gateway's packages are missing; with CI set, that is a failure."""
    missing = "node" if shutil.which("node") is None else "tests/gateway/node_modules" if not CA_FILE.exists() else ""
    if not missing:
        return
    reason = f"the official gateway needs {missing} (install Node.js 20 or newer, then `make test`)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def ca_certificate() -> str:
    """The PEM text of the authority behind the gateway's own certificate."""
    text = CA_FILE.read_text()
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    return text[text.index(begin) : text.index(end) + len(end)] + "\n"


class OfficialGateway(Control):
    """One gateway process and its control port. `port` stays the same over restarts.

    `state` is a file that keeps contacts, groups, messages and what was sent over a kill. `account` is the assistant's
    own contact. `env` adds to the process's environment, e.g. WECHATY_PUPPET_SERVICE_TLS_SERVER_CERT and _KEY.
    """

    def __init__(
        self,
        *,
        tls: bool = True,
        token: str = "insecure_testtoken",  # what stands before the last _ is the TLS server name clients expect
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
        """The host:port that a client is given."""
        return f"127.0.0.1:{self.port}"

    # ---- the process ----

    async def start(self) -> Self:
        """Starts the process and waits until it serves. RuntimeError with its last words if it does not."""
        self._folder = self._folder or Path(tempfile.mkdtemp(prefix="official-gateway-"))
        with (self._folder / "stderr").open("ab") as stderr:
            self._process = await asyncio.create_subprocess_exec(
                "node",
                str(HOME / "gateway.mjs"),
                cwd=self._folder,
                env=self._environment(self._folder),
                stdin=asyncio.subprocess.PIPE,  # the gateway ends when this does
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
            )
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), START_SECONDS)
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
        """kill -9."""
        await self._close()
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.wait_for(self._process.communicate(), STOP_SECONDS)
        self._process = None

    async def stop(self) -> None:
        """Ends the process and removes its files; the state file stays."""
        await self.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def restart(self) -> None:
        """kill -9, then a new process on the same ports."""
        await self.kill()
        await self.start()

    def freeze(self) -> None:
        """Stops the process where it stands (SIGSTOP): its sockets stay open, nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen process go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the gateway does not run"
        self._process.send_signal(number)

    def stderr(self) -> str:
        """What the process wrote to its standard error, for failure messages."""
        file = self._folder / "stderr" if self._folder else None
        return file.read_text(errors="replace")[-4000:] if file and file.exists() else ""


Start = Callable[..., Awaitable[OfficialGateway]]


@pytest_asyncio.fixture
async def official() -> AsyncIterator[Start]:
    """A function that starts official gateways; all of them end with the test."""
    requires_node()
    running: list[OfficialGateway] = []

    async def start(**options: Any) -> OfficialGateway:
        gateway = OfficialGateway(**options)
        running.append(gateway)
        return await gateway.start()

    yield start
    for gateway in running:
        await gateway.stop()
