"""Middleware of all requests: access control, API keys, JSON errors, metrics."""

from __future__ import annotations

import logging
import time
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from sqlalchemy.exc import DBAPIError

from api.api_keys import ApiKeys, scopes_for
from api.app_keys import CLIENT, KEY_NAME
from api.forwarding import MemberForwarding
from api.metrics import UNMATCHED, Metrics
from api.network import AccessControl
from api.responses import as_bot_error, convert_http_error, error_response
from errors import AssistantOffline, BotError, DatabaseAway, OutsideNetwork, WeChatError
from logs import RateLimitedLog
from models.db import is_away
from models.fence import WriteRefused

log = logging.getLogger(__name__)
rejection_log = RateLimitedLog(log)  # rejected requests, whose number is not limited
OPEN_TO_ALL: Final = frozenset({"/weiqun/{id}", "/wecom/callback/{account}"})
CALLBACK_PREFIX: Final = "/wxbot/callback/"  # the URL contains its own secret
KEYED_PREFIX: Final = "/wxbot/"
RATE_LIMITED_STATUSES: Final = frozenset({400, 401, 403, 404, 429})
DATABASE_RETRY: Final = 5.0  # the Retry-After while the database is unavailable, in seconds


def make_middleware(
    access: AccessControl, keys: ApiKeys, metrics: Metrics, forwarding: MemberForwarding | None = None
) -> Middleware:
    """Create the only middleware; a single one, because each costs time in every request.

    `forwarding`: forwards requests to other processes of a cluster.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else UNMATCHED
        response = await _answer(request, handler, access, keys, route, forwarding)
        metrics.observe(request.method, route, response.status, time.perf_counter() - started)
        return response

    return middleware


async def _answer(
    request: web.Request,
    handler: Handler,
    access: AccessControl,
    keys: ApiKeys,
    route: str,
    forwarding: MemberForwarding | None,
) -> web.StreamResponse:
    try:
        if forwarding is None:
            _check(request, access, keys, route)
            response = await handler(request)
        else:
            is_forwarded = forwarding.admit(request)
            if not is_forwarded:
                _check(request, access, keys, route)
            response = await forwarding.handle(request, route, handler, is_forwarded=is_forwarded)
    except BotError as error:
        return _reject(request, route, error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        rejection_log.info(str(error.status), "%s %s: %d", request.method, route, error.status)
        return convert_http_error(error)
    except (WeChatError, WriteRefused, DBAPIError) as error:
        return _reject(request, route, _translate(error) or _fault(request, route))
    except ConnectionError:
        raise  # the client has disconnected
    except Exception:  # noqa: BLE001 - every error becomes a JSON response
        return _reject(request, route, _fault(request, route))
    log.debug("%s %s: %d", request.method, route, response.status)
    return response


def _check(request: web.Request, access: AccessControl, keys: ApiKeys, route: str) -> None:
    """Check the host name, the network and the key; raise BotError."""
    access.check_host(request)
    client = access.client(request)
    request[CLIENT] = client.text
    if not client.allowed and route not in OPEN_TO_ALL:
        raise OutsideNetwork(client.text)
    if route.startswith(KEYED_PREFIX):
        access.check_page(request)
    if route.startswith(KEYED_PREFIX) and not route.startswith(CALLBACK_PREFIX):
        request[KEY_NAME] = keys.check(request, client.text, scopes_for(request.method, route))


def _reject(request: web.Request, route: str, error: BotError) -> web.Response:
    if error.status in RATE_LIMITED_STATUSES:
        rejection_log.info(str(error.code), "%s %s: %s", request.method, route, error)
    else:
        log.info("%s %s: %s", request.method, route, error)
    return error_response(error)


def _translate(error: WeChatError | WriteRefused | DBAPIError) -> BotError | None:
    """Translate an error below the API; None means an internal error."""
    if isinstance(error, WeChatError):
        return as_bot_error(error)
    if isinstance(error, WriteRefused):  # another process serves the account by now
        return AssistantOffline(f"{type(error).__name__}: {error}", retry_after=DATABASE_RETRY)
    return DatabaseAway(type(error).__name__, retry_after=DATABASE_RETRY) if is_away(error) else None


def _fault(request: web.Request, route: str) -> BotError:
    log.exception("%s %s failed", request.method, route)
    return BotError()
