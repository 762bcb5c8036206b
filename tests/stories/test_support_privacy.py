"""Export, deletion and pruning of a person's data, without affecting others."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import yaml
from sqlmodel import col, func, select

from models.conversations import StoredMessage
from models.durable import Setting
from sandbox.world.model import Kind
from tests.command_line import Ended
from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.service import known, replies_to, service, staff_room, words
from tests.waiting import until
from tools import privacy

ROOT = Path(__file__).parents[2]


async def command(env: BotEnvironment, what: str, who: str) -> Ended:
    """Run the command line."""
    path = env.folder / "config.yaml"
    path.write_text(yaml.safe_dump({"database": f"sqlite:///{env.folder}/wxbot.db"}), encoding="utf-8")
    with redirect_stdout(StringIO()) as said, redirect_stderr(StringIO()) as complained:
        # in a thread, since it runs its own event loop
        code = await asyncio.to_thread(privacy.main, [what, "--config", str(path), env.id(who)])
    return Ended(code, said.getvalue(), complained.getvalue())


def test_missing_database_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("database: postgresql://wxbot:s3cret@127.0.0.1:1/db\n", encoding="utf-8")
    line = [sys.executable, "-m", "tools.privacy", "export", "--config", str(tmp_path / "config.yaml"), "wxid_1"]
    ended = subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.startswith("the database: connection failed")


def tables_containing(env: BotEnvironment, secret: str) -> list[str]:
    """Return the tables that contain a text."""
    with closing(sqlite3.connect(env.folder / "wxbot.db")) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [t for t in tables if any(secret in str(row) for row in connection.execute(f'SELECT * FROM "{t}"'))]


async def test_personal_data_is_exported_and_deleted(make_env: MakeEnv) -> None:
    env = await make_env(customer_service=service())
    room = staff_room(env)
    await known(env, room)
    await replies_to(env, "智多星", "我的号码是 SECRET-2")
    await replies_to(env, "黑旋风", "我的号码是 SECRET-1")
    env.say("黑旋风", "人工")
    await env.receives("宋公明", "SECRET-1", room)
    env.world.chats.send_media(env.id("黑旋风"), env.id("bot"), Kind.IMAGE, "id.png", b"\x89PNG SECRET")
    await until(lambda: "<image>" in words(env.seen("宋公明", room)), "the picture is relayed")
    env.say("店长", "#1 记录 NOTE-1", room)
    env.say("店长", "#1 收到 SECRET-1", room)
    await env.receives("黑旋风", "收到 SECRET-1")
    await env.receives("店长", "#1 由 店长 接待", room)

    refused = await command(env, "delete", "黑旋风")
    assert (refused.code, refused.stderr) == (1, f"ticket #1 of {env.id('黑旋风')} is not closed yet\n")
    env.say("店长", "#1 结束", room)
    await env.receives("店长", "已结束", room)
    await env.wait_idle()
    await env.stop_bot()

    exported = json.loads((await command(env, "export", "黑旋风")).stdout)
    texts = [row["text"] for row in exported["said"]]
    for part in ("我的号码是 SECRET-1", "人工", "id.png", "NOTE-1", "收到 SECRET-1"):
        assert part in texts
    assert exported["tickets"][0]["staff_name"] == "店长"
    assert any(event["text"] == "我的号码是 SECRET-1" for event in exported["events"])
    assert "SECRET-2" not in json.dumps(exported)

    (picture,) = [path for path in (env.folder / "media").glob("*/*") if path.is_file()]
    done = await command(env, "delete", "黑旋风")
    assert (done.code, done.stderr) == (0, "")
    assert not picture.exists()
    assert [tables_containing(env, secret) for secret in ("SECRET-1", "secret1", "NOTE-1")] == [[], [], []]
    assert set(tables_containing(env, "SECRET-2")) == {"inboxevent", "said"}
    assert tables_containing(env, "secret2") == ["faqmiss"]
    empty = json.loads((await command(env, "export", "黑旋风")).stdout)
    assert (empty["said"], empty["tickets"], empty["events"]) == ([], [], [])
    assert (await command(env, "delete", "黑旋风")).code == 0  # repeating finds nothing
    await env.start_bot()
    assert await replies_to(env, "黑旋风") == []


async def test_open_flow_is_deleted_after_its_end(make_env: MakeEnv) -> None:
    flow = {"name": "报修", "start": ["报修"], "allow": "everyone", "steps": [{"ask": {"phone": "电话？"}}] * 2}
    env = await make_env(flows=[flow])
    env.say("黑旋风", "报修")
    await env.receives("黑旋风", "电话？")
    env.say("黑旋风", "SECRET-1")
    await until(lambda: len(words(env.seen("黑旋风"))) == 2, "asked again")
    await env.wait_idle()
    refused = await command(env, "delete", "黑旋风")
    assert (refused.code, refused.stderr) == (1, f"flow 报修 of {env.id('黑旋风')} is not finished yet\n")
    env.say("黑旋风", "SECRET-2")
    await until(lambda: not env.bot.container.flow_runs.open_counts()["asking"], "over")
    await env.wait_idle()
    assert "flowrun" not in tables_containing(env, "SECRET")
    assert (await command(env, "delete", "黑旋风")).code == 0
    assert tables_containing(env, "SECRET") == []
    assert "flowrun" not in tables_containing(env, env.id("黑旋风"))


async def test_old_data_is_pruned(make_env: MakeEnv) -> None:
    env = await make_env(customer_service=service(), keep_days=10)
    await replies_to(env, "黑旋风", "今天天气真好")
    container = env.bot.container

    async def kept() -> int:
        return await container.store.read(lambda s: s.exec(select(func.count(col(StoredMessage.id)))).one())

    before = await kept()
    assert before >= 4  # both directions
    await container.pruning.run()
    await container.retention.run()
    assert await kept() == before
    env.ahead += 11 * 86400
    await container.store.write(lambda s: s.delete(s.get_one(Setting, "clock_trust")))  # the days have really passed
    await container.pruning.run()
    await container.retention.run()
    assert await kept() == 0
