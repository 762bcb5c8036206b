"""The version of wxbot, said here and nowhere else; the packages read it from this line."""

from typing import Final

VERSION: Final = "1.0.0"
