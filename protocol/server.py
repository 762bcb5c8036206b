"""Authentication for gRPC servers of the puppet service."""

from __future__ import annotations

import hmac
from typing import Any, Final

from grpclib.server import Handler

AUTHORITY: Final = "x-authority"  # metadata key that carries a call's `:authority`

Headers = list[tuple[str, str]]


class AuthorityHandler(Handler):
    """Pass the `:authority` header to handlers: old clients such as python-wechaty send their token only there."""

    def accept(self, stream: Any, headers: Headers, release_stream: Any) -> None:
        """Accept a call and add its authority to the metadata, replacing any value sent by the client."""
        other_headers = [(key, value) for key, value in headers if key != AUTHORITY]
        authority = dict(headers).get(":authority", "")
        super().accept(stream, [*other_headers, (AUTHORITY, authority)], release_stream)


def has_token(metadata: Any, token: str) -> bool:
    """Tell whether a call has the token, in `authorization: Wechaty TOKEN` or, from old clients, in `:authority`."""
    credentials = metadata.get("authorization")
    if credentials is None:
        credentials = f"Wechaty {metadata.get(AUTHORITY, '')}"
    scheme, _, presented_token = str(credentials).partition(" ")
    return scheme == "Wechaty" and hmac.compare_digest(presented_token.encode(), token.encode())
