"""One turn of a cluster member: heartbeats, deadlines, taking and giving accounts."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from services.cluster.leases import MemberView
from services.cluster.member import ClusterMember
from services.work.ownership import GLOBAL
from tests.services.cluster_harness import AWAY, CAPACITY, LEASE, Boot, Rows, boot, member, rows

__all__ = ["boot", "member", "rows"]

MAX_RELEASED_AT_ONCE = 5


def other(id: str, held: int, *, draining: bool = False) -> MemberView:
    return MemberView(id, f"http://{id}", CAPACITY, "1", draining, held)


async def test_leases_hold_until_a_second_before_their_end(member: ClusterMember, boot: Boot) -> None:
    assert not member.valid() and member.lease_age() == 0.0
    assert await member.join() == "secret"
    assert member.id == "m1"
    for later, valid in ((0, True), (3.9, True), (4.0, False), (9.0, False)):
        boot.now = 1000.0 + later
        assert member.valid() is valid
        assert member.lease_age() == pytest.approx(later)


async def test_heartbeats_are_sent_three_times_a_lease(member: ClusterMember, rows: Rows, boot: Boot) -> None:
    await member.join()
    await member._end_start()  # its heartbeats are those of the real clock
    rows.mine = {"a": 3}
    beats = []
    for _ in range(100):
        boot.now += 0.05
        before = rows.calls.count("renew")
        await member._run_once(["a"])
        if rows.calls.count("renew") > before:
            beats.append(boot.now - 1000.0)
    assert beats == pytest.approx([1.5, 3.0, 4.5], abs=0.2)
    assert member.held == {"a": 3}
    assert member.valid() and rows.calls.count("view") == 100


async def test_silent_members_are_removed_after_a_whole_lease(
    member: ClusterMember, rows: Rows, boot: Boot, caplog: pytest.LogCaptureFixture
) -> None:
    await member.join()
    rows.dead = ["m2", "m3"]
    boot.now += LEASE - 0.1
    await member._run_once([])
    assert "remove_dead 5.0" not in rows.calls
    boot.now += 0.1
    await member._run_once([])
    assert rows.calls.count("remove_dead 5.0") == 1
    assert member.takeovers == 2
    assert "notify {'free': 1}" in rows.calls, "the others take their share of them at once"
    assert "member m2 was silent for 5.0 s" in caplog.text


async def test_free_accounts_are_taken_up_to_the_share(member: ClusterMember, rows: Rows) -> None:
    names = [f"a{number}" for number in range(12)]
    rows.free, rows.others = list(names), [other("m2", 0)]
    await member.join()
    await member._run_once(names)
    assert sorted(member.held) == sorted(names[:6])
    assert rows.calls[-1] == "claim 12 6"
    rows.others = []
    await member._run_once(names)
    assert len(member.held) == CAPACITY, "no more than it can serve"
    await member._run_once(names)
    assert rows.calls[-1] == "view", "nothing is claimed in vain"


async def test_member_takes_part_once_it_has_started(member: ClusterMember, rows: Rows) -> None:
    """Until then the others take what is free: it may take long to start."""
    await member.join()
    assert "begin" not in rows.calls
    rows.fails["begin"] = AWAY
    with pytest.raises(OperationalError):
        await member._run_once([])
    del rows.fails["begin"]
    for _ in range(3):
        await member._run_once([])
    assert rows.calls.count("begin") == 2, "once more after the failure"
    assert rows.calls.index("begin") < rows.calls.index("view")


async def test_member_that_stops_before_it_has_started_never_takes_part(member: ClusterMember, rows: Rows) -> None:
    await member.join()
    await member.drain()
    await member._run_once([])
    assert "begin" not in rows.calls


async def test_jobs_of_one_process_do_not_count(member: ClusterMember, rows: Rows) -> None:
    rows.jobs_free, rows.free = True, ["a", "b"]
    await member.join()
    await member._run_once(["a", "b"])
    assert member.held == {GLOBAL: 7, "a": 7, "b": 7}
    assert [call for call in rows.calls if call.startswith("claim")] == ["claim 1 1", "claim 2 2"]


async def test_member_that_stops_takes_nothing(member: ClusterMember, rows: Rows) -> None:
    rows.jobs_free, rows.free = True, ["a"]
    await member.join()
    await member.drain()
    await member._run_once(["a"])
    assert (member.held, member.draining) == ({}, True)
    assert "drain" in rows.calls


async def test_surplus_is_given_in_small_numbers(member: ClusterMember, rows: Rows) -> None:
    async def surplus(held: int, *others: MemberView, free: int = 0) -> list[str]:
        rows.mine = {GLOBAL: 1, **{f"a{number}": 1 for number in range(held)}}
        rows.others, rows.free = list(others), [f"free{number}" for number in range(free)]
        member.held = dict(rows.mine)
        member.view = rows.view([])
        return member.surplus()

    assert await surplus(8, other("m2", 0)) == ["a4", "a5", "a6", "a7"]
    assert await surplus(5, other("m2", 4)) == []
    assert await surplus(4, other("m2", 2)) == ["a3"]
    assert await surplus(9) == [], "there is nobody else"
    assert await surplus(8, other("m2", 0), free=1) == [], "those are taken first"
    many = await surplus(10, other("m2", 0), other("m3", 0), other("m4", 0))
    assert len(many) == MAX_RELEASED_AT_ONCE and many[-1] == "a9"
    member.draining = True
    assert await surplus(8, other("m2", 0)) == []


async def test_others_that_can_take_accounts(member: ClusterMember, rows: Rows) -> None:
    def has_others(*others: MemberView) -> bool:
        rows.others = list(others)
        member.view = rows.view([])
        return member.has_others

    assert not has_others()
    assert has_others(other("m2", 0))
    assert not has_others(other("m2", 0, draining=True))
    assert has_others(other("m2", 0, draining=True), other("m3", 0))
    member.fenced = True
    assert not has_others(other("m2", 0))


async def test_released_accounts_are_no_longer_held(member: ClusterMember, rows: Rows) -> None:
    rows.mine = {"a": 1, "b": 1}
    member.held = dict(rows.mine)
    await member.release(["a"])
    assert (member.held, rows.mine) == ({"b": 1}, {"b": 1})


async def test_leaving_ends_the_leases(member: ClusterMember, rows: Rows, caplog: pytest.LogCaptureFixture) -> None:
    await member.join()
    member.held = {"a": 1}
    await member.leave()
    assert (member.held, member.valid(), rows.calls[-1]) == ({}, False, "leave")
    assert caplog.text == ""
    rows.fails = {"leave": AWAY, "close": AWAY}
    await member.leave()
    await member.close()
    assert "could not leave the cluster: OperationalError" in caplog.text
    assert "could not close the connection of the leases: OperationalError" in caplog.text
