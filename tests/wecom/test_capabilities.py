"""Capabilities of each channel: those announced, implemented and documented agree."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from config.settings import AssistantSettings
from tests.bot_process import ROOT
from wechat.interface import PUPPET, Capability
from wecom.capabilities import GROUP_CAPABILITIES, capabilities_of
from wecom.unsupported import UnsupportedCalls

CALLS = {  # the call that a capability is about
    Capability.CREATE_ROOM: "create_room",
    Capability.ADD_MEMBER: "add_member",
    Capability.REMOVE_MEMBER: "remove_member",
    Capability.SET_TOPIC: "set_topic",
    Capability.SET_ANNOUNCEMENT: "set_announcement",
    Capability.ACCEPT_FRIEND: "accept_friend",
    Capability.SET_ALIAS: "set_alias",
    Capability.LOG_OUT: "log_out",
    Capability.CONTACT_CARD: "send_contact",
}
ROWS = {  # rows of the docs' table that begin so, with whether the official channel can do it
    "发名片、改备注": (Capability.CONTACT_CARD, Capability.SET_ALIAS),
    "链接、小程序": (Capability.LINK, Capability.MINI_PROGRAM),
    "离线期间的消息": (Capability.CATCH_UP,),
    "进程被杀后重发": (Capability.SEND_ONCE,),
    "欢迎语、群内关键词和命令": (Capability.ROOM_MESSAGES, Capability.REMOVE_MEMBER, Capability.SET_TOPIC),
}


def official(**more: object) -> frozenset[Capability]:
    settings = AssistantSettings(
        account="kefu1", kind="wecom", corp_id="ww1", secret="s", open_kfid="wk1",
        callback={"token": "t", "aes_key": "a" * 43}, **more,
    )  # fmt: skip
    return capabilities_of(settings)


@pytest.mark.parametrize("capability", CALLS)
def test_unannounced_capability_is_rejected_by_its_call(capability: Capability) -> None:
    refused = {name for name, _ in inspect.getmembers(UnsupportedCalls, inspect.isfunction)}
    assert (capability not in official()) == (CALLS[capability] in refused)
    assert capability in PUPPET


def test_settings_enable_capabilities() -> None:
    assert Capability.STAFF_CLIENT in official(handoff="client") - official()
    assert official(groups={"pool": ["wr1"]}) - official() == GROUP_CAPABILITIES


def test_docs_list_the_capabilities() -> None:
    lines = (ROOT / Path("docs/zh/how-to/wecom.md")).read_text(encoding="utf-8").splitlines()
    for begin, capabilities in ROWS.items():
        (row,) = (line for line in lines if line.startswith(f"| {begin}"))
        cannot = row.split("|")[3].strip().startswith("不能")
        assert {capability in official() for capability in capabilities} == {not cannot}, row
