"""Access control: allowed networks, trusted proxies, host names, keys."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from aiohttp.test_utils import make_mocked_request

from api.network import MAX_REMEMBERED, AccessControl
from config.settings import ApiSettings
from tests.api.conftest import StartServer, error

INSIDE = ["10.0.0.0/8", "127.0.0.0/8", "::1/128", "fc00::/7"]


@pytest.mark.parametrize(
    "path",
    ["/wxbot/qun?code=a", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/", "/weiqun", "//weiqun/x"],
)
async def test_external_client_is_rejected(start_server: StartServer, path: str) -> None:
    server = await start_server(api={"allowed_networks": ["10.0.0.0/8"]})
    assert (await server.call("GET", path))[:2] == (403, error(1002))


async def test_external_client_may_open_the_landing_page_only(start_server: StartServer) -> None:
    server = await start_server(api={"allowed_networks": ["10.0.0.0/8"]})
    status, body, _ = await server.call("GET", "/weiqun/none")
    assert status == 404
    assert "没有找到这个群" in body
    assert (await server.call("GET", "/weiqun/none/more"))[0] == 403
    assert (await server.call("POST", "/weiqun/none"))[0] == 403


async def test_rejected_call_has_no_effect(start_server: StartServer) -> None:
    server = await start_server(api={"allowed_networks": ["10.0.0.0/8"]})
    body = {"code": "shop-1", "owner": "宋公明", "assistant": "weimi1001"}
    assert (await server.call("POST", "/wxbot/qun", json=body))[0] == 403
    assert server.wechat.calls == []


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ([], 400),  # no client address
        (["10.1.1.1"], 200),
        (["8.8.8.8"], 403),
        (["10.1.1.1, 8.8.8.8"], 403),  # entries written by the client itself are ignored
        (["8.8.8.8, 10.1.1.1"], 200),
        (["8.8.8.8, 127.0.0.9"], 403),  # the hop before another trusted proxy
        (["8.8.8.8", "10.1.1.1"], 200),  # several headers form one list
        (["10.1.1.1", "8.8.8.8"], 403),
        (["::ffff:10.1.1.1"], 200),
        (["[fc00::1]:4711"], 200),
        (["10.1.1.1:4711"], 200),
        (["fc00::1"], 200),
        (["2001:db8::1"], 403),
        (["nonsense"], 403),
        (["10.1.1.1, unknown"], 403),
        (["10.1.1.1,"], 200),
        ([""], 400),
    ],
)
async def test_client_address_behind_trusted_proxy(
    start_server: StartServer, forwarded: list[str], status: int
) -> None:
    server = await start_server(api={"allowed_networks": INSIDE, "trusted_proxies": ["127.0.0.0/8"]})
    headers = [("X-Forwarded-For", value) for value in forwarded]
    answered, body, _ = await server.call("GET", "/docs", headers=headers)
    assert answered == status
    assert status == 200 or body == error(1002)
    probed = (await server.call("GET", "/healthz", headers=headers))[0]
    assert probed == (403 if status == 403 else 200), "a load balancer's probe names nobody"


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ("for=10.1.1.1", 200),
        ("For=10.1.1.1;proto=https", 200),
        ("for=8.8.8.8", 403),
        ("for=10.1.1.1, for=8.8.8.8", 403),
        ('by=x;for="[fc00::1]:4711"', 200),
        ('for="[2001:db8::1]"', 403),
        ("for=unknown", 403),
        ("for=_hidden", 403),
        ("proto=https", 400),
    ],
)
async def test_client_address_from_forwarded_header(start_server: StartServer, forwarded: str, status: int) -> None:
    server = await start_server(api={"allowed_networks": INSIDE, "trusted_proxies": ["127.0.0.0/8"]})
    assert (await server.call("GET", "/docs", headers={"Forwarded": forwarded}))[0] == status


async def test_untrusted_proxy_is_logged_once(start_server: StartServer, caplog: pytest.LogCaptureFixture) -> None:
    server = await start_server()
    for _ in range(3):
        assert (await server.call("GET", "/healthz", headers={"X-Forwarded-For": "8.8.8.8"}))[0] == 200
    assert sum("not in api.trusted_proxies" in record.message for record in caplog.records) == 1


# ---- host names ----


@pytest.mark.parametrize("path", ["/wxbot/qun?code=a", "/healthz", "/docs", "/weiqun/none", "/nothing"])
async def test_foreign_host_name_is_rejected(start_server: StartServer, path: str) -> None:
    """DNS rebinding: a page of evil.example, which resolves to 127.0.0.1."""
    server = await start_server()
    assert (await server.call("GET", path, headers={"Host": f"evil.example:{server.port}"}))[:2] == (403, error(1002))


async def test_call_with_foreign_host_name_has_no_effect(start_server: StartServer) -> None:
    server = await start_server()
    body = {"code": "shop-1", "owner": "宋公明", "assistant": "weimi1001"}
    assert (await server.call("POST", "/wxbot/qun", json=body, headers={"Host": "evil.example"}))[0] == 403
    assert server.wechat.calls == []


@pytest.mark.parametrize(
    "host", ["bot.example", "BOT.example:8080", "weiqun.example", "localhost:1", "10.0.0.1", "wxbot"]
)
async def test_configured_host_names_are_served(start_server: StartServer, host: str) -> None:
    server = await start_server(api={"public_url": "https://weiqun.example/wx", "hosts": ["Bot.example"]})
    assert (await server.call("GET", "/healthz", headers={"Host": host}))[0] == 200


async def test_forwarded_for_of_untrusted_client_is_ignored(start_server: StartServer) -> None:
    server = await start_server(api={"allowed_networks": ["10.0.0.0/8"], "trusted_proxies": ["10.9.9.9/32"]})
    assert (await server.call("GET", "/healthz", headers={"X-Forwarded-For": "10.1.1.1"}))[0] == 403
    server = await start_server(api={"trusted_proxies": ["10.9.9.9/32"]})
    assert (await server.call("GET", "/healthz", headers={"X-Forwarded-For": "8.8.8.8"}))[0] == 200


class _Peer:
    def __init__(self, address: object) -> None:
        self.address = address

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self.address if name == "peername" else default


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [
        (("::ffff:10.0.0.1", 1, 0, 0), True),
        (("::ffff:8.8.8.8", 1, 0, 0), False),
        (("fc00::1", 1, 0, 0), True),
        (("fe80::1%eth0", 1, 0, 0), False),
        (("10.0.0.1", 1), True),
        ("", False),
        (None, False),
    ],
)
def test_peer_addresses_of_all_kinds(peer: object, allowed: bool) -> None:
    request = make_mocked_request("GET", "/", transport=_Peer(peer))
    assert AccessControl(ApiSettings(allowed_networks=INSIDE)).client(request).allowed is allowed


def test_remembered_addresses_are_bounded() -> None:
    server = AccessControl(ApiSettings(allowed_networks=INSIDE, trusted_proxies=["10.0.0.0/8"]))
    hops = ",".join(str(ip_address("10.0.0.0") + number) for number in range(MAX_REMEMBERED + 10))
    request = make_mocked_request("GET", "/", {"X-Forwarded-For": hops}, transport=_Peer(("10.0.0.1", 1)))
    assert server.client(request).text == "10.0.0.0"
    assert len(server._known) <= MAX_REMEMBERED


# ---- web pages ----


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", "http://127.0.0.1:1", "http://weiqun.example.evil"]
)
async def test_cross_origin_request_has_no_effect(start_server: StartServer, origin: str) -> None:
    server = await start_server(api={"public_url": "https://weiqun.example/wx"})
    body = {"assistant": "weimi1001", "to": "宋公明", "text": "您好"}
    # a content type that pages may send without a preflight
    headers = {"Origin": origin, "Content-Type": "text/plain"}
    status, answer, _ = await server.call("POST", "/wxbot/message", json=body, headers=headers)
    assert (status, answer) == (403, error(1002))
    assert (await server.call("GET", "/healthz", headers=headers))[0] == 200


async def test_same_origin_request_is_allowed(start_server: StartServer) -> None:
    server = await start_server(api={"public_url": "https://weiqun.example/wx"})
    for origin in (f"http://127.0.0.1:{server.port}", "https://weiqun.example"):
        status, _, _ = await server.call("GET", "/wxbot/message/1", headers={"Origin": origin})
        assert status == 404


# ---- keys ----

KEYS = {"keys": ["first-key-1234567", "second-key-123456"]}


@pytest.mark.parametrize("given", [None, "", "first-key-1234567", "Basic first-key-1234567", "Bearer", "Bearer ",
                                   "Bearer first-key", "Bearer first-key-12345672",
                                   "Bearer ÿ", "Bearer 群"])  # fmt: skip
async def test_request_without_key_is_rejected(start_server: StartServer, given: str | None) -> None:
    server = await start_server(api=KEYS)
    headers = {} if given is None else {"Authorization": given}
    status, body, answered = await server.call("GET", "/wxbot/qun?code=a", headers=headers)
    assert (status, body, answered["WWW-Authenticate"]) == (401, error(1003), "Bearer")


@pytest.mark.parametrize("given", ["Bearer first-key-1234567", "bearer second-key-123456", "Bearer  first-key-1234567"])
async def test_request_with_key_is_accepted(start_server: StartServer, given: str) -> None:
    server = await start_server(api=KEYS)
    status, body, _ = await server.call("GET", "/wxbot/qun?code=a", headers={"Authorization": given})
    assert (status, body) == (404, error(1004))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/wxbot/qun"),
        ("GET", "/wxbot/qun/100001"),
        ("POST", "/wxbot/qun/membership"),
        ("DELETE", "/wxbot/qun/membership/1"),
        ("POST", "/wxbot/message"),
        ("GET", "/%77xbot/message/1"),
    ],
)
async def test_every_rest_call_requires_a_key(start_server: StartServer, method: str, path: str) -> None:
    server = await start_server(api=KEYS)
    assert (await server.call(method, path, json={}))[0] == 401


async def test_public_routes_require_no_key(start_server: StartServer) -> None:
    server = await start_server(api=KEYS)
    statuses = {path: (await server.call("GET", path))[0] for path in ("/healthz", "/readyz", "/docs", "/weiqun/none")}
    assert statuses == {"/healthz": 200, "/readyz": 200, "/docs": 200, "/weiqun/none": 404}
