"""The aiohttp application: routes, middleware and shared objects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from api import (
    assistant,
    audit,
    broadcast,
    callback,
    cluster,
    config,
    docs,
    health,
    membership,
    message,
    qun,
    ticket,
    webhook,
    wecom,
    weiqun,
)
from api.api_keys import ApiKeys
from api.app_keys import ASSISTANTS, CONNECTIONS, CONTAINER, METRICS, PAGES, QR_CODES, VIEWS
from api.body import MAX_BYTES
from api.connection_limits import ConnectionLimits
from api.forwarding import MemberForwarding
from api.metrics import Metrics
from api.middlewares import make_middleware
from api.network import AccessControl
from api.pages import make_pages
from api.qrcodes import QrCodes
from api.view_limit import ViewLimit
from app.assistants import Assistants
from app.container import Container
from config import Config
from services.upkeep.reload import PreparedChange

NUMBER = "[0-9]{1,18}"
ROUTES = (
    web.post("/wxbot/qun", qun.create),
    web.get("/wxbot/qun", qun.find),
    web.get(f"/wxbot/qun/{{number:{NUMBER}}}", qun.read),
    web.patch(f"/wxbot/qun/{{number:{NUMBER}}}", qun.change),
    web.delete(f"/wxbot/qun/{{number:{NUMBER}}}", qun.close),
    web.get(f"/wxbot/qun/{{number:{NUMBER}}}/members", qun.members),
    web.post("/wxbot/qun/membership", membership.join),
    web.get(f"/wxbot/qun/membership/{{id:{NUMBER}}}", membership.read),
    web.delete(f"/wxbot/qun/membership/{{id:{NUMBER}}}", membership.remove),
    web.post("/wxbot/message", message.send),
    web.get(f"/wxbot/message/{{id:{NUMBER}}}", message.read),
    web.post("/wxbot/broadcast", broadcast.send),
    web.get(f"/wxbot/broadcast/{{id:{NUMBER}}}", broadcast.read),
    web.post(f"/wxbot/broadcast/{{id:{NUMBER}}}/cancel", broadcast.cancel),
    web.post("/wxbot/callback/{secret}", callback.receive),
    web.get("/wxbot/ticket", ticket.find),
    web.get(f"/wxbot/ticket/{{id:{NUMBER}}}", ticket.read),
    web.get("/wxbot/audit", audit.find),
    web.get("/wxbot/webhook", webhook.find),
    web.post(f"/wxbot/webhook/{{id:{NUMBER}}}/resend", webhook.resend),
    web.post("/wxbot/config/reload", config.reload),
    web.get("/wxbot/assistant", assistant.find),
    web.post("/wxbot/assistant", assistant.put),
    web.delete("/wxbot/assistant/{account}", assistant.remove),
    web.get("/wecom/callback/{account}", wecom.check),
    web.post("/wecom/callback/{account}", wecom.receive),
    web.get("/weiqun/{id}", weiqun.landing),
    web.get("/healthz", health.healthz),
    web.get("/readyz", health.readyz),
    web.get("/metrics", health.metrics),
    web.get("/openapi.json", docs.openapi),
    web.get("/docs", docs.docs),
)


def make_app(container: Container, assistants: Assistants) -> web.Application:
    """Create the application for a running container."""
    settings = container.config.api
    metrics = Metrics(container, assistants.in_memory)
    access, keys = AccessControl(settings), ApiKeys(settings.keys, container.clock)
    parts, peers = container.cluster, container.peers
    forwarding = MemberForwarding(container, parts, peers) if parts is not None and peers is not None else None
    app = web.Application(middlewares=[make_middleware(access, keys, metrics, forwarding)], client_max_size=MAX_BYTES)
    if forwarding is not None:
        app.add_routes(cluster.ROUTES)
    app[CONTAINER] = container
    app[ASSISTANTS] = assistants
    app[METRICS] = metrics
    app[PAGES] = make_pages()
    app[QR_CODES] = QrCodes(container.accounts, container.clock)
    app[CONNECTIONS] = ConnectionLimits(access)
    app[VIEWS] = ViewLimit(container.clock)
    app[docs.DOCUMENT] = document = docs.Document(settings)

    def prepare(new: Config) -> PreparedChange:
        def apply() -> None:
            access.configure(new.api)
            keys.configure(new.api.keys)
            document.configure(new.api)

        return PreparedChange(apply)

    container.reloader.on_reload(prepare)
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
