"""Base class of the protocol's call handlers."""

from __future__ import annotations

from sandbox.gateway.files import Uploads
from sandbox.world.model import Person
from sandbox.world.world import World


class CallHandlers:
    """Calls of one account; each call is a method with the protocol's name for it."""

    def __init__(self, world: World, account: str, uploads: Uploads) -> None:
        self._world = world
        self._account = account
        self._uploads = uploads

    @property
    def _person(self) -> Person:
        return self._world.accounts.person(self._account)
