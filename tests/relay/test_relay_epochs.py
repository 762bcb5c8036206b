"""Calls with a new epoch wait until it is on disk: after kill -9 of the relay, an older client must be refused."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import pytest
from grpclib.exceptions import GRPCError

from relay.call import Call
from relay.fence import Fence
from relay.journal import Journal
from tests.waiting import SECONDS


async def test_every_call_of_a_new_epoch_waits_until_it_is_stored(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fence, written = Fence(journal), threading.Event()
    commit: Any = journal._commit
    monkeypatch.setattr(journal, "_commit", lambda *batch: written.wait(SECONDS) and commit(*batch))
    calls = [cast("Call", object()) for _ in range(4)]
    waits = [fence.register(call, 5) for call in calls[:2]]
    assert fence.register(calls[2], None) is None, "it has no epoch"
    assert [wait is not None and not wait.done() for wait in waits] == [True, True]
    written.set()
    await asyncio.wait_for(asyncio.gather(*(wait for wait in waits if wait)), SECONDS)
    assert fence.register(calls[3], 5) is None
    with pytest.raises(GRPCError):
        fence.register(calls[3], 4)
