"""Fixture: the rate limits of an account, with a clock set by the test."""

from __future__ import annotations

import random

import pytest

from config.settings import PacingSettings
from tests.services.clock import Clock
from wechat.rate_limiter import RateLimiter

SETTINGS = PacingSettings()


@pytest.fixture
def limiter(clock: Clock) -> RateLimiter:
    return RateLimiter(SETTINGS, clock, random.Random(1))
