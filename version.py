"""The version of wxbot. The packaging reads it from this file."""

from typing import Final

VERSION: Final = "1.0.0"
