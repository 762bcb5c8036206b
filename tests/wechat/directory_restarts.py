"""An assistant that restarts, and the changes that it reports."""

from __future__ import annotations

from typing import Any

from sandbox.gateway.server import PuppetServer
from tests.wechat.recording_listener import RecordedAccount
from wechat.interface import State

ME = "wxid_weimi1001"


async def restart(server: PuppetServer, recorded: RecordedAccount, meanwhile: Any) -> None:
    """Disconnect the account while something happens, and clear the recorded reports."""
    server.kill()
    await recorded.listener.state(State.CONNECTING)
    meanwhile()
    recorded.listener.syncs.clear()
    await server.start()
    await wait_for_sync(recorded)


async def wait_for_sync(recorded: RecordedAccount) -> None:
    """Wait for the new entries, then for the others."""
    await recorded.listener.until(lambda: sum(since is not None for since, _ in recorded.listener.syncs) >= 2)


def reported_changes(recorded: RecordedAccount) -> set[str]:
    """What was reported."""
    return set().union(*(ids for _, ids in recorded.listener.syncs))
