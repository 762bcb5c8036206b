"""Entry point of wxbot: read the config, start the bot, stop it on SIGTERM."""

from __future__ import annotations

import gc
import os
import signal

from file_modes import make_files_private

if __name__ == "__main__":
    make_files_private()
    # until `run` installs its handlers, there is nothing to clean up and nothing to reload
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    gc.disable()  # collection during the start costs a tenth of it and frees nothing; `run` enables it again

import argparse
import asyncio
import logging
import sys
import threading
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

import event_loop
from app import terminal
from app.check import check
from app.lifecycle import Bot
from app.service_manager import ServiceManager
from config import Config, ConfigError, load
from config.advice import advice
from config.language import language_of
from jobs import JOBS
from jobs.scheduler import check_times
from logs import set_up_logging
from models.db import is_away
from models.fence import Fenced
from models.instance_lock import DatabaseInUse, DatabaseLost
from models.reachable import wait_until_reachable
from models.schema import UnusableDatabase
from version import VERSION

log = logging.getLogger("wxbot")
REPORT_DELAY = 5.0  # seconds until the accounts that are still offline are reported
RESTARTED = "_WXBOT_RESTARTED"  # in the environment of a process that has replaced itself
RESTART_PAUSE = 1.0  # seconds between attempts of such a process to reach the database
LIMIT = 9.5  # seconds until the process exits in any case; SIGTERM allows 10


async def run(config: Config, source: Callable[[], Config] | None = None) -> bool:
    """Run until SIGTERM or SIGINT; SIGHUP reloads the config from its source.

    Return whether to start again: other processes have removed this member, so its data in memory is outdated.
    """
    bot = Bot(config, source=source)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, bot.stopping.set)
    try:
        if not await _started(bot):
            return False
    except Fenced:
        log.warning("the cluster declared this process dead while it started")
        return True
    _listen_for_reload(bot)
    gc.enable()
    gc.freeze()  # exclude the objects of the start from later collections
    manager = ServiceManager()
    manager.ready()
    await _report_until_stopping(bot, manager)
    log.info("stopping")
    manager.stopping()
    _end_within(LIMIT, bot)
    try:
        await bot.stop()
    except Exception:  # e.g. a full disk or a lost database connection
        log.exception("some work could not be finished; it continues at the next start")
    if bot.database_lost:
        raise DatabaseLost(bot.database_lost)
    return bot.starts_again


async def _report_until_stopping(bot: Bot, manager: ServiceManager) -> None:
    """Report to the terminal and the service manager until the bot is asked to stop."""
    print(terminal.print_addresses(bot), flush=True)
    reports = (
        manager.keep_alive(),
        _print_first_steps(bot),
        terminal.report_accounts(bot, REPORT_DELAY),
        terminal.show_login_codes(bot),
    )
    tasks = [asyncio.create_task(report) for report in reports]
    await bot.stopping.wait()
    for task in tasks:
        task.cancel()


async def _print_first_steps(bot: Bot) -> None:
    """Print how to become an admin and to log in while there is none, and advice about the config."""
    if code := await bot.container.admins.code_to_show(REPORT_DELAY):  # not logged: others may be able to read the log
        text_name = (
            "sandbox_admin" if all(assistant.is_sandboxed for assistant in bot.config.assistants) else "no_admin"
        )
        line = "unseen_admin" if bot.container.accounts.has_admin else text_name
        print(terminal.text(line, bot.config.language, code=code), flush=True)
    if secret := await bot.container.console_sessions.terminal_link():
        url = bot.config.api.public_url
        print(terminal.text("console_first", bot.config.language, url=url, secret=secret), flush=True)
    for warning in advice(bot.config).values():
        print(warning, flush=True)


def _listen_for_reload(bot: Bot) -> None:
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = asyncio.create_task(bot.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)


def _end_within(seconds: float, bot: Bot) -> None:
    """Exit the process after `seconds` even if something hangs, such as a database that does not answer."""

    def end() -> None:
        log.error("some work could not be finished in time; it continues at the next start")
        if bot.starts_again:
            _restart_process()
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


async def _started(bot: Bot) -> bool:
    """Start the bot; return False if it was asked to stop before it was up."""
    starting, stopping = asyncio.create_task(bot.start()), asyncio.create_task(bot.stopping.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        _end_within(LIMIT, bot)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return False
    await starting
    return True


def _restart_process() -> None:
    """Replace the process by a new one with the same id, so that supervisors do not notice."""
    log.warning("restarting as a new member of the cluster")
    logging.shutdown()
    os.environ[RESTARTED] = "1"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _run_until_stopped(config: Config, source: Callable[[], Config]) -> None:
    try:
        starts_again = event_loop.run(run(config, source))
    except DBAPIError as error:
        if RESTARTED not in os.environ or not is_away(error):
            raise
        log.warning("waiting for the database")  # this process was running, and other processes wait for it, too
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        wait_until_reachable(config.database, RESTART_PAUSE)
        starts_again = True
    if starts_again:
        _restart_process()


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="wxbot", description="微信智能服务助手")
    parser.add_argument("--config", default="config.yaml", help="the configuration file (default: config.yaml)")
    parser.add_argument("--check", action="store_true", help="check the configuration and exit")
    parser.add_argument("--version", action="version", version=f"wxbot {VERSION}")
    return parser.parse_args()


def main() -> int:
    """Run the command line and return the exit code."""
    arguments = _parse_arguments()
    terminal.accept_any_encoding()
    language = language_of(arguments.config)
    try:
        config = load(arguments.config)
        if arguments.check:
            check(config)
            check_times(JOBS, config)
            terminal.print_checked(arguments.config, advice(config), language)
            return 0
        set_up_logging(config.log_format)
        _run_until_stopped(config, lambda: load(arguments.config))
    except ConfigError as error:  # including errors of a file named in the config
        terminal.print_error(f"config: {error}", language)
        return 2
    except UnusableDatabase as error:
        terminal.print_error(f"cannot start: the database: {error}", language)
        return 2
    except DatabaseLost as error:
        terminal.print_error(f"stopped: {error}", language)
        return 1
    except DatabaseInUse as error:
        terminal.print_error(f"cannot start: {error}", language)
        return 1
    except OSError as error:
        return terminal.cannot_open(error, language)
    except DBAPIError as error:
        return terminal.database_failed(error, language)
    return 0


if __name__ == "__main__":
    sys.exit(main())
