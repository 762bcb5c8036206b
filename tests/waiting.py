"""How long tests wait."""

from __future__ import annotations

from typing import Final

# Limit of a wait for an event. It is generous, for slow machines, since it costs nothing when the test passes.
SECONDS: Final = 90.0
