"""Gateways that have used TLS, stored so that plaintext is never tried with them again."""

from __future__ import annotations

from typing import Final

from sqlmodel import col, select

from models.db import Store
from models.durable import Setting

PREFIX: Final = "tls_seen:"  # prefix of the setting's key, followed by the endpoint


class TlsSeen:
    """A set of endpoints (host:port), stored in the database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._endpoints: set[str] = set()

    async def load(self) -> None:
        """Load the stored endpoints."""
        query = select(Setting.key).where(col(Setting.key).startswith(PREFIX))
        self._endpoints |= {key.removeprefix(PREFIX) for key in await self._store.read(lambda s: s.exec(query).all())}

    def __contains__(self, endpoint: object) -> bool:
        return endpoint in self._endpoints

    def add(self, endpoint: str) -> None:
        """Add and store an endpoint."""
        if endpoint not in self._endpoints:
            self._endpoints.add(endpoint)
            self._store.write_in_background(lambda s: s.merge(Setting(key=PREFIX + endpoint, value="1")))
