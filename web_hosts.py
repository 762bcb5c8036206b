"""The Host names that an HTTP listener serves.

With DNS rebinding, a web page resolves its own name to this machine and then sends requests from its own origin. That
is not possible with an IP address, localhost, or a name without a dot, which only the local network resolves (such as
container names).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit


def is_served(host: str, names: Collection[str] = ()) -> bool:
    """Tell whether a Host header is an IP address, a name without a dot, or one of `names` (lower case)."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in names or name.endswith(".localhost") or (name[:1].isalpha() and "." not in name.rstrip(".")):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
