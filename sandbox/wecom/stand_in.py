"""The stand-in and the sandbox's chat page, as parts of one process."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sandbox import address
from sandbox.control.app import make_app
from sandbox.wecom.chat import ServiceChat
from sandbox.wecom.server import WecomServer
from sandbox.wecom.service import KfService
from sandbox.world.world import World

OPEN_KFID: Final = "wkAJ2GCAAASSm4_FhToWMFea0xAFfd3Q"
SETTINGS: Final = """\
assistants:
  - account: {account}
    kind: wecom
    corp_id: {corp.corp_id}
    secret: {corp.secret}
    open_kfid: {open_kfid}
    api_url: {url}
    callback: {{ token: {corp.callback_token}, aes_key: {corp.aes_key} }}"""


class StandIn:
    """The API for one account, and the page where people talk to it. `bot`: base URL of wxbot, for callbacks."""

    def __init__(self, account: str, bot: str) -> None:
        self._account = account
        self.world = World.default([account])
        self.server = WecomServer(KfService(OPEN_KFID))
        self.chat = ServiceChat(self.world, account, self.server, f"{bot}/wecom/callback/{account}")
        self.page = ""  # URL of the chat page
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0, api_port: int = 0) -> None:
        """Start listening on loopback."""
        await self.server.start(api_port)
        self.server.on_staff = self.chat.call_back
        self.chat.start()
        app = make_app(self.world, {self._account: self.server.url})
        self._runner = web.AppRunner(app, shutdown_timeout=1.0, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.page = f"http://{address('127.0.0.1')}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop both."""
        await self.chat.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        await self.server.stop()

    @property
    def settings(self) -> str:
        """What belongs into config.yaml."""
        corp, url = self.server.corp, self.server.url
        return SETTINGS.format(account=self._account, corp=corp, open_kfid=OPEN_KFID, url=url)
