"""deploy/gateway: the starter of the official PuppetServer, with the mock puppet."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.ports import free_port
from tests.waiting import SECONDS, until
from tests.wechat.recording_listener import QUICK, RecordedAccount, RecordingListener, settings
from wechat.assistant import Assistant
from wechat.interface import State

pytestmark = pytest.mark.gateway

HOME = Path(__file__).parents[2] / "deploy/gateway"
TOKEN = "insecure_5cfb4a27-9e21-4c65-8a7f"
# An account of the mock puppet that waits for a scan, and logs in when the file SCANNED exists.
ACCOUNT = """
import {{ existsSync }} from 'node:fs'
import {{ PuppetMock }} from '{mock}'
export default class extends PuppetMock {{
  async onStart () {{
    await super.onStart()
    setTimeout(() => this.emit('scan', {{ qrcode: 'https://login.example/code-1', status: 2 }}), 50)
    const timer = setInterval(() => {{
      if (!existsSync(process.env.SCANNED)) return
      clearInterval(timer)
      this.mocker.login(this.mocker.createContact({{ id: 'wxid_bot', name: '小微' }}))
    }}, 50)
  }}
}}
"""
# Records every outgoing connection and name lookup of the gateway.
WATCH = """
import dns from 'node:dns'
import { appendFileSync } from 'node:fs'
import net from 'node:net'
const note = (what) => appendFileSync(process.env.WATCHED, what + '\\n')
const { connect } = net.Socket.prototype
net.Socket.prototype.connect = function (...args) {
  note('connect ' + JSON.stringify(args[0]))
  return connect.apply(this, args)
}
const { lookup } = dns
dns.lookup = function (name, ...rest) { note('lookup ' + name); return lookup.call(this, name, ...rest) }
dns.lookup('localhost', () => {}) // shows that it notes
"""

# Saves files and prints how much of each is there when its id is given out.
SAVE_FILES = """
import { statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { UniformResourceNameRegistry } from 'file-box'
import { writeFilesCompletely } from './file_ids.mjs'
writeFilesCompletely()
const registry = new UniformResourceNameRegistry()
await registry.init()
for (const size of [100, 300_000, 100, 300_000]) {
  const id = await registry.save(Readable.from([Buffer.alloc(size)]))
  console.log(statSync(registry.uuidFileName(id)).size)
}
registry.destroy()
"""

Launch = Callable[..., Awaitable["Gateway"]]


class Gateway:
    """A running gateway process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.environment: dict[str, str] = {}
        self.process: asyncio.subprocess.Process

    async def start(self, **environment: str) -> None:
        usual = {"WECHATY_PUPPET": "wechaty-puppet-mock", "WECHATY_TOKEN": TOKEN, "PORT": str(self.port)}
        home = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        self.environment = {name: value for name, value in (home | usual | environment).items() if value}
        with (self.folder / "log").open("wb") as log:
            command = ("node", str(HOME / "gateway.mjs"))
            self.process = await asyncio.create_subprocess_exec(
                *command, cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )

    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def listens(self) -> None:
        """Wait until it reports that it is listening."""
        await until(lambda: "listens on" in self.log() or self.process.returncode is not None, within=SECONDS)
        assert self.process.returncode is None, self.log()

    async def healthy(self) -> bool:
        """Return the result of the container's health check."""
        check = await asyncio.create_subprocess_exec("node", str(HOME / "health.mjs"), env=self.environment)
        return await asyncio.wait_for(check.wait(), SECONDS) == 0

    async def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


@pytest_asyncio.fixture
async def launch(tmp_path: Path) -> AsyncIterator[Launch]:
    """Return a function that starts gateways; they are stopped after the test."""
    missing = not shutil.which("node") or not (HOME / "node_modules/wechaty-puppet-service").exists()
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs Node.js and `npm ci` in deploy/gateway")
    running: list[Gateway] = []

    async def start(**environment: str) -> Gateway:
        gateway = Gateway(tmp_path)
        await gateway.start(**environment)
        running.append(gateway)
        return gateway

    yield start
    for gateway in running:
        await gateway.end()


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Callable[..., Awaitable[RecordedAccount]]]:
    running: list[Assistant] = []

    async def start(gateway: Gateway, token: str = TOKEN) -> RecordedAccount:
        listener = RecordingListener()
        assistant = Assistant(settings(f"127.0.0.1:{gateway.port}", token), listener, QUICK)
        running.append(assistant)
        await assistant.start()
        return RecordedAccount(assistant, listener)

    yield start
    for assistant in running:
        await assistant.stop()


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """The module of an account that waits for its scan."""
    module = tmp_path / "account.mjs"
    mock = (HOME / "node_modules/wechaty-puppet-mock/dist/esm/src/mod.js").as_uri()
    module.write_text(ACCOUNT.format(mock=mock))
    return module


async def test_wxbot_connects_through_the_gateway(
    launch: Launch, connect: Callable[..., Awaitable[RecordedAccount]], account: Path
) -> None:
    scanned = account.with_name("scanned")
    gateway = await launch(WECHATY_PUPPET=str(account), SCANNED=str(scanned))
    await until(lambda: "the puppet is started" in gateway.log(), within=SECONDS)
    await asyncio.sleep(0.5)  # the scan is requested before a client is connected
    received = await connect(gateway)
    await received.listener.state(State.LOGGED_OUT)
    await until(lambda: "code-1" in received.assistant.qr_code)  # and is told to who comes later
    scanned.touch()
    await received.online()
    assert received.assistant.self_id == "wxid_bot"


async def test_only_its_own_token_is_accepted_and_none_is_logged(
    launch: Launch, connect: Callable[..., Awaitable[RecordedAccount]]
) -> None:
    gateway = await launch(WECHATY_LOG="silly", WECHATY_PUPPET_PADLOCAL_TOKEN="puppet_padlocal_secret")
    await gateway.listens()
    received = await connect(gateway, "insecure_somebody-else")
    await received.listener.state(State.REFUSED)
    received = await connect(gateway)
    await received.listener.state(State.LOGGED_OUT)
    log = gateway.log()
    assert len(log.splitlines()) > 100  # long enough to contain the token if it were logged
    assert TOKEN not in log
    assert "***" in log


async def test_secrets_are_read_from_files(
    launch: Launch, connect: Callable[..., Awaitable[RecordedAccount]], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    gateway = await launch(WECHATY_TOKEN="", WECHATY_TOKEN_FILE=str(tmp_path / "token"))
    await gateway.listens()
    received = await connect(gateway)
    await received.listener.state(State.LOGGED_OUT)


async def test_no_outgoing_connections(
    launch: Launch, connect: Callable[..., Awaitable[RecordedAccount]], tmp_path: Path
) -> None:
    (tmp_path / "watch.mjs").write_text(WATCH)
    watched = tmp_path / "watched"
    watched.touch()
    gateway = await launch(NODE_OPTIONS=f"--import={(tmp_path / 'watch.mjs').as_uri()}", WATCHED=str(watched))
    await gateway.listens()
    received = await connect(gateway)
    await received.listener.state(State.LOGGED_OUT)
    await asyncio.sleep(1)
    lines = watched.read_text().splitlines()
    assert "lookup localhost" in lines
    assert [line for line in lines if not re.search(r'lookup (localhost|0\.0\.0\.0)$|"path":"?/', line)] == []


async def test_health_check_follows_responses(launch: Launch) -> None:
    gateway = await launch()
    await gateway.listens()
    assert await gateway.healthy()
    gateway.process.send_signal(signal.SIGSTOP)
    assert not await gateway.healthy()
    gateway.process.send_signal(signal.SIGCONT)
    gateway.process.terminate()
    assert await asyncio.wait_for(gateway.process.wait(), SECONDS) == 0
    assert not await gateway.healthy()


async def test_gateway_serves_plaintext_if_configured(launch: Launch) -> None:
    gateway = await launch(WECHATY_PUPPET_SERVICE_NO_TLS_INSECURE_SERVER="true")
    await gateway.listens()
    assert await gateway.healthy()


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"WECHATY_PUPPET": ""}, "WECHATY_PUPPET is not set"),
        ({"WECHATY_TOKEN": ""}, "WECHATY_TOKEN is not set"),
        ({"PORT": "http"}, "PORT is not a port number"),
        ({"KEEPALIVE": "0"}, "KEEPALIVE is not a number of seconds from 1 to 3600"),
        ({"KEEPALIVE": "10s"}, "KEEPALIVE is not a number of seconds from 1 to 3600"),
        ({"WECHATY_PUPPET": "wechaty-puppet-nobody"}, "Cannot find package 'wechaty-puppet-nobody'"),
        ({"WECHATY_PUPPET": "wechaty-puppet"}, "wechaty-puppet exports no puppet"),
    ],
)
async def test_config_error_is_one_line(launch: Launch, environment: dict[str, str], says: str) -> None:
    gateway = await launch(**environment)
    assert await asyncio.wait_for(gateway.process.wait(), SECONDS) == 2
    (line,) = gateway.log().splitlines()
    assert line.startswith("gateway: ")
    assert says in line


async def test_id_of_a_file_is_given_out_when_it_is_written(launch: Launch) -> None:
    command = ("node", "--input-type=module", "--eval", SAVE_FILES)
    process = await asyncio.create_subprocess_exec(*command, cwd=HOME, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    assert output.split() == [b"100", b"300000", b"100", b"300000"]


def test_lock_file_matches_package_json() -> None:
    package = json.loads((HOME / "package.json").read_text())
    lock = json.loads((HOME / "package-lock.json").read_text())
    assert lock["packages"][""]["dependencies"] == package["dependencies"]
    for name, version in package["dependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} is not pinned"
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    assert all("integrity" in package or package.get("link") for path, package in lock["packages"].items() if path)
