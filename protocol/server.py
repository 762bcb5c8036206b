"""What a gRPC server of the puppet service needs besides grpclib's: the token that old clients show."""

from __future__ import annotations

import hmac
from typing import Any, Final

from grpclib.server import Handler

AUTHORITY: Final = "x-authority"  # the metadata key under which a call's `:authority` is found

Headers = list[tuple[str, str]]


class AuthorityHandler(Handler):
    """Old clients (python-wechaty among them) show their token as `:authority` only; grpclib hides it."""

    def accept(self, stream: Any, headers: Headers, release_stream: Any) -> None:
        """Pass a call on, its authority among the metadata; one a client made up itself is dropped."""
        shown = [(key, value) for key, value in headers if key != AUTHORITY]
        authority = dict(headers).get(":authority", "")
        super().accept(stream, [*shown, (AUTHORITY, authority)], release_stream)


def shows_token(metadata: Any, token: str) -> bool:
    """Whether a call shows the token: as `authorization: Wechaty TOKEN`, or as old clients do in `:authority`."""
    shown = metadata.get("authorization")
    if shown is None:
        shown = f"Wechaty {metadata.get(AUTHORITY, '')}"
    kind, _, given = str(shown).partition(" ")
    return kind == "Wechaty" and hmac.compare_digest(given.encode(), token.encode())
