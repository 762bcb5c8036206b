"""Fuzzed requests to the console's API always get JSON in a documented format, never an internal error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from api.openapi import all_errors
from console.routes import Route
from tests.background import BackgroundServer
from tests.console.conftest import SETTINGS, Person, log_in, login_link
from tests.console.description import document, operations, plain_path
from tests.stories.conftest import BotEnvironment
from tests.stories.service import known, staff_room

MESSAGES = {error.code: (error.status, error.message) for error in all_errors()}
EXAMPLES = 25
PLAIN = ("text/csv", "application/yaml", "image/svg+xml", "image/png", "application/octet-stream")


class _Served(BackgroundServer):
    """A bot, and the session of its admin."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.url = ""
        self.headers: dict[str, str] = {}
        self._folder = folder

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        env = await BotEnvironment(self._folder, **SETTINGS).open()
        try:
            await known(env, staff_room(env))
            await env.make_group()
            env.say("黑旋风", "人工")
            await env.receives("黑旋风", env.bot.config.texts.handoff[:4])
            person: Person = await log_in(env, await login_link(env, "店长"))
            cookie = next(cookie for cookie in person.http.cookie_jar if cookie.key == "wxbot_session")
            self.url = person.url
            self.headers = {"Cookie": f"{cookie.key}={cookie.value}", "X-CSRF-Token": person.csrf}
            await person.http.close()
            yield
        finally:
            await env.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Served]:
    with _Served(tmp_path_factory.mktemp("served")) as served:
        yield served


def _check(response: Any) -> None:
    kind = response.headers.get("content-type", [""])[0].partition(";")[0]
    if response.status_code in (204, 303):
        return
    if response.status_code < 300:
        assert kind == "application/json" or kind in PLAIN, kind
        return
    body = response.json()
    assert body.keys() == {"error"} and body["error"].keys() == {"code", "message"}, body
    status, message = MESSAGES[body["error"]["code"]]
    assert (response.status_code, body["error"]["message"]) == (status, message)
    assert response.status_code not in (401, 500), body


@pytest.mark.parametrize("route", operations(), ids=lambda route: f"{route.method} {plain_path(route)}")
def test_any_request_gets_a_known_json_response(served: _Served, route: Route) -> None:
    schema = schemathesis.openapi.from_dict(document())
    schema.config.update(base_url=served.url)
    case = schema[plain_path(route)][route.method].as_strategy()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case)
    def call(case: Any) -> None:
        _check(case.call(headers=served.headers))

    call()
