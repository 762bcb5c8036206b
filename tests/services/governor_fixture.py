"""Fixture: the rate limits of an account, with a clock set by the test."""

from __future__ import annotations

import random

import pytest

from config.settings import PacingSettings
from tests.services.clock import Clock
from wechat.pacing import Governor

SETTINGS = PacingSettings()


@pytest.fixture
def governor(clock: Clock) -> Governor:
    return Governor(SETTINGS, clock, random.Random(1))
