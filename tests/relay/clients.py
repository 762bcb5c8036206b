"""Bots with stock clients, each in its own process."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.relay.process import RelayProcess
from tests.sandbox.test_sandbox_clients import Bot


@asynccontextmanager
async def running(relay: RelayProcess, home: Path, *command: str, **env: str) -> AsyncIterator[Bot]:
    """Context of a bot connected to a relay, in its own directory; killed at the end."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "ENDPOINT": relay.endpoint, "TOKEN": relay.token}
    with (home / "stderr.txt").open("w") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=home, env=environment | env, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
        try:
            yield Bot(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()
