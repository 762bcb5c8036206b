"""TLS connections to gateways (Wechaty puppet services since 1.0), and plaintext for older ones."""

from __future__ import annotations

import ipaddress
import re
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.encoding.base import CodecBase

from protocol.batched_channel import BatchedChannel
from protocol.certificates import INSECURE_CERTIFICATE, INSECURE_KEY, WECHATY_CA

AUTHORITY: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%\[\]-]+")  # characters that HTTP/2 allows in :authority
SHIPPED_NAME: Final = "insecure"  # the name in the certificate shipped with every gateway


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """Address and trust of a gateway. `ca`: a PEM file; `name`: the expected name in its certificate."""

    endpoint: str  # host:port
    token: str
    ca: str = ""
    name: str = ""

    @property
    def host(self) -> str:
        """The host, without the brackets of an IPv6 address."""
        return self.endpoint.rpartition(":")[0].strip("[]")

    @property
    def certificate_name(self) -> str:
        """The expected name in the gateway's certificate."""
        return self.name or server_name(self.token) or (self.host if self.ca else SHIPPED_NAME)


def is_loopback(endpoint: str) -> bool:
    """Tell whether the endpoint (host:port) is on this machine, where traffic cannot be intercepted."""
    host = endpoint.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def may_be_plain(gateway: GatewayAddress, *, tls_seen: bool) -> bool:
    """Whether plaintext, which carries the token, may be tried: never after the gateway has used TLS or if a CA
    or a name is configured; on this machine traffic cannot be intercepted."""
    return not (gateway.ca or gateway.name) and (is_loopback(gateway.endpoint) or not tls_seen)


def authority(gateway: GatewayAddress, *, secure: bool) -> str:
    """Return the `:authority` of calls. Gateways before 1.0 take the token from it, in plaintext."""
    if not secure and AUTHORITY.fullmatch(gateway.token):
        return gateway.token
    return gateway.endpoint


def server_name(token: str) -> str:
    """Return the certificate name that belongs to a token: the part before its last "_", in lower case, or ""."""
    return token[: max(token.rfind("_"), 0)].lower()


def context(ca_file: str = "") -> ssl.SSLContext:
    """Create a client context that trusts only Wechaty's CA, or only the CA in `ca_file` (PEM).

    ssl.create_default_context is not used: since Python 3.13 it sets VERIFY_X509_STRICT, and Wechaty's CA lacks the key
    usage extension which that flag requires.
    """
    pem = Path(ca_file).read_text(encoding="ascii", errors="ignore") if ca_file else WECHATY_CA
    ssl_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ssl_context.load_verify_locations(cadata=pem)
    ssl_context.set_alpn_protocols(["h2"])
    return ssl_context


def server_context(certificate: str = "", key: str = "") -> ssl.SSLContext:
    """Create a server context with the given PEM files, or with the certificate shipped with every gateway."""
    ssl_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate:
        ssl_context.load_cert_chain(certificate, key or None)
    else:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # OpenSSL reads these from files only
            file.write(INSECURE_CERTIFICATE + INSECURE_KEY)
            file.flush()
            ssl_context.load_cert_chain(file.name)
    ssl_context.set_alpn_protocols(["h2"])
    return ssl_context


def make_channel(gateway: GatewayAddress, *, secure: bool, codec: CodecBase | None = None) -> Channel:
    """Return an unconnected channel to the gateway."""
    port = int(gateway.endpoint.rpartition(":")[2])
    if not secure:
        channel = BatchedChannel(gateway.host, port, codec=codec)
        channel._authority = authority(gateway, secure=False)
        return channel
    config = Configuration(ssl_target_name_override=gateway.certificate_name)
    return BatchedChannel(gateway.host, port, ssl=context(gateway.ca), config=config, codec=codec)
