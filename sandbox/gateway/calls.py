"""What the protocol's calls of one account are made of."""

from __future__ import annotations

from sandbox.gateway.files import Uploads
from sandbox.world.model import Person
from sandbox.world.world import World


class CallHandlers:
    """One account's calls; a method per call of the protocol, named like it."""

    def __init__(self, world: World, account: str, uploads: Uploads) -> None:
        self._world = world
        self._account = account
        self._uploads = uploads

    @property
    def _me(self) -> Person:
        return self._world.accounts.person(self._account)
