"""What the resources share, under typed keys of the application and of a request."""

from __future__ import annotations

from aiohttp import web
from jinja2 import Environment

from api.connection_limits import ConnectionLimits
from api.metrics import Metrics
from api.qrcodes import QrCodes
from api.view_limit import ViewLimit
from app.assistants import Assistants
from app.container import Container

HOUSE = web.AppKey("house", Container)
METRICS = web.AppKey("metrics", Metrics)
PAGES = web.AppKey("pages", Environment)
QR_CODES = web.AppKey("qr_codes", QrCodes)
CONNECTIONS = web.AppKey("connections", ConnectionLimits)
VIEWS = web.AppKey("views", ViewLimit)
ASSISTANTS = web.AppKey("assistants", Assistants)
CLIENT = web.RequestKey("client", str)
KEY_NAME = web.RequestKey("key_name", str)  # only where the caller's key has one


def caller(request: web.Request) -> str:
    """Who asks, as the audit log writes it: the name of their key, or else where they are."""
    return f"rest:{request.get(KEY_NAME) or request[CLIENT]}"
