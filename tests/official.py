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

import aiohttp
import pytest
import pytest_asyncio

HOME = Path(__file__).parent / "gateway"
CA_FILE = HOME / "node_modules/wechaty-puppet-service/dist/esm/src/auth/ca.js"
SERVER_NAME = "insecure"  # the name in the certificate that the package brings
START_SECONDS = 60.0
STOP_SECONDS = 10.0

Json = dict[str, Any]


class ControlError(Exception):
    """The gateway's control port refused a command."""


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


class OfficialGateway:
    """One gateway process and its control port. `port` stays the same over restarts.

    `state` is a file that keeps contacts, groups, messages and what was sent over a kill. `account` is the assistant's
    own contact. `env` adds to the process's environment, e.g. WECHATY_PUPPET_SERVICE_TLS_SERVER_CERT and _KEY.
    """

    def __init__(
        self,
        *,
        tls: bool = True,
        token: str = "insecure_test_token",
        state: Path | None = None,
        port: int = 0,
        account: Json | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self.tls = tls
        self.token = token
        self.state = state
        self.port = port
        self.control_port = 0
        self._account = account or {}
        self._env = env or {}
        self._folder: Path | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None

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
        self._session = aiohttp.ClientSession(f"http://127.0.0.1:{self.control_port}")
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
        if self._session is not None:
            await self._session.close()
            self._session = None
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

    # ---- the control port ----

    async def do(self, command: str, **arguments: Any) -> Any:
        """Gives any command of tests/gateway/control.mjs and returns its result. ControlError if it was refused.

        Commands that report an event take `emit=False` (the event is lost), `times=2` and `delay` (milliseconds).
        """
        assert self._session is not None, "the gateway does not run"
        async with self._session.post("/", json={"do": command, **arguments}) as response:
            answer = await response.json()
        if response.status != 200:
            raise ControlError(f"{command}: {answer['error']}")
        return answer["result"]

    async def status(self) -> Json:
        """Keys: self (the account's id), logged_in, connected (a client holds the event stream)."""
        status: Json = await self.do("status")
        return status

    async def wait_connected(self, seconds: float = 30.0) -> None:
        """Waits until a client holds the event stream."""
        await asyncio.wait_for(self.do("wait_connected"), seconds)

    async def set(self, **settings: Any) -> None:
        """Settings: direct_add_limit, capacity, echo, list_strangers, auto_login."""
        await self.do("set", **settings)

    async def contact(self, id: str, name: str | None = None, **fields: Any) -> Json:
        """Adds a contact (a friend unless friend=False) or changes one; fields: alias, weixin, friend, type, phone."""
        named = {} if name is None else {"name": name}
        row: Json = await self.do("contact", id=id, **named, **fields)
        return row

    async def friend_request(self, contact: str, hello: str = "", **how: Any) -> str:
        """A person asks to become a friend; returns the friendship's id."""
        row = await self.do("friend_request", contact=contact, hello=hello, **how)
        return str(row["id"])

    async def room(self, id: str, topic: str = "", members: list[str] | None = None, **fields: Any) -> Json:
        """Puts a group there (id ends with @chatroom) without an event; fields: owner, confirm, capacity, aliases."""
        people = {} if members is None else {"members": members}
        row: Json = await self.do("room", id=id, topic=topic, **people, **fields)
        return row

    async def rooms(self) -> list[Json]:
        """Every group, with keys id, topic, ownerId, memberIdList, announce, confirm."""
        return await self.table("rooms")

    async def table(self, name: str) -> list[Json]:
        """Rows of contacts, rooms, messages, friendships, invitations, room_invitations, tags."""
        rows: list[Json] = await self.do("get", table=name)
        return rows

    async def say(self, sender: str, text: str = "", *, room: str | None = None, **what: Any) -> str:
        """Somebody says something to the account, or in a group; returns the message's id.

        `what`: kind (text, image, file, card, url, mini_program, …), mentions (ids), file ({"name", "base64" | "url" |
        "buffer" | "path" | "stream" | "qrcode"}), url, mini, card, location, at (ms), id; emit, times, delay.
        """
        where = {} if room is None else {"room": room}
        row = await self.do("say", **{"from": sender}, text=text, **where, **what)
        return str(row["id"])

    async def burst(self, count: int, *, room: str | None = None, senders: list[str] | None = None) -> list[str]:
        """That many messages as fast as the stream takes them (text 「消息 N」); returns their ids."""
        chosen = {key: value for key, value in (("room", room), ("from", senders)) if value is not None}
        ids: list[str] = await self.do("burst", count=count, **chosen)
        return ids

    async def sent(self, conversation: str | None = None) -> list[Json]:
        """What the account has sent, in order.

        Keys: id, kind, conversation, text, mentions, delivered (False: to no friend), at (ms); of files name, size,
        sha256 or url; of others card, url, mini, forwarded, recalled.
        """
        return await self.wait_sent(0, conversation)

    async def wait_sent(self, count: int, conversation: str | None = None, seconds: float = 30.0) -> list[Json]:
        """Waits until the account has sent that many messages (to a conversation) and returns all of them."""
        where = {} if conversation is None else {"conversation": conversation}
        rows: list[Json] = await asyncio.wait_for(self.do("sent", count=count, **where), seconds)
        return rows

    async def calls(self, method: str | None = None) -> list[Json]:
        """The calls the gateway got since its start: method (e.g. roomCreate), args, at."""
        rows: list[Json] = await self.do("calls", **({} if method is None else {"method": method}))
        return rows

    async def fault(self, method: str, mode: str, **rule: Any) -> None:
        """Spoils calls of a method (RoomAdd, MessageSendText, …). Modes: throw, hang, lose, fail, late, ignore.

        `rule`: text and code (gRPC status) of throw and fail, ms of late, times (None: all), skip (good ones first).
        """
        await self.do("fault", method=method, mode=mode, **rule)

    async def clear_faults(self, method: str | None = None) -> None:
        """Ends the faults; calls that already hang go on hanging."""
        await self.do("clear_faults", **({} if method is None else {"method": method}))

    async def emit_raw(self, type: str | int, payload: Any = None, *, text: str | None = None, **how: Any) -> None:
        """Writes an event past the puppet: any type, any JSON value as payload, or any text that is not even JSON."""
        body = {"payload": payload} if text is None else {"text": text}
        await self.do("raw", type=type, **body, **how)


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
