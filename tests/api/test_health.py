"""Liveness, readiness and metrics."""

from __future__ import annotations

import asyncio
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from api import health
from models.durable import Setting
from tests.api.conftest import QUN, ApiServer, StartServer
from tests.waiting import SECONDS
from wechat.interface import State
from wechat.problems import Problem, Reason


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the database its time on a busy machine."""
    monkeypatch.setattr(health, "TIMEOUT", SECONDS)


async def test_healthz_returns_200(server: ApiServer) -> None:
    assert (await server.call("GET", "/healthz"))[:2] == (200, {"status": "ok"})


async def test_readyz_returns_200_when_ready(server: ApiServer) -> None:
    wanted = {"ready": True, "database": "ok", "assistants": {"weimi1001": "online"}}
    assert (await server.call("GET", "/readyz"))[:2] == (200, wanted)


async def test_readyz_names_offline_assistants(start_server: StartServer) -> None:
    server = await start_server(assistants=[{"account": "weimi1001"}, {"account": "weimi1002"}])
    for state in State:
        server.wechat.state = state
        status, body, _ = await server.call("GET", "/readyz")
        assert status == 503  # the other assistant is not connected
        assert body == {
            "ready": False,
            "database": "ok",
            "assistants": {"weimi1001": state.value, "weimi1002": "connecting"},
        }


async def test_readyz_describes_problems(start_server: StartServer) -> None:
    server = await start_server(assistants=[{"account": "weimi1001", "endpoint": "h:1"}])
    server.wechat.state, server.wechat.reason = State.REFUSED, Reason(Problem.TOKEN_REFUSED)
    status, body, _ = await server.call("GET", "/readyz")
    assert (status, body["problems"]["weimi1001"]) == (503, "网关不接受这个 token")
    assert "127.0.0.1" in body["problems"]["api.public_url"]
    server.wechat.state, server.wechat.reason = State.ONLINE, None
    status, body, _ = await server.call("GET", "/readyz")
    assert (status, list(body["problems"])) == (200, ["api.public_url"])
    server = await start_server(
        assistants=[{"account": "weimi1001", "endpoint": "h:1"}], api={"public_url": "https://bot.example"}
    )
    assert "problems" not in (await server.call("GET", "/readyz"))[1]


@pytest.mark.parametrize(
    ("ahead", "message"),
    [(1200, "本机时钟比网关的快 20 分钟，请校准"), (-28800, "本机时钟比网关的慢 480 分钟，请校准")],
)
async def test_readyz_reports_clock_skew(server: ApiServer, ahead: float, message: str) -> None:
    server.wechat.gateway_time = server.clock() - ahead
    status, body, _ = await server.call("GET", "/readyz")
    assert (status, body["problems"]) == (200, {"weimi1001": message})
    text = (await server.call("GET", "/metrics"))[1]
    (skew,) = re.findall(r'wxbot_clock_skew_seconds\{assistant="weimi1001"\} (\S+)', text)
    assert float(skew) == pytest.approx(ahead, abs=5)


async def test_readyz_reports_clock_jump(server: ApiServer) -> None:
    await server.container.clock_trust.load()
    server.clock.ahead = 400 * 86400
    assert not await server.container.clock_trust.is_trusted()
    assert "突然快了 400 天" in (await server.call("GET", "/readyz"))[1]["problems"]["clock"]
    server.clock.ahead = 0
    assert await server.container.clock_trust.is_trusted()
    assert "problems" not in (await server.call("GET", "/readyz"))[1]


async def test_readyz_fails_without_database(server: ApiServer) -> None:
    await server.container.store.close()
    status, body, _ = await server.call("GET", "/readyz")
    assert status == 503
    assert (body["ready"], body["database"]) == (False, "down")
    assert (await server.call("GET", "/healthz"))[0] == 200


async def test_readyz_fails_when_database_rejects_writes(server: ApiServer) -> None:
    closed = [1]
    event.listen(server.container.store.engine, "begin", lambda c: c.exec_driver_sql(f"PRAGMA query_only={closed[0]}"))
    with pytest.raises(OperationalError, match="readonly"):
        await server.container.store.write(lambda s: s.add(Setting(key="row", value="")))
    status, body, _ = await server.call("GET", "/readyz")
    assert (status, body["database"]) == (503, "down")
    closed[0] = 0
    assert (await server.call("GET", "/readyz"))[0] == 200


async def _numbers(server: ApiServer) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    status, text, headers = await server.call("GET", "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics_count_requests(server: ApiServer) -> None:
    await server.make_group()
    await server.call("GET", "/nothing/at/all")
    await server.call("GET", "/weiqun/one-address")
    await server.call("GET", "/weiqun/another")
    server.wechat.state = State.SYNCING
    await server.call("POST", "/wxbot/message", json={"assistant": "weimi1001", "to": "黑旋风", "text": "你好"})
    server.clock.ahead = 30
    numbers = await _numbers(server)

    def number(name: str, **labels: str) -> float:
        return numbers[name, frozenset(labels.items())]

    count = "wxbot_http_request_duration_seconds_count"
    assert number(count, method="POST", route="/wxbot/qun", status="201") == 1
    assert number(count, method="GET", route="(none)", status="404") == 1
    assert number(count, method="GET", route="/weiqun/{id}", status="404") == 2
    assert number("wxbot_assistant_state", account="weimi1001", state="syncing") == 1
    assert number("wxbot_assistant_state", account="weimi1001", state="online") == 0
    assert number("wxbot_outbox_waiting", queue="wx:weimi1001") == 1
    assert 29 < number("wxbot_outbox_oldest_seconds", queue="wx:weimi1001") < 60
    assert number("wxbot_groups", state="active") == 1
    assert number("wxbot_memberships", state="joined") == 2
    assert number("process_resident_memory_bytes") > 0


async def test_metric_labels_are_bounded(server: ApiServer) -> None:
    async def lines() -> int:
        return len({labels for name, labels in await _numbers(server) if name.startswith("wxbot_http")})

    await server.call("GET", "/a")
    await server.call("PROPFIND", "/b")
    await _numbers(server)
    before = await lines()
    for number in range(20):
        await server.call("GET", f"/{number}")
        await server.call("GET", f"/weiqun/{number}/x")
    for method in ("REPORT", "MKCOL", "LOCK"):
        await server.call(method, "/b")
    assert await lines() == before


async def test_metrics_contain_no_secrets(start_server: StartServer) -> None:
    hook = "http://user:pass@127.0.0.1:9/hook/very-secret?key=more-secret"
    server = await start_server(webhooks=[{"url": hook, "secret": "whsec_c2VjcmV0c2VjcmV0c2VjcmV0"}])
    gone = asyncio.Event()

    async def never(_work: object) -> str:
        await gone.wait()
        return ""

    server.container.outbox.serve("hook", never)
    await server.call("POST", "/wxbot/qun", json=QUN)
    text = (await server.call("GET", "/metrics"))[1]
    gone.set()
    assert 'wxbot_outbox_waiting{queue="hook:127.0.0.1"} 1.0' in text
    assert not re.search("secret|user:|pass@", text)
