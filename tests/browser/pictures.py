"""The README's screenshots, taken during a test with WXBOT_PICTURES=1, or `make pictures`."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.async_api import Page, expect

FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
COLOURS: Final = 200
LARGEST: Final = 200 * 1024  # bytes per picture


async def take(page: Page, name: str) -> None:
    """Save a screenshot as docs/pictures/{name}.png, if pictures are requested."""
    if not os.environ.get("WXBOT_PICTURES"):
        return
    await page.mouse.move(0, 0)
    await expect(page.locator(".toast")).to_have_count(0)
    shot = await page.screenshot(animations="disabled", caret="hide")
    small = Image.open(io.BytesIO(shot)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.png"
    small.save(path, optimize=True)
    assert path.stat().st_size < LARGEST, f"{path.name} is too large for a README"
