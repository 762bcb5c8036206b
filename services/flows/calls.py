"""Calls to business systems, retried with the same idempotency key."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import stamina
from yarl import URL

from config.business import SystemSettings
from config.flow_settings import CallStep
from config.texts import Texts, fill
from services.flows.values import MissingValue, fill_body, fill_path, reason
from services.messaging.http_client import HttpClient, TooLong, describe, read_bounded
from services.strict_json import decode

log = logging.getLogger(__name__)
RETRIES: Final = 3
FIRST_WAIT: Final = 1.0  # seconds; tripled after each attempt
MAX_CONCURRENT: Final = 8  # concurrent calls per system


class CallFailed(Exception):
    """A call failed; the message is for the person. `refused`: the system rejected it and has done nothing."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class _Unavailable(Exception):
    """The system is unreachable or responds 5xx; the call is retried."""


class SystemCaller:
    """Calls the configured systems."""

    def __init__(self, http: HttpClient, systems: Mapping[str, SystemSettings], texts: Texts) -> None:
        self._http = http
        self.configure(systems)
        self._texts = texts
        self._semaphores: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(MAX_CONCURRENT))

    def configure(self, systems: Mapping[str, SystemSettings]) -> None:
        """Replace the systems."""
        self._systems = systems

    async def call(self, call: CallStep, values: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Call a system and return the JSON object of its response; raise CallFailed.

        `key` is the idempotency key of all attempts.
        """
        system = self._systems.get(call.system)
        if system is None:  # removed from the config while the flow was running
            raise CallFailed(fill(self._texts.flow_system_away, system=call.system))
        name = system.title or call.system
        try:
            path, body = fill_path(call.path, values), fill_body(call.body, values)
        except MissingValue as error:
            raise CallFailed(fill(self._texts.flow_missing, name=error)) from None
        retrying = stamina.retry_context(
            on=_Unavailable, attempts=1 + RETRIES, timeout=None, wait_initial=FIRST_WAIT, wait_max=30, wait_exp_base=3
        )
        try:
            async for attempt in retrying:
                with attempt:
                    async with self._semaphores[call.system]:
                        return await self._attempt(call, system, name, path, body, key)
        except _Unavailable as error:
            log.warning("system %s: giving up on a call: %s", call.system, error)
        raise CallFailed(fill(self._texts.flow_system_away, system=name))

    async def _attempt(
        self, call: CallStep, system: SystemSettings, name: str, path: str, body: Any, key: str
    ) -> dict[str, Any]:
        url = URL(system.base_url.rstrip("/") + path, encoded=True)
        headers = {**system.headers, "Accept": "application/json", "Idempotency-Key": key}
        try:
            async with (
                asyncio.timeout(system.timeout),
                self._http.session.request(
                    call.method, url, json=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                status, raw = response.status, await read_bounded(response)
        except TooLong:
            raise CallFailed(fill(self._texts.flow_bad_answer, system=name)) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("system %s: %s", call.system, describe(error))
            raise _Unavailable(describe(error)) from None
        return self._answer(name, status, raw)

    def _answer(self, name: str, status: int, raw: bytes) -> dict[str, Any]:
        if status >= 500:
            raise _Unavailable(f"HTTP {status}")
        try:
            answer = decode(raw.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            answer = None
        if not 200 <= status < 300:
            message = reason(answer)
            raise CallFailed(message or fill(self._texts.flow_system_refused, system=name, status=status), refused=True)
        if not isinstance(answer, dict):
            raise CallFailed(fill(self._texts.flow_bad_answer, system=name))
        return answer
