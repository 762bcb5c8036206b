"""The official channel against its stand-in: messages read and stored per second, and messages sent per second.

python -m benchmarks.wecom [MESSAGES]
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

from benchmarks.measured_processes import folder
from benchmarks.tables import table
from config.settings import AssistantSettings
from models.db import Store
from sandbox.wecom.server import WecomServer
from sandbox.wecom.service import KfService
from services.accounts.wecom_storage import WecomStorage
from tests.stories.official_shop import ACCOUNT, OPEN_KFID
from wechat.events import RawEvent
from wechat.interface import State
from wecom.account import WecomAccount


class NullListener:
    """A listener that does nothing."""

    async def store_event(self, raw: RawEvent) -> None:
        """Ignore an event."""

    async def state_changed(self, account: str, state: State, reason: str) -> None:
        """Ignore a state."""

    async def scanned(self, account: str, qr_code: str) -> None:
        """Ignore a code."""

    async def synced(self, account: str, since: object, changed: object) -> None:
        """Ignore a sync."""


async def main(count: int) -> None:
    """Print a table."""
    service = KfService(OPEN_KFID)
    server = WecomServer(service)
    await server.start()
    corp = server.corp
    settings = AssistantSettings(
        account=ACCOUNT, kind="wecom", corp_id=corp.corp_id, secret=corp.secret, open_kfid=OPEN_KFID,
        api_url=server.url, callback={"token": corp.callback_token, "aes_key": corp.aes_key},
    )  # fmt: skip
    async with folder() as home:
        store = Store(f"sqlite:///{home}/wxbot.db")
        await store.open()
        read, all_read = 0, asyncio.Event()

        async def store_events(raws: Sequence[RawEvent], also: object) -> None:
            nonlocal read
            read += len(raws)
            await store.write(also)
            if read >= count:
                all_read.set()

        account = WecomAccount(
            settings, NullListener(), WecomStorage(store, ACCOUNT, time.time, store_events, lambda: None)
        )
        people = max(1, count // 5)  # five messages to each are allowed
        for number in range(count):
            service.say(f"客户{number % people}", "你好")
        started, cpu = time.perf_counter(), time.process_time()
        await account.start()
        await all_read.wait()
        took = time.perf_counter() - started
        lines = [("read", f"{count / took:.0f}", f"{(time.process_time() - cpu) / count * 1000:.2f}")]
        ids = [service.customer(f"客户{number}").id for number in range(people)]
        started, cpu = time.perf_counter(), time.process_time()
        for turn in range(5):
            await asyncio.gather(*(account.send_text(id, "您好", key=f"{turn}{n}") for n, id in enumerate(ids)))
        took = time.perf_counter() - started
        lines.append(("sent", f"{5 * people / took:.0f}", f"{(time.process_time() - cpu) / people / 5 * 1000:.2f}"))
        await account.stop()
        await store.close()
    await server.stop()
    print(table(f"the official channel, {count} messages", ("", "messages/s", "CPU ms (with the stand-in's)"), lines))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
