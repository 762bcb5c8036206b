"""Client of the HTTP API: access tokens, and translation of error codes."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import Any, Final

import aiohttp

from errors import (
    WeChatError,
    WeChatExpired,
    WeChatNotYet,
    WeChatOffline,
    WeChatRefused,
    WeChatTaken,
    WeChatTooFast,
    WeChatUnknown,
    WeChatUnsupported,
)
from protocol.codec import clean_json
from wechat.entities import Media
from wechat.gateway_clock import GatewayClock
from wechat.problems import Problem, Reason
from wecom import codes
from wecom.storage import AccessToken, Storage

log = logging.getLogger(__name__)
EXPIRY_MARGIN: Final = 300.0  # seconds before its expiry that a token is replaced
TIMEOUT: Final = aiohttp.ClientTimeout(total=30.0, connect=5.0)
MIN_FILE: Final = 6  # bytes per file
MAX_FILE: Final = 20 * 1024**2
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class ApiRefused(WeChatRefused):
    """An error code without a specific exception."""

    def __init__(self, call: str, code: int, text: str) -> None:
        super().__init__(call, f"{code} {text}")
        self.code = code


class NotAdmitted(WeChatOffline):
    """The platform rejects all calls of this app: wrong secret, or untrusted IP address."""

    def __init__(self, call: str, reason: Reason) -> None:
        super().__init__(call, str(reason))
        self.reason = reason


class WecomApi:
    """The API for one app of a corp. `may_call`: whether calls are allowed now; otherwise they raise WeChatOffline."""

    def __init__(
        self,
        base_url: str,
        corp_id: str,
        secret: str,
        storage: Storage,
        clock: Callable[[], float] = time.time,
        may_call: Callable[[], bool] = lambda: True,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._corp_id = corp_id
        self._secret = secret
        self._storage = storage
        self._clock = clock
        self._may_call = may_call
        self._token: AccessToken | None = None
        self._token_lock = asyncio.Lock()
        self._http: aiohttp.ClientSession | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self.platform_clock = GatewayClock()

    def disconnect(self) -> None:
        """Close the connections now: running calls fail. Later calls open new ones."""
        http, self._http = self._http, None
        if http is not None:
            closing = asyncio.create_task(http.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close the connections."""
        self.disconnect()
        await asyncio.gather(*self._closing)

    # ---- calls ----

    async def call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST a JSON object and return the response. A token that became invalid early is replaced once."""
        return await self._with_token(path, lambda token: self._post(path, token, json=body))

    async def upload(self, kind: str, media: Media) -> str:
        """Upload a temporary file (kept for three days); return its media_id. `kind`: image, voice, video or file.

        Raises WeChatUnsupported for a file that the platform does not take (document 90253).
        """
        if not MIN_FILE <= media.size <= MAX_FILE:
            limits = f"the platform takes files of {MIN_FILE} bytes to {MAX_FILE // 1024**2} MB"
            raise WeChatUnsupported("media/upload", f"{media.size} bytes; {limits}")

        async def post(token: str) -> dict[str, Any]:
            form = aiohttp.FormData(quote_fields=False)  # the platform shows a percent-encoded name as it is
            name = _CONTROL.sub(" ", media.name)
            form.add_field("media", media.data, filename=name, content_type="application/octet-stream")
            response: dict[str, Any] = await self._post("media/upload", token, params={"type": kind}, data=form)
            return response

        answer = await self._with_token("media/upload", post)
        return str(answer["media_id"])

    async def download(self, media_id: str) -> Media:
        """Download a file by its media_id."""
        answer = await self._with_token("media/get", lambda token: self._get_media(media_id, token))
        if "data" not in answer:
            raise WeChatUnknown("media/get", "the response has no file")
        return Media(answer["name"], answer["data"])

    async def picture(self, url: str) -> bytes:
        """Download an image by its URL."""
        async with self._session("picture").get(url) as response:
            response.raise_for_status()
            return await response.content.read(MAX_FILE)

    async def _with_token(self, call: str, post: Callable[[str], Any]) -> dict[str, Any]:
        token = await self._current()
        answer: dict[str, Any] = await self._answered(call, post(token))
        if answer.get("errcode", 0) in codes.INVALID_TOKEN:
            token = await self._current(rejected=token)
            answer = await self._answered(call, post(token))
        check(call, answer)
        return answer

    async def _answered(self, call: str, request: Any) -> Any:
        try:
            answer = await request
        except aiohttp.ClientConnectorError as error:
            raise WeChatOffline(call, type(error).__name__) from error
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise WeChatUnknown(call, type(error).__name__) from error
        if not isinstance(answer, dict):
            raise WeChatUnknown(call, "the response is not a JSON object")
        return answer

    # ---- access token ----

    async def _current(self, rejected: str = "") -> str:
        """Return a usable token other than `rejected`: this process's, one of another process, or a new one."""
        async with self._token_lock:
            if not self._is_usable(self._token, rejected):
                self._token = await self._storage.token()
            if not self._is_usable(self._token, rejected):
                self._token = await self._fetch()
                await self._storage.store_token(self._token)
            assert self._token is not None
            return self._token.value

    def _is_usable(self, token: AccessToken | None, rejected: str) -> bool:
        return token is not None and token.value != rejected and token.expires_at > self._clock() + EXPIRY_MARGIN

    async def _fetch(self) -> AccessToken:
        params = {"corpid": self._corp_id, "corpsecret": self._secret}
        answer = await self._answered("gettoken", self._get("gettoken", params))
        check("gettoken", answer)
        return AccessToken(str(answer["access_token"]), self._clock() + float(answer["expires_in"]))

    # ---- HTTP ----

    def _session(self, call: str) -> aiohttp.ClientSession:
        if not self._may_call():
            raise WeChatOffline(call, "not connected")
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=TIMEOUT)
        return self._http

    async def _get(self, path: str, params: dict[str, str]) -> Any:
        async with self._session(path).get(f"{self._base_url}/cgi-bin/{path}", params=params) as response:
            return await _json(response)

    async def _post(self, path: str, token: str, *, params: dict[str, str] | None = None, **options: Any) -> Any:
        url, query = f"{self._base_url}/cgi-bin/{path}", {"access_token": token, **(params or {})}
        async with self._session(path).post(url, params=query, **options) as response:
            self.platform_clock.read(response.headers)
            return await _json(response)

    async def _get_media(self, media_id: str, token: str) -> dict[str, Any]:
        url, query = f"{self._base_url}/cgi-bin/media/get", {"access_token": token, "media_id": media_id}
        async with self._session("media/get").get(url, params=query) as response:
            disposition = response.content_disposition
            if disposition is None and response.content_type in ("application/json", "text/plain"):  # an error
                answer: dict[str, Any] = await _json(response)
                return answer
            name = ((disposition and disposition.filename) or media_id).encode(errors="replace").decode()
            return {"name": name, "data": await response.read()}


def check(call: str, answer: dict[str, Any]) -> None:
    """Raise the exception for an error code."""
    code, text = int(answer.get("errcode", 0)), str(answer.get("errmsg", ""))
    if code == 0:
        return
    if code in codes.TOO_OFTEN:
        raise WeChatTooFast(call, f"{code} {text}")
    if code == codes.BUSY:
        raise WeChatUnknown(call, f"{code} {text}")
    if code == codes.IP_REFUSED:
        raise NotAdmitted(call, Reason(Problem.ADDRESS_REFUSED, text))
    if code in (codes.BAD_SECRET, codes.BAD_CORP):
        raise NotAdmitted(call, Reason(Problem.SECRET_REFUSED, str(code)))
    raise _of_messages(call, code, text)


def _of_messages(call: str, code: int, text: str) -> WeChatError:
    if code == codes.TIME_LIMIT:
        return WeChatExpired(call, codes.FAILURES[4])
    if code == codes.COUNT_LIMIT:
        return WeChatNotYet(call, codes.FAILURES[6])
    if code in codes.SESSION_STATE:
        return WeChatTaken(call, f"{code} the session is with a member of staff, or has ended")
    return ApiRefused(call, code, text)


async def _json(response: aiohttp.ClientResponse) -> Any:
    return clean_json(await response.json(content_type=None))
