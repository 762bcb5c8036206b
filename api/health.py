"""Health checks and metrics."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from sqlalchemy.exc import SQLAlchemyError

from api.app_keys import CONTAINER, METRICS
from api.container_metrics import assistant_states
from api.responses import json_response
from app.container import Container
from config.advice import advice
from config.language import Language
from models.db import Store
from services.clock import DAY
from wechat.interface import State

log = logging.getLogger(__name__)
CLOCK_WRONG = {
    "zh": "本机时钟比网关的{direction} {minutes:.0f} 分钟，请校准",
    "en": "the clock of this machine is {minutes:.0f} minutes {direction} the gateway's: set it right",
}
CLOCK_JUMPED = {
    "zh": "本机时钟突然快了 {days:.0f} 天，已暂停清理旧数据；请校准时间（时间无误则一周后自动恢复）",
    "en": "the clock jumped ahead by {days:.0f} days: nothing is pruned; set it right (or, if it is, wait for a week)",
}
FILES_FULL = {
    "zh": "磁盘空间不足或文件总量已到上限，新的图片和文件不再保存",
    "en": "there is no room for more files: new pictures and files are not kept",
}
DIRECTIONS = {"zh": ("快", "慢"), "en": ("ahead of", "behind")}
TIMEOUT = 1.5  # seconds for the database to answer


async def healthz(_request: web.Request) -> web.Response:
    """GET /healthz: 200 while the process runs."""
    return json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """GET /readyz: 200 if the database and every assistant are up, else 503, with the state of each.

    `problems` describes what needs attention, if anything.
    """
    container = request.app[CONTAINER]
    database = await _database(container.store)
    assistants = assistant_states(container)
    ready = database == "ok" and all(state is State.ONLINE for state in assistants.values())
    body: dict[str, Any] = {"ready": ready, "database": database, "assistants": assistants}
    if problems := _problems(container):
        body["problems"] = problems
    return json_response(body, 200 if ready else 503)


def _problems(container: Container) -> dict[str, str]:
    """Return problems in the operators' language, by account or setting."""
    language = container.config.language
    offline = {
        wechat.account: wechat.reason.text(language)
        for wechat in container.accounts
        if wechat.state is not State.ONLINE and wechat.reason is not None
    }
    clocks = {account: _clock(skew, language) for account, skew in container.account_clocks.wrong_clocks().items()}
    jumped = container.clock_trust.jump_seconds
    jump = {"clock": CLOCK_JUMPED[language].format(days=jumped / DAY)} if jumped else {}
    full = {container.media.limit_reached: FILES_FULL[language]} if container.media.limit_reached else {}
    return clocks | jump | full | offline | advice(container.config)


def _clock(skew: float, language: Language) -> str:
    direction = DIRECTIONS[language][skew < 0]
    return CLOCK_WRONG[language].format(direction=direction, minutes=abs(skew) / 60)


async def _database(store: Store) -> str:
    try:
        async with asyncio.timeout(TIMEOUT):
            await store.ping()
    except (SQLAlchemyError, OSError, TimeoutError, RuntimeError) as error:
        log.warning("the database does not respond: %s", type(error).__name__)
        return "down"
    return "ok"


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: Prometheus text format."""
    body = await request.app[METRICS].read()
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, "Cache-Control": "no-store"})
