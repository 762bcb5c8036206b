"""`python -m sandbox.systems`: run only the stand-ins of the business systems.

The ports are those of `--ports`, else of the variables YUNMALL_PORT and HIPOS_PORT, else 9101 and 9102.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys

from file_modes import make_files_private
from sandbox.systems import PORTS, start_systems

VARIABLES = ("YUNMALL_PORT", "HIPOS_PORT")


async def run(host: str, ports: tuple[int, int]) -> int:
    """Serve until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    systems = await start_systems(host, ports)
    for name, url in systems.urls.items():
        print(f"{name}: {url}", flush=True)
    if not systems.problems:  # problems are logged to stderr
        await stopping.wait()
    await systems.stop()
    return 1 if systems.problems else 0


def main() -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="sandbox.systems", description="stubs of 云商城 and HiPOS 云")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--ports",
        nargs=2,
        type=_port,
        metavar=("YUNMALL", "HIPOS"),
        help=f"default: the variables {' and '.join(VARIABLES)}, else {PORTS[0]} and {PORTS[1]}; 0 = any free port",
    )
    arguments = parser.parse_args()
    ports = arguments.ports or [
        _from_environment(parser, name, port) for name, port in zip(VARIABLES, PORTS, strict=True)
    ]
    return asyncio.run(run(arguments.host, tuple(ports)))


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: expected 0 to 65535")
    return int(text)


def _from_environment(parser: argparse.ArgumentParser, name: str, default: int) -> int:
    try:
        return _port(os.environ.get(name) or str(default))
    except argparse.ArgumentTypeError as error:
        parser.error(f"{name}: {error}")


if __name__ == "__main__":
    make_files_private()
    sys.exit(main())
