"""The web application: its parts, its one middleware, its routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from api import callback, docs, health, membership, message, qun, webhook, weiqun
from api.app_keys import HOUSE, METRICS, PAGES, QR_CODES, VIEWS
from api.body import MAX_BYTES
from api.container_metrics import InMemory
from api.metrics import Metrics
from api.middlewares import make_middleware
from api.network import AccessControl
from api.pages import make_pages
from api.qrcodes import QrCodes
from api.view_limit import ViewLimit
from app.container import Container

NUMBER = "[0-9]{1,18}"
ROUTES = (
    web.post("/wxbot/qun", qun.create),
    web.get("/wxbot/qun", qun.find),
    web.get(f"/wxbot/qun/{{number:{NUMBER}}}", qun.read),
    web.post("/wxbot/qun/membership", membership.join),
    web.get(f"/wxbot/qun/membership/{{id:{NUMBER}}}", membership.read),
    web.delete(f"/wxbot/qun/membership/{{id:{NUMBER}}}", membership.remove),
    web.post("/wxbot/message", message.send),
    web.get(f"/wxbot/message/{{id:{NUMBER}}}", message.read),
    web.post("/wxbot/callback/{secret}", callback.receive),
    web.get("/wxbot/webhook", webhook.find),
    web.post(f"/wxbot/webhook/{{id:{NUMBER}}}/resend", webhook.resend),
    web.get("/weiqun/{id}", weiqun.landing),
    web.get("/healthz", health.healthz),
    web.get("/readyz", health.readyz),
    web.get("/metrics", health.metrics),
    web.get("/openapi.json", docs.openapi),
    web.get("/docs", docs.docs),
)


def make_app(container: Container, *, inboxes: InMemory = dict) -> web.Application:
    """Build the application over a house. `inboxes` tells how many events each account has in memory."""
    settings = container.config.api
    metrics = Metrics(container, inboxes)
    door = AccessControl(settings.allowed_networks, settings.trusted_proxies, settings.keys, settings.public_url)
    app = web.Application(middlewares=[make_middleware(door, metrics)], client_max_size=MAX_BYTES)
    app[HOUSE] = container
    app[METRICS] = metrics
    app[PAGES] = make_pages()
    app[QR_CODES] = QrCodes(container.accounts, container.clock)
    app[VIEWS] = ViewLimit(container.clock)
    app[docs.DOCUMENT] = docs.Document(settings)
    app.cleanup_ctx.append(_qr_codes)
    app.cleanup_ctx.append(_metrics)
    app.add_routes(ROUTES)
    return app


async def _qr_codes(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[QR_CODES].close()


async def _metrics(app: web.Application) -> AsyncIterator[None]:
    measuring = asyncio.create_task(app[METRICS].run())
    yield
    measuring.cancel()
    await asyncio.gather(measuring, return_exceptions=True)
    await app[METRICS].close()
