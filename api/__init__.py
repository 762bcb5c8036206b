"""The REST door: the services' rules over HTTP. Parse, call a service, answer."""

from api.app import make_app
from api.server import Runner

__all__ = ["Runner", "make_app"]
