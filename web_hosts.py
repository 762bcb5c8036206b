"""Which Host names an HTTP listener answers to.

A web page can point a name of its own at this machine (DNS rebinding) and then talk to it as its own origin. It cannot
do so with an IP address, with localhost, or with a name without a dot, which only the local network resolves (as the
names of containers).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit


def is_served(host: str, names: Collection[str] = ()) -> bool:
    """Whether a Host header names an IP address, a name without a dot, or one of the lower-case `names`."""
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
