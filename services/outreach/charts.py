"""Chart of a group's daily numbers.

No Chinese font may be installed, so the glyphs that are needed are in chart_font.otf, a subset of Noto Sans CJK SC:
pyftsubset NotoSansCJK-Regular.ttc --font-number=2 --unicodes=20-7e --text=…
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from config.language import Language
from services.groups.daily_stats import DayStats

FONT: Final = Path(__file__).with_name("chart_font.otf")
WIDTH, HEIGHT, MARGIN = 960, 640, 60
PANELS: Final = (("messages", "#4c78a8"), ("joins", "#54a24b"), ("leaves", "#e45756"))
TITLES: Final = {  # in characters that the font has
    "zh": {"messages": "消息", "joins": "入群", "leaves": "退群"},
    "en": {"messages": "Messages", "joins": "Joined", "leaves": "Left"},
}


def draw(days: Sequence[DayStats], language: Language = "zh") -> bytes:
    """Return a PNG with a bar chart each for messages, joins and leaves."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    canvas = ImageDraw.Draw(picture)
    font = ImageFont.truetype(FONT, 18)
    height = (HEIGHT - MARGIN) / len(PANELS)
    for row, (name, colour) in enumerate(PANELS):
        values = [getattr(day, name) for day in days]
        _bars(canvas, font, row * height, height, f"{TITLES[language][name]} ({sum(values)})", values, colour)
    step = _step(days)
    for place, day in enumerate(days):
        canvas.text((MARGIN + (place + 0.5) * step, HEIGHT - MARGIN / 2), day.date[5:], "#333", font, "mm")
    output = io.BytesIO()
    picture.save(output, "PNG")
    return output.getvalue()


def _bars(
    canvas: ImageDraw.ImageDraw,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    top: float,
    height: float,
    title: str,
    values: Sequence[int],
    colour: str,
) -> None:
    """Draw one bar chart: title, base line, and a labelled bar per day."""
    base, room = top + height - 14, height - 70
    canvas.text((MARGIN, top + 10), title, "#333", font)
    canvas.line((MARGIN, base, WIDTH - MARGIN, base), "#999")
    step = _step(values)
    for place, value in enumerate(values):
        bar_centre = MARGIN + (place + 0.5) * step
        bar_top = base - room * value / max(1, *values)
        canvas.rectangle((bar_centre - step * 0.3, bar_top, bar_centre + step * 0.3, base), colour)
        if value:
            canvas.text((bar_centre, bar_top - 4), str(value), "#333", font, "ms")


def _step(values: Sequence[object]) -> float:
    return (WIDTH - 2 * MARGIN) / max(1, len(values))
