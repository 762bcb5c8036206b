"""A plain gRPC client of a Wechaty puppet service, independent of the assistant's code."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.const import Cardinality

from protocol import CALLS
from tests.official import SERVER_NAME, OfficialGateway, ca_certificate
from tests.waiting import SECONDS


def tls_context(ca: str) -> ssl.SSLContext:
    """Create a client context that trusts a CA (PEM) and uses HTTP/2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ca)
    context.set_alpn_protocols(["h2"])
    return context


def self_signed(name: str) -> tuple[str, str]:
    """Return a self-signed certificate for a server name and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode(), private.decode()


class Client:
    """A channel. `tls` None means plaintext; `server_name` is the expected name in the certificate."""

    def __init__(
        self, port: int, token: str, tls: ssl.SSLContext | None = None, server_name: str = SERVER_NAME
    ) -> None:
        config = Configuration(ssl_target_name_override=server_name) if tls else None
        self.channel = Channel("127.0.0.1", port, ssl=tls, config=config)
        self.metadata = {"authorization": f"Wechaty {token}"}

    @classmethod
    def of(cls, gateway: OfficialGateway) -> Client:
        """Create a client for a gateway."""
        return cls(gateway.port, gateway.token, tls_context(ca_certificate()) if gateway.tls else None)

    def close(self) -> None:
        """Close the channel."""
        self.channel.close()

    async def call(self, name: str, seconds: float = SECONDS, /, **fields: Any) -> Any:
        """Make a unary call of protocol.CALLS with the request's fields; raise GRPCError or TimeoutError."""
        call = CALLS[name]
        async with self.channel.request(
            call.path, Cardinality.UNARY_UNARY, call.request, call.response, timeout=seconds, metadata=self.metadata
        ) as stream:
            await stream.send_message(call.request(**fields), end=True)
            return await stream.recv_message()

    async def download(self, uuid: str) -> list[bytes]:
        """Return the chunks of a file of the gateway."""
        call = CALLS["Download"]
        async with self.channel.request(
            call.path, Cardinality.UNARY_STREAM, call.request, call.response, timeout=SECONDS, metadata=self.metadata
        ) as stream:
            await stream.send_message(call.request(id=uuid), end=True)
            return [_any(chunk).chunk async for chunk in stream]

    @asynccontextmanager
    async def events(self) -> AsyncIterator[Callable[..., Any]]:
        """Open the event stream; yield a function that waits for the next event of a type and returns its payload text.

        It raises EOFError when the stream has ended.
        """
        call = CALLS["Event"]
        async with self.channel.request(
            call.path, Cardinality.UNARY_STREAM, call.request, call.response, metadata=self.metadata
        ) as stream:
            await stream.send_message(call.request(), end=True)

            ended = False

            async def next_of(kind: int) -> str:
                nonlocal ended
                while (event := _any(await asyncio.wait_for(stream.recv_message(), SECONDS))) is not None:
                    if event.type == kind:
                        return str(event.payload)
                ended = True
                raise EOFError

            yield next_of
            if not ended:
                await stream.cancel()


def _any(message: Any) -> Any:
    """Cast to the call's own message type, which grpclib does not declare."""
    return message
