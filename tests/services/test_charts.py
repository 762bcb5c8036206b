"""The chart of a daily report, as its pixels show it."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator

import pytest
from PIL import Image

from services.groups.daily_stats import DayStats
from services.outreach.charts import HEIGHT, MARGIN, PANELS, WIDTH, draw

MESSAGES, JOINS, LEAVES = (colour for _, colour in PANELS)
LINE = "#999999"
DARK = 0x80  # texts are darker than this, lines and bars are not
Box = tuple[int, int, int, int]  # the first and the last column, the first and the last row


class Chart:
    """A chart that was drawn, with the places of its colours."""

    def __init__(self, *days: DayStats) -> None:
        self.picture = Image.open(io.BytesIO(draw(days))).convert("RGB")
        pixels = self.picture.tobytes()
        self._places: dict[str, list[tuple[int, int]]] = {"dark": []}
        for at in range(0, len(pixels), 3):
            red, green, blue = pixels[at : at + 3]
            if (red, green, blue) == (255, 255, 255):
                continue
            place = (at // 3 % WIDTH, at // 3 // WIDTH)
            self._places.setdefault(f"#{red:02x}{green:02x}{blue:02x}", []).append(place)
            if max(red, green, blue) < DARK:
                self._places["dark"].append(place)

    def box(self, colour: str) -> Box:
        """What a colour covers."""
        return _box(self._places[colour])

    def bars(self, colour: str) -> list[Box]:
        """The bars of a panel, from the left."""
        places = self._places[colour]
        return [_box([(x, y) for x, y in places if left <= x <= right]) for left, right in _runs(x for x, _ in places)]

    def dark(self, left: float, right: float, top: float, bottom: float) -> list[tuple[int, int]]:
        """The pixels of texts in a part of the picture."""
        return [(x, y) for x, y in self._places["dark"] if left <= x <= right and top <= y <= bottom]

    def lines(self) -> list[Box]:
        """The base lines of the panels, from the top."""
        places = self._places[LINE]  # and single pixels of texts
        rows = Counter(y for _, y in places)
        return [_box([(x, y) for x, y in places if y == row]) for row in sorted(rows) if rows[row] > MARGIN]


def _box(places: list[tuple[int, int]]) -> Box:
    columns, rows = [x for x, _ in places], [y for _, y in places]
    return min(columns), max(columns), min(rows), max(rows)


def _runs(numbers: Iterator[int]) -> list[tuple[int, int]]:
    """The first and the last of each series of successive numbers."""
    runs: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        runs = [*runs[:-1], (runs[-1][0], number)] if runs and runs[-1][1] == number - 1 else [*runs, (number, number)]
    return runs


def _days(*messages: int) -> list[DayStats]:
    return [DayStats(f"2026-11-{number:02}", messages=count) for number, count in enumerate(messages, 1)]


def _height(bar: Box) -> int:
    return bar[3] - bar[2]


def test_bars_show_the_ratio_of_the_numbers_of_a_panel() -> None:
    quarter, half, whole = Chart(*_days(5, 10, 20)).bars(MESSAGES)
    assert _height(whole) > 100
    assert _height(half) == pytest.approx(_height(whole) / 2, abs=1)
    assert _height(quarter) == pytest.approx(_height(whole) / 4, abs=1)


def test_highest_bar_is_as_high_for_one_as_for_a_hundred() -> None:
    chart = Chart(DayStats("2026-11-01", joins=1, leaves=2, messages=100))
    heights = [_height(*chart.bars(colour)) for colour in (MESSAGES, JOINS, LEAVES)]
    assert heights == [pytest.approx(heights[0], abs=1)] * 3


def test_panels_lie_below_one_another_and_do_not_overlap() -> None:
    chart = Chart(DayStats("2026-11-01", joins=1, leaves=2, messages=100))
    assert chart.picture.size == (WIDTH, HEIGHT) == (960, 640)
    boxes = [chart.box(colour) for colour in (MESSAGES, JOINS, LEAVES)]
    lines = chart.lines()
    assert len(lines) == 3
    assert [abs(box[3] - line[3]) <= 1 for box, line in zip(boxes, lines, strict=True)] == [True] * 3
    assert boxes[0][3] < boxes[1][2] < boxes[1][3] < boxes[2][2] < boxes[2][3] < HEIGHT - MARGIN


def test_base_lines_reach_from_margin_to_margin() -> None:
    lines = Chart(*_days(3, 0, 2)).lines()
    assert [(left, right) for left, right, *_ in lines] == [(MARGIN, WIDTH - MARGIN)] * 3


@pytest.mark.parametrize("count", [1, 2, 14])
def test_bars_stand_in_the_middle_of_equal_parts_of_the_width(count: int) -> None:
    bars = Chart(*_days(*[4] * count)).bars(MESSAGES)
    part = (WIDTH - 2 * MARGIN) / count
    middles = [MARGIN + (place + 0.5) * part for place in range(count)]
    assert [(left + right) / 2 for left, right, *_ in bars] == [pytest.approx(middle, abs=1) for middle in middles]
    assert [right - left for left, right, *_ in bars] == [pytest.approx(0.6 * part, abs=2)] * count


def test_numbers_stand_right_above_their_bars() -> None:
    chart = Chart(*_days(7, 4))
    for left, right, top, bottom in chart.bars(MESSAGES):
        number = _box(chart.dark(left, right, top - 40, bottom))
        assert top - 12 < number[3] < top, "close to the bar and not in it"
        assert (number[0] + number[1]) / 2 == pytest.approx((left + right) / 2, abs=2)


def test_days_without_anything_have_a_base_line_and_no_number() -> None:
    chart = Chart(*_days(0, 0))
    texts = _runs(y for _, y in chart.dark(0, WIDTH, 0, HEIGHT))
    assert len(texts) == 4, "three titles, and the dates"
    assert [_height(bar) for colour in (MESSAGES, JOINS, LEAVES) for bar in chart.bars(colour)] == [0] * 6


def test_titles_stand_whole_at_the_top_of_their_panels() -> None:
    chart = Chart(*_days(0, 0))
    *titles, _ = _runs(y for _, y in chart.dark(0, WIDTH, 0, HEIGHT))
    lines = [row for *_, row in chart.lines()]
    heights = [bottom - top for top, bottom in titles]
    assert heights == [pytest.approx(heights[0], abs=1)] * 3
    assert titles[0][1] < lines[0] < titles[1][0] < titles[1][1] < lines[1] < titles[2][0] < titles[2][1] < lines[2]
    assert lines[0] - titles[0][1] > 100
    assert _box(chart.dark(0, WIDTH, 0, lines[0]))[0] == pytest.approx(MARGIN, abs=2)


def test_title_shows_the_sum_of_the_days() -> None:
    shown = {
        (item, two): sorted(Chart(*_days(item, two)).dark(0, WIDTH / 4, 0, MARGIN / 2))
        for item, two in ((1, 9), (5, 5), (9, 9))
    }
    assert shown[1, 9] == shown[5, 5] != shown[9, 9]


def test_month_and_day_stand_below_each_bar_in_the_middle_of_the_margin() -> None:
    chart = Chart(*_days(1, 2, 3))
    bars = chart.bars(MESSAGES)
    half = (WIDTH - 2 * MARGIN) / 6
    for left, right, *_ in bars:
        middle = (left + right) / 2
        date = chart.dark(middle - half, middle + half, HEIGHT - MARGIN, HEIGHT)
        across, down = _box(date)[:2], _box(date)[2:]
        assert sum(across) / 2 == pytest.approx(middle, abs=2)
        assert sum(down) / 2 == pytest.approx(HEIGHT - MARGIN / 2, abs=4)
        assert len(_runs(x for x, _ in date)) == len("11-01")


def test_chart_of_no_days_has_titles_and_lines_only() -> None:
    chart = Chart()
    assert len(chart.lines()) == 3
    assert len(_runs(y for _, y in chart.dark(0, WIDTH, 0, HEIGHT))) == 3
