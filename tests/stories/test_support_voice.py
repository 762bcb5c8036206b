"""Voice messages: read by a server at the wire, out of real SILK, and handled as text; else staff get the file."""

from __future__ import annotations

import asyncio
import io
import math
import struct
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pysilk
import pytest
from aiohttp import web

from sandbox.world.model import Kind
from services.support.transcription import UndecodableAudio, decoded
from tests.stories.business import Receiver, receiving
from tests.stories.conftest import MakeEnv
from tests.stories.official_environment import AnyEnvironment, MakeAny, OfficialEnvironment, make_any
from tests.stories.service import known, replies_to, service, staff_room, words
from tests.waiting import until
from tests.web_server import serving
from wecom.message_reader import SILK

__all__ = ["make_any"]
UNREAD = "抱歉，我没听懂。回复“人工”转人工客服。\n我还听不懂语音，请改用文字发送。"
WHO = "黑旋风"


def silk(seconds: float = 1.0, *, tencent: bool = True) -> bytes:
    """A tone as a voice message."""
    rate = 24_000
    samples = (int(8000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(int(rate * seconds)))
    sound = io.BytesIO(b"".join(struct.pack("<h", sample) for sample in samples))
    message = io.BytesIO()
    pysilk.encode(sound, message, rate, 24_000, tencent=tencent)
    return message.getvalue()


class Transcriber:
    """A transcription server; `said` is its next transcript, `status` its status code."""

    def __init__(self) -> None:
        self.url = ""
        self.said: Any = "营业时间。"
        self.status = 200
        self.asked: list[dict[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.path == "/v1/audio/transcriptions"
        form = await request.post()
        sound = form["file"]
        assert isinstance(sound, web.FileField)
        fields = {name: value for name, value in form.items() if name != "file"}
        key = request.headers.get("Authorization", "")
        self.asked.append({**fields, "key": key, "name": sound.filename, "sound": sound.file.read()})
        await self.open.wait()
        return web.json_response({"text": self.said}, status=self.status)


@pytest.fixture
async def transcriber() -> AsyncIterator[Transcriber]:
    transcriber = Transcriber()
    async with serving(transcriber.handle) as url:
        transcriber.url = f"{url}/v1"
        yield transcriber
        transcriber.open.set()


def with_transcription(transcriber: Transcriber, **more: Any) -> dict[str, Any]:
    settings = {"base_url": transcriber.url, "model": "whisper", "key": "sk-secret", "timeout": 5}
    section: dict[str, Any] = service(transcription=settings, **more)
    section["keywords"].append({"equals": "营业时间", "reply": "九点到六点。"})
    return section


def send_voice(env: AnyEnvironment, data: bytes, name: str = "voice.sil", who: str = WHO) -> None:
    env.send_file(who, Kind.AUDIO, name, data)


async def test_transcribed_voice_is_answered_as_text(make_any: MakeAny, transcriber: Transcriber) -> None:
    """The official channel is asked for Silk, since common servers do not take AMR."""
    env = await make_any(customer_service=with_transcription(transcriber))
    send_voice(env, silk(1.5))
    await env.receives(WHO, "九点到六点。")
    (asked,) = transcriber.asked
    assert (asked["model"], asked["key"], asked["name"]) == ("whisper", "Bearer sk-secret", "voice.wav")
    with wave.open(io.BytesIO(asked["sound"])) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 16_000)
        assert sound.getnframes() / 16_000 == pytest.approx(1.5, abs=0.1)
        assert max(struct.unpack("<1000h", sound.readframes(2000)[:2000])) > 4000
    if isinstance(env, OfficialEnvironment):
        assert env.shop.service.voice_format == SILK


async def test_transcription_is_shown_to_staff(make_env: MakeEnv, transcriber: Transcriber) -> None:
    """Before the ticket, in it, and in its history; and a person may be asked for."""
    env = await make_env(customer_service=with_transcription(transcriber))
    room = staff_room(env)
    await known(env, room)
    transcriber.said = "我的快递丢了"
    send_voice(env, silk())
    await until(lambda: transcriber.asked, "asked")
    transcriber.said = "转人工。"
    send_voice(env, silk())
    opened = await env.receives("店长", "【#1 黑旋风】请求人工服务", room)
    assert "黑旋风：🎤 我的快递丢了" in opened.text
    transcriber.said = "在吗？"
    send_voice(env, silk())
    await env.receives("店长", "【#1 黑旋风】🎤 在吗？", room)
    env.say("店长", "#1 历史", room)
    await env.receives("店长", "黑旋风：🎤 在吗？", room)
    await env.wait_idle()
    assert all(message.kind is not Kind.FILE for message in env.seen("店长", room))


async def test_rating_and_flow_answer_may_be_spoken(make_env: MakeEnv, transcriber: Transcriber) -> None:
    flow = {"name": "试", "start": ["开始"], "allow": "everyone", "steps": [{"ask": {"a": "甲？"}}, {"say": "{a}好"}]}
    env = await make_env(customer_service=with_transcription(transcriber), flows=[flow])
    room = staff_room(env)
    await known(env, room)
    env.say(WHO, "开始")
    await env.receives(WHO, "甲？")
    transcriber.said = "一店。"
    send_voice(env, silk())
    await env.receives(WHO, "一店好")
    env.say(WHO, "人工")
    await env.receives("店长", "请求人工服务", room)
    env.say("店长", "#1 结束", room)
    await env.receives("店长", "#1 黑旋风 已结束", room)
    transcriber.said = "五星好评！"
    send_voice(env, silk())
    await env.receives("店长", "评分：5", room)


@pytest.mark.parametrize("trouble", ["off", "refuses", "silence", "no text", "slow", "broken file", "no sound"])
async def test_untranscribed_voice_is_relayed_as_a_file(
    make_env: MakeEnv, transcriber: Transcriber, trouble: str
) -> None:
    section = with_transcription(transcriber)
    section["transcription"]["timeout"] = 0.5 if trouble == "slow" else 5
    if trouble == "off":
        section["transcription"] = {}
    transcriber.status = 500 if trouble == "refuses" else 200
    transcriber.said = {"silence": " 。", "no text": None}.get(trouble, "营业时间")
    if trouble == "slow":
        transcriber.open.clear()
    data = {"broken file": silk()[:9] + b"\xff" * 500, "no sound": b"PNG"}.get(trouble, silk())
    env = await make_env(customer_service=section)
    room = staff_room(env)
    await known(env, room)
    send_voice(env, data)
    await env.receives(WHO, UNREAD)
    env.say(WHO, "人工")
    opened = await env.receives("店长", "请求人工服务", room)
    assert "[语音]" in opened.text
    await until(lambda: any(m.kind in (Kind.FILE, Kind.AUDIO) for m in env.seen("店长", room)), "the file comes")
    before = len(words(env.seen(WHO)))
    send_voice(env, data)
    await until(lambda: len([m for m in env.seen("店长", room) if m.kind in (Kind.FILE, Kind.AUDIO)]) == 2, "both")
    await env.receives("店长", "【#1 黑旋风】[语音]", room)
    assert len(words(env.seen(WHO))) == before  # the staff has them


async def test_repeated_voice_messages_get_two_replies(make_env: MakeEnv) -> None:
    env = await make_env(customer_service=service())
    for _ in range(4):
        send_voice(env, silk(0.2))
    again = "还是没明白您的意思。需要人工服务的话，请回复“人工”，我为您转接。\n我还听不懂语音，请改用文字发送。"
    assert await replies_to(env, WHO) == [UNREAD, again]


async def test_failing_server_is_not_called_for_a_while(make_env: MakeEnv, transcriber: Transcriber) -> None:
    env = await make_env(customer_service=with_transcription(transcriber))
    transcriber.status = 503
    for _ in range(5):
        send_voice(env, silk(0.2))
    await env.wait_idle()
    assert len(transcriber.asked) == 3
    transcriber.status, env.ahead = 200, 31
    send_voice(env, silk(0.2))
    await env.receives(WHO, "九点到六点。")


async def test_transcription_is_configured_by_reload(make_env: MakeEnv, transcriber: Transcriber) -> None:
    env = await make_env(customer_service=service(keywords=with_transcription(transcriber)["keywords"]))
    send_voice(env, silk())
    await env.receives(WHO, UNREAD)
    env.extra["customer_service"]["transcription"] = with_transcription(transcriber)["transcription"]
    status, _, _ = await env.call("POST", "/wxbot/config/reload")
    assert status == 200
    send_voice(env, silk())
    await env.receives(WHO, "九点到六点。")


async def test_business_systems_receive_the_transcription(make_env: MakeEnv, transcriber: Transcriber) -> None:
    receiver: Receiver
    async with receiving() as receiver:
        hook = {**receiver.config, "events": ["message.received"]}
        env = await make_env(customer_service=with_transcription(transcriber), webhooks=[hook])
        send_voice(env, silk())
        (received,) = await until(lambda: receiver.of("message.received"), "told")
        assert (received["kind"], received["text"]) == ("audio", "营业时间")


async def test_other_formats_are_sent_unconverted(make_env: MakeEnv, transcriber: Transcriber) -> None:
    env = await make_env(customer_service=with_transcription(transcriber))
    for begin, name in ((b"ID3", "mp3"), (b"#!AMR\n", "amr"), (b"OggS", "ogg")):
        send_voice(env, begin + b"sound", f"voice.{name}")
    await until(lambda: len(transcriber.asked) == 3, "asked")
    assert [request["name"] for request in transcriber.asked] == ["voice.mp3", "voice.amr", "voice.ogg"]
    assert transcriber.asked[1]["sound"] == b"#!AMR\nsound"


async def test_silk_with_and_without_the_tencent_prefix(tmp_path: Path) -> None:
    for tencent in (True, False):
        assert (await decoded(silk(tencent=tencent)))[:4] == b"RIFF"
    for broken in (b"", b"#!SILK_V3", silk()[:9] + b"\xff" * 500):
        with pytest.raises(UndecodableAudio):
            await decoded(broken)
