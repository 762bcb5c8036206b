"""The web application: its parts, its one middleware, its routes."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from api import audit, callback, docs, health, membership, message, qun, ticket, webhook, weiqun
from api.api_keys import ApiKeys
from api.app_keys import HOUSE, METRICS, PAGES, QR_CODES, VIEWS
from api.body import MAX_BYTES
from api.metrics import InMemory, Metrics
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
    web.get(f"/wxbot/qun/{{number:{NUMBER}}}/members", qun.members),
    web.post("/wxbot/qun/membership", membership.join),
    web.get(f"/wxbot/qun/membership/{{id:{NUMBER}}}", membership.read),
    web.delete(f"/wxbot/qun/membership/{{id:{NUMBER}}}", membership.remove),
    web.post("/wxbot/message", message.send),
    web.get(f"/wxbot/message/{{id:{NUMBER}}}", message.read),
    web.post("/wxbot/callback/{secret}", callback.receive),
    web.get("/wxbot/ticket", ticket.find),
    web.get(f"/wxbot/ticket/{{id:{NUMBER}}}", ticket.read),
    web.get("/wxbot/audit", audit.find),
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
    access, keys = AccessControl(settings), ApiKeys(settings.keys, container.clock)
    app = web.Application(middlewares=[make_middleware(access, keys, metrics)], client_max_size=MAX_BYTES)
    app[HOUSE] = container
    app[METRICS] = metrics
    app[PAGES] = make_pages()
    app[QR_CODES] = QrCodes(container.accounts, container.clock)
    app[VIEWS] = ViewLimit(container.clock)
    app[docs.DOCUMENT] = docs.Document(settings)
    app.cleanup_ctx.append(_qr_codes)
    app.add_routes(ROUTES)
    return app


async def _qr_codes(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[QR_CODES].close()
