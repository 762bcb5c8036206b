"""`python bot.py --config FILE`: start errors, each with one line and an exit code."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from socket import create_server
from typing import Any

import pytest

import bot
from app.lifecycle import Bot
from app.terminal import print_addresses
from config import load
from config.language import in_language
from tests.bot_config import write
from tests.bot_process import ROOT
from tests.command_line import RunBot, run_bot
from tests.ports import free_port
from tests.waiting import SECONDS

__all__ = ["run_bot"]


def refused(run_bot: RunBot, config: Path) -> tuple[int, str]:
    """Run the bot, which does not start; return its exit code and last line."""
    ended = run_bot("--config", config)
    return ended.code, ended.stderr.strip()


async def ends(config: Path) -> tuple[int, str]:
    """Run the bot; return its exit code and last line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "bot.py", "--config", str(config)), cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, said = await asyncio.wait_for(process.communicate(), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said.decode().strip()


@pytest.mark.parametrize(
    ("changes", "code", "line"),
    [
        ({"keep_days": "long"}, 2, "config: keep_days: 'long' is not valid: expected a number"),
        (
            {"jobs": [{"name": "dayly"}]},
            2,
            "config: jobs.1.name: 'dayly' is not valid: unknown job; allowed: expire",
        ),
        (
            {"jobs": [{"name": "prune", "cron": "at 4"}]},
            2,
            "config: jobs.1.cron: 'at 4' is not valid: expected five crontab fields",
        ),
        ({"database": "sqlite:////proc/none/wxbot.db"}, 2, "cannot start: /proc/none is not writable ("),
        ({"database": "postgresql://wxbot:s3cret@127.0.0.1:1/db"}, 1, "cannot start: the database: connection failed"),
    ],
)
def test_start_error_is_one_line(
    run_bot: RunBot, tmp_path: Path, changes: dict[str, Any], code: int, line: str
) -> None:
    status, said = refused(run_bot, write(tmp_path, **changes))
    assert said.startswith(line)
    assert (status, said.count("\n"), "s3cret" in said) == (code, 0, False)


def test_missing_config_is_named(run_bot: RunBot, tmp_path: Path) -> None:
    status, said = refused(run_bot, tmp_path / "nowhere.yaml")
    assert (status, said) == (2, f"配置：{tmp_path}/nowhere.yaml: 没有这个文件或文件夹")


def test_invalid_database_is_named(run_bot: RunBot, tmp_path: Path) -> None:
    (tmp_path / "wxbot.db").write_bytes(b"this is no database, however long it is " * 100)
    assert refused(run_bot, write(tmp_path)) == (2, "cannot start: the database: file is not a database")


@pytest.mark.parametrize("section", ["api", "sandbox"])
def test_address_in_use_is_named_with_its_key(run_bot: RunBot, tmp_path: Path, section: str) -> None:
    changes: dict[str, Any] = {"assistants": [{"account": "weimi1001"}], "systems": {}, "flows": []}
    ports = {"api": free_port(), "sandbox": free_port()}
    changes |= {name: {"port": port} for name, port in ports.items()}
    with create_server(("127.0.0.1", ports[section])):
        status, said = refused(run_bot, write(tmp_path, **changes))
    told = f"cannot start: {section}.port: another program uses 127.0.0.1:{ports[section]}"
    assert (status, said.splitlines()[-1]) == (1, told)
    assert "online" not in said, "nobody is logged in to WeChat before"
    assert in_language(told, "zh") == f"启动不了：{section}.port: 127.0.0.1:{ports[section]} 已被别的程序占用"


async def test_second_process_on_one_database_does_not_start(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    database = f"sqlite:///{tmp_path}/wxbot.db"
    config = write(first, database=database)
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "bot.py", "--config", str(config)), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert running.stdout is not None
        assert b"wxbot is running" in await asyncio.wait_for(running.stdout.readline(), SECONDS)
        line = f"cannot start: another wxbot (process {running.pid}) runs on the database {tmp_path}/wxbot.db"
        assert await ends(write(tmp_path, database=database)) == (1, line)
        assert running.returncode is None
    finally:
        running.kill()
        await running.wait()


async def test_process_that_restarted_itself_waits_for_the_database(tmp_path: Path) -> None:
    attempts: asyncio.Queue[None] = asyncio.Queue()

    def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        attempts.put_nowait(None)
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        config = write(tmp_path, database=f"postgresql://wxbot:s3cret@127.0.0.1:{port}/db")
        command = (sys.executable, "bot.py", "--config", str(config))
        running = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env={**os.environ, bot.RESTARTED: "1"}, stderr=asyncio.subprocess.PIPE
        )
        try:
            for _ in range(3):
                await asyncio.wait_for(attempts.get(), SECONDS)
            assert running.returncode is None
            running.terminate()
            _, said = await asyncio.wait_for(running.communicate(), SECONDS)
            assert await running.wait() == 0
            assert said.count(b"waiting for the database") == 1 and b"restarting" not in said, said
        finally:
            with suppress(ProcessLookupError):  # it has ended
                running.kill()
            await running.wait()


async def _starts(config: Path) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader]:
    command = (sys.executable, "bot.py", "--config", str(config))
    running = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert running.stdout is not None
    return running, running.stdout


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("zh", ("wxbot 已启动：", "还没有管理员：", "管理后台（", "api.public_url 还是 ", "weimi1001 不在线：连不上")),
        (
            "en",
            ("wxbot is running: ", "no admin yet: ", "the console (", "api.public_url is still ", "weimi1001 is not"),
        ),
    ],
)
async def test_warnings_are_printed_at_the_start(tmp_path: Path, language: str, lines: tuple[str, ...]) -> None:
    running, said = await _starts(write(tmp_path, language=language))
    try:
        for line in lines:
            assert (await asyncio.wait_for(said.readline(), SECONDS)).decode().startswith(line)
    finally:
        running.kill()
        await running.wait()


async def test_start_with_the_sandbox_tells_who_is_admin(tmp_path: Path) -> None:
    more: dict[str, Any] = {"systems": {}, "flows": [], "api": {"port": free_port()}, "sandbox": {"port": free_port()}}
    running, said = await _starts(write(tmp_path, language="zh", assistants=[{"account": "weimi1001"}], **more))
    lines: list[str] = []
    try:
        while not lines or not lines[-1].startswith("管理后台（"):
            lines.append((await asyncio.wait_for(said.readline(), SECONDS)).decode())
            assert lines[-1], "it has not ended"
    finally:
        running.kill()
        await running.wait()
    assert lines[0].startswith("wxbot 已启动，用的是沙箱微信")
    assert [line for line in lines if line.startswith(("沙箱里店长已是管理员", "还没有管理员"))] == lines[-2:-1]
    assert lines[-2].startswith("沙箱里店长已是管理员")
    assert not [line for line in lines if "流程要调用的业务系统" in line], "there are none"


async def test_stand_ins_listen_where_the_flows_call_them(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    systems = {name: {"base_url": url} for name, url in zip(("yunmall", "hipos"), urls, strict=True)}
    config = write(tmp_path, assistants=[{"account": "weimi1001"}], sandbox={"port": 0}, systems=systems)
    bot = Bot(load(config))
    await bot.start()
    try:
        assert f"also:  {' '.join(urls)}  the business systems" in print_addresses(bot)
    finally:
        await bot.stop()


def test_database_of_another_program_is_not_touched(run_bot: RunBot, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "wxbot.db") as other:
        other.execute("CREATE TABLE invoice (id)")
    other.close()
    before = (tmp_path / "wxbot.db").read_bytes()
    line = "cannot start: the database: it contains tables of another program (invoice, …)"
    assert refused(run_bot, write(tmp_path)) == (2, line)
    assert (tmp_path / "wxbot.db").read_bytes()[100:] == before[100:]


def test_database_of_a_newer_version_is_not_touched(run_bot: RunBot, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "wxbot.db") as newer:
        newer.execute("CREATE TABLE inboxevent (id)")
        newer.execute("CREATE TABLE alembic_version (version_num)")
        newer.execute("INSERT INTO alembic_version VALUES ('9999')")
    newer.close()
    status, said = refused(run_bot, write(tmp_path, language="zh"))
    assert (status, said) == (2, "启动不了：数据库：它被更新版本的 wxbot 用过（表的版本是 9999），请安装那个版本")


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
async def test_read_only_folder_is_named() -> None:
    tmp_path = Path(tempfile.mkdtemp(prefix="wxbot-"))  # accessible to the other user, unlike pytest's folders
    folder = tmp_path / "shut"
    folder.mkdir()
    config = write(tmp_path, database=f"sqlite:///{folder}/wxbot.db")
    folder.chmod(0o555)
    tmp_path.chmod(0o755)  # noqa: ASYNC240
    drop = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all")
    prefix = drop if os.geteuid() == 0 else ()
    process = await asyncio.create_subprocess_exec(
        *(*prefix, sys.executable, "bot.py", "--config", str(config)), cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 2
    assert said.decode().strip().startswith(f"cannot start: {folder} is not writable (Permission denied)")
    assert said.count(b"\n") == 1
