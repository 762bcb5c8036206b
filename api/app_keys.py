"""Typed keys of the application and of requests."""

from __future__ import annotations

from aiohttp import web
from jinja2 import Environment

from api.connection_limits import ConnectionLimits
from api.metrics import Metrics
from api.qrcodes import QrCodes
from api.view_limit import ViewLimit
from app.assistants import Assistants
from app.container import Container

CONTAINER = web.AppKey("container", Container)
METRICS = web.AppKey("metrics", Metrics)
PAGES = web.AppKey("pages", Environment)
QR_CODES = web.AppKey("qr_codes", QrCodes)
CONNECTIONS = web.AppKey("connections", ConnectionLimits)
VIEWS = web.AppKey("views", ViewLimit)
ASSISTANTS = web.AppKey("assistants", Assistants)
CLIENT = web.RequestKey("client", str)
KEY_NAME = web.RequestKey("key_name", str)  # set only if the caller's key has a name


def caller(request: web.Request) -> str:
    """Return the caller as written to the audit log: the name of their key, else their address."""
    return f"rest:{request.get(KEY_NAME) or request[CLIENT]}"
