"""Gateway channels from an account's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpclib.client import Channel

from protocol import tls
from protocol.codec import LenientCodec
from protocol.tls import GatewayAddress

if TYPE_CHECKING:
    from config.settings import AssistantSettings


def _address(settings: AssistantSettings) -> GatewayAddress:
    return GatewayAddress(settings.endpoint, settings.token, settings.tls_ca, settings.tls_server_name)


def certificate_name(settings: AssistantSettings) -> str:
    """Return the expected name in the gateway's certificate."""
    return _address(settings).certificate_name


def make_channel(settings: AssistantSettings, *, secure: bool) -> Channel:
    """Create a channel to the gateway; it connects on the first call."""
    return tls.make_channel(_address(settings), secure=secure, codec=LenientCodec())
