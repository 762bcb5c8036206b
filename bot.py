"""wxbot: reads the config, builds the parts, starts them in order and stops them in reverse."""

from __future__ import annotations

import gc
import os
import signal

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # until `run` listens there is nothing to finish
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nor anything to reload
    gc.disable()  # until the start is done: what it makes stays, and looking at it again and again is a tenth of it

import argparse
import asyncio
import json
import logging
import sys
import threading
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

from app.lifecycle import Bot
from app.reload import check
from config import Config, ConfigError, load
from logs import set_up_logging
from models.instance_lock import DatabaseInUse

log = logging.getLogger("wxbot")
VERSION = "1.0.0"
LIMIT = 9.5  # seconds until the process ends in any case, of the ten that it may take


async def run(config: Config, source: Callable[[], Config] | None = None) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reads the config again from its source."""
    bot = Bot(config, source=source)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, bot.stopping.set)
    if not await _started(bot):
        return
    _listen_for_reload(bot)
    gc.enable()
    gc.freeze()  # what is there now stays: the collector need not look at it again and again
    print(_where_to_look(bot), flush=True)
    if bot.container.admins.code:  # on the terminal only: a log may be read by others
        print(f"no admin yet: send “绑定 {bot.container.admins.code}” to the assistant to become one", flush=True)
    await bot.stopping.wait()
    log.info("stopping")
    _end_within(LIMIT)
    try:
        await bot.stop()
    except Exception:  # a full disk, or a database that has gone
        log.exception("not everything could be finished; what is stored goes on at the next start")
    if bot.database_lost:
        raise DatabaseInUse("another wxbot has taken the database")


def _listen_for_reload(bot: Bot) -> None:
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = asyncio.create_task(bot.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)


def _end_within(seconds: float) -> None:
    """End the process then, whatever hangs: a database that does not answer must not keep it for ever."""

    def end() -> None:
        log.error("not everything could be finished in time; what is stored goes on at the next start")
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


async def _started(bot: Bot) -> bool:
    """Start it; False when it was told to stop before it was up."""
    starting, told = asyncio.create_task(bot.start()), asyncio.create_task(bot.stopping.wait())
    await asyncio.wait((starting, told), return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not starting.done():
        _end_within(LIMIT)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return False
    await starting
    return True


def _where_to_look(bot: Bot) -> str:
    """Where to look and what to try, in five lines."""
    url = bot.config.api.public_url
    if bot.sandbox is None:
        return f"wxbot is up: {url}, documented at {url}/docs, state at {url}/readyz"
    account = bot.config.assistants[0].account
    body = json.dumps({"code": "1001", "owner": "宋公明", "assistant": account}, ensure_ascii=False)
    stand_ins = " ".join(bot.systems.urls.values()) if bot.systems else "none"
    return "\n".join(
        (
            f"wxbot is up, with a sandbox WeChat: no real account is touched. Documentation: {url}/docs",
            f"  look:  {bot.sandbox.url}  the sandbox WeChat; be 店长 and say /帮助, or 商户设置, to {account}",
            f"  try:   curl {url}/wxbot/qun -d '{body}'",
            "  then:  open the url it answers with, and be 九纹龙 who adds the assistant with the token shown there",
            f"  also:  {stand_ins}  the business systems that the flows call",
        )
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="wxbot", description="微信智能服务助手")
    parser.add_argument("--config", default="config.yaml", help="the configuration file (default: config.yaml)")
    parser.add_argument("--check", action="store_true", help="check the configuration, say so in one line, and end")
    parser.add_argument("--version", action="version", version=f"wxbot {VERSION}")
    arguments = parser.parse_args()
    try:
        config = load(arguments.config)
        if arguments.check:
            check(config)
            print(f"{arguments.config}: ok")
            return 0
    except ConfigError as error:
        print(f"config: {error}", file=sys.stderr)
        return 2
    set_up_logging(config.log_format)
    try:
        asyncio.run(run(config, lambda: load(arguments.config)))
    except ConfigError as error:  # a file that the config names
        print(f"config: {error}", file=sys.stderr)
        return 2
    except (OSError, DatabaseInUse) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 1
    except DBAPIError as error:
        print(f"cannot start: the database: {' '.join(str(error.orig).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
