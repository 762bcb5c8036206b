"""Stock clients through the relay, over their restarts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.official import HOME, OfficialGateway, Start
from tests.relay.clients import running
from tests.relay.conftest import Relays
from tests.relay.process import RelayProcess

pytestmark = pytest.mark.gateway
ENVIRONMENT = {"MODULES": str(HOME), "WECHATY_PUPPET_SERVICE_NO_TLS_INSECURE_CLIENT": "true"}
CLIENTS = Path(__file__).parent.parent / "sandbox"


def _command(name: str) -> tuple[str, ...]:
    if name == "node":
        return ("node", str(CLIENTS / "node_client.mjs"))
    return (sys.executable, str(CLIENTS / "python_client.py"))


async def _relay(official: Start, relays: Relays) -> tuple[OfficialGateway, RelayProcess]:
    gateway = await official()
    await gateway.setup(contacts=3)
    return gateway, await relays(gateway)


@pytest.mark.parametrize("name", ["node", "python"])
async def test_stock_client_misses_nothing_across_restarts(
    official: Start, relays: Relays, tmp_path: Path, name: str
) -> None:
    gateway, relay = await _relay(official, relays)
    said, got = [], []
    for turn in range(3):
        said += [f"{turn} away {i}" for i in range(2)]
        for text in said[-2:]:
            await gateway.say("c0", text)
        home = tmp_path / f"home{turn}"
        home.mkdir()
        async with running(relay, home, *_command(name), **ENVIRONMENT) as bot:
            await bot.wait("login")
            # The Node client reads both payloads concurrently and reports them in the order of the answers.
            got += sorted([(await bot.wait("message"))["text"] for _ in range(2)])
            await gateway.say("c0", "ding")
            said.append("ding")
            got.append((await bot.wait("message"))["text"])
            await gateway.wait_sent(turn + 1, "c0")
        await relay.until("relay_client_connected", 0)
    assert got == said
    assert [row["text"] for row in await gateway.sent("c0")] == ["dong"] * 3
