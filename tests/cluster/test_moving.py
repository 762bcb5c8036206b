"""Accounts that move between processes: shared fairly, given away in order, and served by one at a time."""

from __future__ import annotations

import pytest

from tests.cluster.conftest import MakeCluster

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]
KEYWORDS = {"keywords": [{"regex": r"^问(.*)$", "reply": "答{1}"}], "faq": "", "fallback": ""}


async def test_a_second_process_takes_its_share_and_both_serve(make_cluster: MakeCluster) -> None:
    town = await make_cluster(accounts=4, bots=1, customer_service=KEYWORDS)
    assert set(town.bots[0].accounts.accounts) == set(town.accounts)
    await town.start_bot()
    await town.served()
    assert [len(bot.accounts.accounts) for bot in town.bots] == [2, 2]
    for account in town.accounts:
        town.say("黑旋风", "问1", account)
    for account in town.accounts:
        await town.hears("黑旋风", "答1", account)
        assert town.seen("黑旋风", account).count("答1") == 1


async def test_a_process_that_stops_hands_over_what_it_promised(make_cluster: MakeCluster) -> None:
    town = await make_cluster(accounts=4, bots=2, customer_service=KEYWORDS)
    first = town.bots[0]
    moved = list(first.accounts.accounts)
    for number in range(5):
        for account in moved:
            town.say("黑旋风", f"问{number}", account)
    await town.stop_bot(first)
    await town.served()
    for account in moved:
        await town.hears("黑旋风", "答4", account)
        assert [one for one in town.seen("黑旋风", account) if one.startswith("答")] == [f"答{n}" for n in range(5)]
