"""A bare gRPC client of a Wechaty puppet service: the wire itself, with nothing of the assistant's own code."""

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

SECONDS = 20.0


def tls_context(ca: str) -> ssl.SSLContext:
    """What a client needs to trust that authority (PEM) and to speak HTTP/2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ca)
    context.set_alpn_protocols(["h2"])
    return context


def self_signed(name: str) -> tuple[str, str]:
    """A certificate of that server name and its key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode(), private.decode()


class Client:
    """One channel. `tls` None is plaintext; `server_name` is the name the certificate must carry."""

    def __init__(
        self, port: int, token: str, tls: ssl.SSLContext | None = None, server_name: str = SERVER_NAME
    ) -> None:
        config = Configuration(ssl_target_name_override=server_name) if tls else None
        self.channel = Channel("127.0.0.1", port, ssl=tls, config=config)
        self.metadata = {"authorization": f"Wechaty {token}"}

    @classmethod
    def of(cls, gateway: OfficialGateway) -> Client:
        """A client as that gateway wants it."""
        return cls(gateway.port, gateway.token, tls_context(ca_certificate()) if gateway.tls else None)

    def close(self) -> None:
        """Closes the channel."""
        self.channel.close()

    async def call(self, name: str, seconds: float = SECONDS, /, **fields: Any) -> Any:
        """One unary call of protocol.CALLS with the request's fields; returns the response. GRPCError, TimeoutError."""
        call = CALLS[name]
        async with self.channel.request(
            call.path, Cardinality.UNARY_UNARY, call.request, call.response, timeout=seconds, metadata=self.metadata
        ) as stream:
            await stream.send_message(call.request(**fields), end=True)
            return await stream.recv_message()

    async def download(self, uuid: str) -> list[bytes]:
        """The chunks of a file that the gateway keeps."""
        call = CALLS["Download"]
        async with self.channel.request(
            call.path, Cardinality.UNARY_STREAM, call.request, call.response, timeout=SECONDS, metadata=self.metadata
        ) as stream:
            await stream.send_message(call.request(id=uuid), end=True)
            return [_any(chunk).chunk async for chunk in stream]

    @asynccontextmanager
    async def events(self) -> AsyncIterator[Callable[..., Any]]:
        """The event stream: a function that waits for the next event of a type and returns its payload's text.

        EOFError when the stream has ended.
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
    """A message of the call's own type, which grpclib does not tell."""
    return message
