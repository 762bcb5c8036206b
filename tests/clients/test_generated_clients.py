"""Clients created by common generators from the OpenAPI document compile and work."""

from __future__ import annotations

import asyncio
import compileall
import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from api.operations import OPERATIONS
from models.support import Ticket, TicketState
from tests.api.conftest import ApiServer, StartServer, start_server
from tests.bot_process import ROOT
from tests.clients.calls import CALLS

__all__ = ["start_server"]
SECONDS = 120


def needs(there: bool, what: str) -> None:
    """Skip if a generator is not available; fail with CI set."""
    if not there:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {what}")


def test_every_operation_is_called() -> None:
    """All but the encrypted callbacks of 企业微信."""
    wanted = [operation for operation in OPERATIONS if not operation.path.startswith("/wecom/")]
    assert {call.name for call in CALLS} == {operation.name for operation in wanted}
    script = (Path(__file__).parent / "every_call.ts").read_text(encoding="utf-8")
    assert [
        operation.name for operation in wanted if f"client.{operation.method.upper()}('{operation.path}'" not in script
    ] == []


async def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a program and return its output; fail with that on error."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 0, said.decode()[-3000:]
    return said.decode()


async def prepared(start_server: StartServer, folder: Path) -> tuple[ApiServer, Path, list[str]]:
    """A running API, its document in a file, and values for the calls."""
    server = await start_server(api={"keys": ["key-0123456789abc"]})
    headers = {"Authorization": "Bearer key-0123456789abc"}
    body = {"code": "a", "owner": "宋公明", "assistant": "weimi1001"}
    ticket = Ticket(account="weimi1001", contact_id="wxid_hei", state=TicketState.OPEN, opened_at=1, last_at=1)
    await server.container.store.write(lambda s: s.add(ticket))
    await server.call("POST", "/wxbot/qun", json=body, headers=headers)
    qun = (await server.call("GET", "/wxbot/qun", params={"code": "a"}, headers=headers))[1]["qun"]
    message = {"assistant": "weimi1001", "to": "黑旋风", "text": "好"}
    sent = (await server.call("POST", "/wxbot/message", json=message, headers=headers))[1]["message"]
    file = folder / "openapi.json"
    file.write_bytes(await _raw(server))
    return server, file, [qun["token"], qun["url"].rpartition("/")[2], str(sent["id"])]


async def _raw(server: ApiServer) -> bytes:
    async with server.http.get(f"{server.url}/openapi.json") as response:
        return await response.read()


async def test_openapi_python_client_works(start_server: StartServer, tmp_path: Path) -> None:
    needs(importlib.util.find_spec("openapi_python_client") is not None, "openapi-python-client")
    server, file, known = await prepared(start_server, tmp_path)
    made = tmp_path / "client"
    program = "from openapi_python_client.cli import app; app()"
    said = await run(
        sys.executable, "-c", program, "generate", "--path", file, "--output-path", made, "--meta", "none"
    )  # fmt: skip
    assert "WARNING parsing" not in said
    assert "Unable to" not in said
    assert compileall.compile_dir(made, quiet=1)
    await run(sys.executable, "-m", "tests.clients.call_with_python_client", tmp_path, server.url, *known)


async def test_openapi_generator_client_works(start_server: StartServer, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("openapi-generator-cli")
    needs(program.exists() and shutil.which("java") is not None, "openapi-generator-cli and Java")
    server, file, known = await prepared(start_server, tmp_path)
    said = await run(program, "generate", "-i", file, "-g", "python", "-o", tmp_path / "made")
    assert "Duplicate file path" not in said
    assert compileall.compile_dir(tmp_path / "made" / "openapi_client", quiet=1)
    await run(sys.executable, "-m", "tests.clients.call_with_generator", tmp_path / "made", server.url, *known)


async def test_openapi_typescript_compiles(start_server: StartServer, tmp_path: Path) -> None:
    modules = Path(__file__).parent / "node_modules"
    needs(modules.exists() and shutil.which("node") is not None, "Node.js and `npm ci` in tests/clients")
    server, file, known = await prepared(start_server, tmp_path)
    (tmp_path / "node_modules").symlink_to(modules)
    await run(modules / ".bin" / "openapi-typescript", file, "-o", tmp_path / "api.d.ts")
    shutil.copy(Path(__file__).parent / "every_call.ts", tmp_path)
    options = {"strict": True, "target": "es2022", "module": "nodenext", "skipLibCheck": True, "types": []}
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["every_call.ts"]}))
    (tmp_path / "package.json").write_text('{"type": "module"}')
    await run(modules / ".bin" / "tsc", cwd=tmp_path)
    await run("node", "every_call.js", server.url, *known, cwd=tmp_path)
