"""Order of the test files: those that take longest come first, so that no process is left alone with one at the end.

It needs `--dist loadfile --no-loadscope-reorder`, as in the Makefile: pytest-xdist begins with the files of most tests.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from tests.browser_windows import browser, windows

__all__ = ["browser", "windows"]

settings.register_profile("untimed", settings(), deadline=None)  # an example may take long on a busy machine
settings.load_profile("untimed")

# Files that take more than ten seconds, the longest first (make test ARGS=--durations=200).
LONG = (
    "deploy/test_image.py",
    "chaos/test_kills.py",
    "cluster/test_chaos.py",
    "deploy/test_package.py",
    "stories/test_support_killed.py",
    "stories/test_flows_killed.py",
    "console/test_pages_in_a_browser.py",
    "relay/test_relay_events.py",
    "relay/test_relay_stock_clients.py",
    "relay/test_relay_fence.py",
    "clients/test_generated_clients.py",
    "relay/test_relay_kills.py",
    "test_bot_starts.py",
    "test_bot_stops.py",
    "test_bot_check.py",
    "api/test_pages_in_a_browser.py",
    "stories/test_groups_property.py",
    "deploy/test_gateway.py",
    "console/test_end_to_end.py",
    "stories/test_rest.py",
    "cluster/test_any_process.py",
    "cluster/test_handover.py",
    "stories/test_incomplete_data_on_official_gateway.py",
    "wechat/test_official_connection.py",
    "browser/test_accessibility.py",
    "browser/test_people_and_groups.py",
    "console/test_markup.py",
    "stories/test_groups_stale_data.py",
    "stories/test_groups_moderation.py",
    "browser/test_faults_and_limits.py",
    "stories/test_on_postgresql.py",
    "browser/test_chats.py",
)
HERE = Path(__file__).parent
MEMORY: Final = Path("/dev/shm")
ENOUGH: Final = 4 << 30  # bytes


def pytest_configure() -> None:
    """Keep the files of the tests in memory where there is enough; on a disk, much time is spent waiting for fsync."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first and keep the order otherwise."""
    places = {HERE / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))
