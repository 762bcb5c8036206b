"""The REST API: parse a request, call a service, return JSON."""

from api.app import make_app
from api.server import Runner

__all__ = ["Runner", "make_app"]
