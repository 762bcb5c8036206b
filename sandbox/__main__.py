"""`python -m sandbox`: run the WeChat simulator without a bot."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import Final

import event_loop
import sandbox
from file_modes import make_files_private
from sandbox.world.model import Refused

MAX_PORT: Final = 65535


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"a port must be 0-{MAX_PORT}, not {text}")
    return int(text)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address of the page and its control API")
    parser.add_argument("--port", type=_port, default=8788)
    parser.add_argument(
        "--account", action="append", metavar="NAME", help="account name of an assistant; can be repeated"
    )
    parser.add_argument("--token", help="token of the gateways (default: random)")
    parser.add_argument(
        "--grpc-port",
        type=_port,
        action="append",
        metavar="PORT",
        help="port of a gateway, one for each account in order",
    )
    parser.add_argument("--state", type=Path, metavar="FILE", help="file that stores the state across restarts")
    parser.add_argument("--password", default="", help="password of the page (default: random beyond loopback)")
    parser.add_argument("--seed", type=int, help="seed of random ids and faults")
    options = parser.parse_args(argv)
    options.account = options.account or ["weimi1001"]
    if len(options.grpc_port or ()) > len(options.account):
        parser.error("more --grpc-port than --account")
    return options


async def run(options: argparse.Namespace) -> None:
    """Start the sandbox, print its addresses, and run until SIGINT or SIGTERM."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    running = await sandbox.start(
        options.account,
        host=options.host,
        port=options.port,
        token=options.token,
        state=options.state,
        grpc_ports=options.grpc_port or (),
        seed=options.seed,
        password=options.password,
    )
    lines = [f"password     {running.password}"] if running.password else []
    lines += [f"page         {running.url}", f"control API  {running.url}/api/state", f"token        {running.token}"]
    lines += [f"gateway      {endpoint}  ({account}, plaintext)" for account, endpoint in running.endpoints.items()]
    print("\n".join(lines), flush=True)
    await stopping.wait()
    await running.stop()


def main(argv: list[str]) -> int:
    """Run the command line and return the exit code."""
    options = _arguments(argv)
    try:
        event_loop.run(run(options))
    except (OSError, Refused) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    make_files_private()
    sys.exit(main(sys.argv[1:]))
