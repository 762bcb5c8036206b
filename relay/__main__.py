"""Command line of the relay: python -m relay --config relay.yaml."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import event_loop
from file_modes import make_files_private
from relay.config import RelayConfig, load
from relay.journal import JournalError
from relay.language import translated
from relay.lock import acquire
from relay.metrics import serve_metrics
from relay.relay import Relay
from relay.server import bound
from yaml_file import ConfigError


class RelayJsonFormatter(logging.Formatter):
    """Format records as one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        facts = {"time": self.formatTime(record), "level": record.levelname, "logger": record.name}
        return json.dumps(facts | {"message": record.getMessage()}, ensure_ascii=False)


async def run(config: RelayConfig) -> None:
    """Serve until SIGTERM or SIGINT; raise OSError or JournalError if something cannot be opened."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        relays = [Relay(settings, config.data) for settings in config.relays]
        if config.metrics:
            await bound(lambda: serve_metrics(config.metrics, relays))
        for relay in relays:
            stack.push_async_callback(relay.stop)
            await relay.start()
        gc.freeze()  # objects created so far live until the exit, so garbage collections can skip them
        print("relay: ready", flush=True)
        tasks = [asyncio.ensure_future(stopping.wait()), *(asyncio.ensure_future(relay.failed()) for relay in relays)]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        for wait in done:
            wait.result()


def main() -> int:
    """Run the command line. Exit status: 0 after a normal stop, 1 if something cannot be opened, 2 for a config
    error.
    """
    parser = argparse.ArgumentParser(
        "relay", description="Stores a gateway's events until its client has received them."
    )
    parser.add_argument("--config", type=Path, default=Path("relay.yaml"))
    parser.add_argument("--wait", action="store_true", help="take over at once when the relay that runs now ends")
    parser.add_argument("--check", action="store_true", help="only check the file")
    options = parser.parse_args()
    try:
        config = load(options.config)
        if options.check:
            return 0
        handler = logging.StreamHandler()
        text = "%(asctime)s %(levelname)s %(name)s: %(message)s"
        handler.setFormatter(RelayJsonFormatter() if config.log_format == "json" else logging.Formatter(text))
        logging.basicConfig(level=logging.INFO, handlers=[handler])
        acquire(config.data, wait=options.wait)
        event_loop.run(run(config))
    except ConfigError as error:
        print(f"relay: {translated(str(error))}", file=sys.stderr)
        return 2
    except (OSError, JournalError) as error:
        print(f"relay: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    make_files_private()
    sys.exit(main())
