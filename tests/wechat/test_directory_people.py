"""The directory: names, friends and people who are given by another id."""

from __future__ import annotations

import pytest

from wechat.directory import CachedDirectory
from wechat.entities import Contact

ME = "me"


@pytest.fixture
def directory() -> CachedDirectory:
    directory = CachedDirectory()
    directory.owner_id = ME
    return directory


def test_empty_name_does_not_replace_a_known_one(directory: CachedDirectory) -> None:
    directory.put_contact(Contact("a", "李", friend=True))
    directory.put_contact(Contact("a", "", alias="老李"))
    assert directory.contacts["a"] == Contact("a", "李", "老李")
    directory.put_contact(Contact("a", "王"))
    assert directory.contacts["a"].name == "王"
    directory.put_contact(Contact("b", ""))
    assert directory.contacts["b"].name == ""


def test_contact_that_was_read_is_no_longer_unread(directory: CachedDirectory) -> None:
    directory.put_contact(Contact("a"))
    assert directory.unread is None
    directory.unread = {"b", "c"}
    directory.put_contact(Contact("b"))
    assert directory.unread == {"c"}


def test_befriended_person_stays_a_friend_until_the_gateway_confirms(directory: CachedDirectory) -> None:
    directory.befriend("a")
    directory.put_contact(Contact("a", "李"))
    assert directory.contacts["a"].friend
    assert directory.snapshot()["befriended"] == ["a"]
    directory.put_contact(Contact("a", "李", friend=True))
    assert directory.snapshot()["befriended"] == []
    directory.put_contact(Contact("a", "李"))
    assert not directory.contacts["a"].friend, "from then on its reports count"


def test_known_friend_need_not_be_befriended(directory: CachedDirectory) -> None:
    directory.put_contact(Contact("a", friend=True))
    directory.befriend("a")
    assert directory.snapshot()["befriended"] == []


def test_unfriended_person_is_no_friend(directory: CachedDirectory) -> None:
    directory.befriend("a")
    directory.unfriend("a")
    assert not directory.contacts["a"].friend
    assert directory.snapshot()["befriended"] == []


def test_person_is_found_by_their_unique_weixin(directory: CachedDirectory) -> None:
    directory.put_contact(Contact("wxid_a", weixin="li"))
    assert directory.resolve_id("li") == "wxid_a"
    assert directory.resolve_id("unknown") == "unknown"
    directory.put_contact(Contact("wxid_b", weixin="li"))
    assert directory.resolve_id("li") == "li", "ambiguous"
    directory.drop_contact("wxid_b")
    directory.put_contact(Contact("li"))
    assert directory.resolve_id("li") == "li", "an id"


@pytest.mark.parametrize(
    ("people", "new"),
    [
        ([Contact("a"), Contact("b")], ["a", "b"]),
        ([Contact("a", friend=True), Contact("b")], []),
        ([Contact("gh_1", friend=True, official=True), Contact("b")], ["b"]),
        ([Contact(ME, friend=True), Contact("b")], ["b"]),
        ([Contact("gh_1", official=True)], []),
    ],
)
def test_whole_list_is_trusted_if_nobody_is_a_friend(
    directory: CachedDirectory, people: list[Contact], new: list[str]
) -> None:
    for contact in people:
        directory.put_contact(contact)
    assert directory.trust_list([*(contact.id for contact in people), "unread"]) == new
    assert directory.trust_list([contact.id for contact in people]) == [], "they are known now"
    assert all(directory.contacts[id].friend for id in new)


def test_person_who_received_no_message_is_no_new_friend(directory: CachedDirectory) -> None:
    for id in ("a", "b"):
        directory.put_contact(Contact(id))
    directory.trust_list(["a", "b"])
    directory.unfriend("a")
    restarted = CachedDirectory()
    restarted.load(directory.snapshot())
    assert restarted.trust_list(["a", "b"]) == [], "who deletes the account stays on its list"
    assert restarted.contacts["a"].friend
    restarted.unfriend("a")
    restarted.befriend("a")
    restarted.drop_contact("a")
    restarted.put_contact(Contact("a"))
    assert restarted.snapshot()["unfriended"] == []


def test_friend_found_in_the_list_does_not_end_trust_in_the_list(directory: CachedDirectory) -> None:
    directory.put_contact(Contact("a"))
    assert directory.trust_list(["a"]) == ["a"]
    directory.put_contact(Contact("b"))
    assert directory.trust_list(["a", "b"]) == ["b"]
