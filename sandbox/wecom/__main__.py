"""`python -m sandbox.wecom`: a stand-in for the official API of 企业微信, with the sandbox's chat page.

A customer talks to the customer service account in the browser. Staff act in their own client by
`POST {api}/staff/USERID {"customer": "黑旋风", "do": "take" | "answer" | "finish", "text": "…"}`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys

from sandbox.wecom.stand_in import StandIn


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.wecom", description=__doc__)
    parser.add_argument("--account", default="kefu1", help="name of the assistant")
    parser.add_argument("--bot", default="http://127.0.0.1:8080", help="base URL of wxbot, for callbacks")
    parser.add_argument("--port", type=int, default=8788, help="port of the chat page")
    parser.add_argument("--api-port", type=int, default=8790, help="port of the API")
    return parser.parse_args(argv)


async def run(options: argparse.Namespace) -> None:
    """Start the stand-in, print what belongs into config.yaml, and run until SIGINT or SIGTERM."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    stand_in = StandIn(options.account, options.bot)
    await stand_in.start(options.port, options.api_port)
    print(f"page  {stand_in.page}\napi   {stand_in.server.url}\n{stand_in.settings}", flush=True)
    await stopping.wait()
    await stand_in.stop()


def main(argv: list[str]) -> int:
    """Run the command line and return the exit code."""
    options = _arguments(argv)
    try:
        asyncio.run(run(options))
    except (OSError, OverflowError) as error:  # a port above 65535 raises OverflowError
        print(f"cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(sys.argv[1:]))
