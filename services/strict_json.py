"""Standard JSON, without the extensions that Python's parser accepts."""

from __future__ import annotations

import json
import math
from typing import Final, NoReturn


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("a number that JSON cannot represent")  # 1e999 would be written as Infinity
    return value


# Raises ValueError, or RecursionError for what is nested too deeply.
decode: Final = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite).decode
