"""Gateway channels from an account's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpclib.client import Channel

from protocol import tls
from protocol.codec import LenientCodec
from protocol.tls import GatewayAddress

if TYPE_CHECKING:
    from config.settings import AssistantSettings


def address_of(settings: AssistantSettings, endpoint: str = "") -> GatewayAddress:
    """The address of the account's gateway. `endpoint`: the last response of the authority."""
    return GatewayAddress(endpoint or settings.endpoint, settings.token, settings.tls_ca, settings.tls_server_name)


def certificate_name(settings: AssistantSettings) -> str:
    """The name that the gateway's certificate must be for."""
    return address_of(settings).certificate_name


def make_channel(settings: AssistantSettings, *, secure: bool) -> Channel:
    """A channel to the gateway, not connected yet."""
    return tls.make_channel(address_of(settings), secure=secure, codec=LenientCodec())
