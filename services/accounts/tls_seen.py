"""The gateways that have spoken TLS, kept over restarts: no plaintext is tried with them again."""

from __future__ import annotations

from typing import Final

from sqlmodel import col, select

from models.db import Store
from models.durable import Setting

PREFIX: Final = "tls_seen:"  # of the setting's key; the endpoint follows


class TlsSeen:
    """A set of endpoints (host:port) that is written through to the database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._endpoints: set[str] = set()

    async def load(self) -> None:
        """Read what is kept."""
        wanted = select(Setting.key).where(col(Setting.key).startswith(PREFIX))
        self._endpoints |= {key.removeprefix(PREFIX) for key in await self._store.read(lambda s: s.exec(wanted).all())}

    def __contains__(self, endpoint: object) -> bool:
        return endpoint in self._endpoints

    def add(self, endpoint: str) -> None:
        """Keep an endpoint."""
        if endpoint not in self._endpoints:
            self._endpoints.add(endpoint)
            self._store.write_soon(lambda s: s.merge(Setting(key=PREFIX + endpoint, value="1")))
