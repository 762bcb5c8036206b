"""Host names that are served: those that cannot be pointed to this machine by DNS, and configured ones."""

from __future__ import annotations

import pytest

from web_hosts import is_served


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8080",
        "[::1]:8080",
        "10.1.2.3",
        "localhost",
        "LOCALHOST:80",
        "a.localhost:1",
        "wxbot:8080",
    ],
)
def test_addresses_and_localhost_are_served(host: str) -> None:
    assert is_served(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "[::1",
        "evil.example.",
    ],
)
def test_foreign_names_are_not_served(host: str) -> None:
    assert not is_served(host)


@pytest.mark.parametrize("host", ["bot.example", "BOT.example:8080"])
def test_configured_names_are_served(host: str) -> None:
    assert is_served(host, {"bot.example"})
    assert not is_served(f"x{host}", {"bot.example"})
