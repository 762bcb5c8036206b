"""A folder of documents answers in its own words: by words, by meaning, by a model's choice, and after a reload."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.stories.conftest import BotEnvironment, MakeEnv
from tests.stories.official_environment import MakeAny, make_any
from tests.stories.service import MARKER, replies_to
from tests.stories.test_support_llm import Model
from tests.waiting import until
from tests.web_server import serving

__all__ = ["make_any"]
FALLBACK = "抱歉，我没听懂。回复“人工”转人工客服。"
GUIDE = """# 门店手册
## 运费
质量问题由我们承担运费。

| 地区 | 运费 |
| --- | --- |
| 本市 | 5 元 |
## 停车
地下停车场对住客免费，出口在北门。
"""
SHIPPING = "质量问题由我们承担运费。\n\n| 地区 | 运费 |\n| --- | --- |\n| 本市 | 5 元 |\n\n—— 摘自“门店手册 › 运费”"
PARKING = "地下停车场对住客免费，出口在北门。\n\n—— 摘自“门店手册 › 停车”"


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    file = tmp_path / "handbook" / "guide.md"
    file.parent.mkdir()
    file.write_text(GUIDE, encoding="utf-8")
    (tmp_path / "faq.yaml").write_text("- {questions: [停车要钱吗], answer: 不要。}\n", encoding="utf-8")
    return file


def service(guide: Path, **more: Any) -> dict[str, Any]:
    faq = str(guide.parents[1] / "faq.yaml")
    return {"keywords": [MARKER], "faq": faq, "knowledge": str(guide.parent), **more}


async def test_near_passage_is_quoted_verbatim(make_any: MakeAny, guide: Path) -> None:
    env = await make_any(customer_service=service(guide))
    assert await replies_to(env, "黑旋风", "请问运费由谁承担") == [SHIPPING]
    assert await replies_to(env, "黑旋风", "运费") == [SHIPPING]  # its heading
    assert await replies_to(env, "黑旋风", "地球有多大") == [FALLBACK]


async def test_other_near_passages_are_offered(make_any: MakeAny, guide: Path) -> None:
    env = await make_any(customer_service=service(guide))
    (received,) = await replies_to(env, "黑旋风", "停车场出口在哪，停车要钱么")
    assert "停车要钱吗" in received
    (received,) = await replies_to(env, "黑旋风", "停车场的出口")
    assert received.startswith(PARKING)
    if "还可以看" in received:
        assert await replies_to(env, "黑旋风", "1") == ["不要。"]


async def test_passage_is_chosen_by_its_number(make_any: MakeAny, guide: Path) -> None:
    env = await make_any(customer_service=service(guide))
    (menu,) = await replies_to(env, "黑旋风", "停车需要交钱吗")
    assert menu.startswith("您是不是想问：\n1. 停车要钱吗\n2. 门店手册 › 停车\n")
    await env.restart_bot()
    assert await replies_to(env, "黑旋风", "2") == [PARKING]


def rewrite(guide: Path, content: bytes) -> None:
    guide.write_bytes(content)


async def test_folder_is_loaded_by_reload(make_env: MakeEnv, guide: Path) -> None:
    env = await make_env(customer_service=service(guide))
    status, answer, _ = await env.call("POST", "/wxbot/config/reload")
    assert (status, answer["changed"]) == (200, [])
    rewrite(guide, "# 手册\n## 保修\n整机保修两年。\n".encode())
    _, answer, _ = await env.call("POST", "/wxbot/config/reload")
    assert answer["changed"] == ["customer_service.knowledge"]
    assert await replies_to(env, "黑旋风", "保修") == ["整机保修两年。\n\n—— 摘自“手册 › 保修”"]
    assert await replies_to(env, "黑旋风", "请问运费由谁承担") == [FALLBACK]
    rewrite(guide, b"\xff\xfe\xfa")
    status, answer, _ = await env.call("POST", "/wxbot/config/reload")
    assert status == 400
    assert "guide.md" in answer["error"]["message"]
    assert await replies_to(env, "黑旋风", "保修") == ["整机保修两年。\n\n—— 摘自“手册 › 保修”"]


async def test_model_only_chooses_a_passage(make_env: MakeEnv, guide: Path) -> None:
    model = Model()
    async with model.server:
        llm = {"base_url": str(model.server.make_url("/v1")), "model": "small"}
        env = await make_env(customer_service=service(guide, llm=llm))
        model.will_say('{"entry": 3, "answer": "运费全免！"}')
        assert await replies_to(env, "黑旋风", "车能停哪儿") == [PARKING]
        assert "门店手册 › 停车" in model.asked[0]["messages"][0]["content"]


class Embeddings:
    """An embedding server: texts about the same subject have the same vector."""

    SUBJECTS = ("运费|顺风|质量", "停车|车|北门", "保修")

    def __init__(self) -> None:
        self.models: list[str] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.models.append(body["model"])
        rows = [{"index": at, "embedding": self._vector(text)} for at, text in enumerate(body["input"])]
        return web.json_response({"data": rows})

    def _vector(self, text: str) -> list[float]:
        for at, subject in enumerate(self.SUBJECTS):
            if any(word in text for word in subject.split("|")):
                return [float(n == at) for n in range(4)]
        return [0.0, 0.0, 0.0, 1.0]


@pytest.fixture
async def embeddings() -> AsyncIterator[Embeddings]:
    server = Embeddings()
    async with serving(server.handle) as url:
        server.url = url
        yield server


async def built(env: BotEnvironment) -> None:
    near = env.bot.container.similar_questions
    await until(lambda: near._ready(env.bot.container.faq_entries.index), "the texts are embedded")


async def test_passage_is_found_by_meaning(make_env: MakeEnv, guide: Path, embeddings: Embeddings) -> None:
    settings = {"base_url": embeddings.url, "model": "m", "timeout": 5}
    env = await make_env(customer_service=service(guide, embeddings=settings))
    await built(env)
    assert await replies_to(env, "黑旋风", "顺风谁出") == [SHIPPING]


async def test_embedding_model_is_changed_by_reload(make_env: MakeEnv, guide: Path, embeddings: Embeddings) -> None:
    env = await make_env(customer_service=service(guide))
    assert await replies_to(env, "黑旋风", "顺风谁出") == [FALLBACK]
    for model in ("one", "two"):
        settings = {"base_url": embeddings.url, "model": model, "timeout": 5}
        env.extra["customer_service"]["embeddings"] = settings
        _, answer, _ = await env.call("POST", "/wxbot/config/reload")
        assert any(key.startswith("customer_service.embeddings") for key in answer["changed"])
        await built(env)
        assert embeddings.models[-1] == model
        assert await replies_to(env, "黑旋风", "顺风谁出") == [SHIPPING]
