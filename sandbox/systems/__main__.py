"""`python -m sandbox.systems`: run only the stand-ins of the business systems."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from file_modes import make_files_private
from sandbox.systems import PORTS, start_systems


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
    parser.add_argument("--ports", nargs=2, type=int, default=PORTS, metavar=("YUNMALL", "HIPOS"))
    arguments = parser.parse_args()
    return asyncio.run(run(arguments.host, tuple(arguments.ports)))


if __name__ == "__main__":
    make_files_private()
    sys.exit(main())
