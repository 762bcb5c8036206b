"""Parses times as people write them, 每天9点, 每周一 8:30, 工作日 18:00, into crontab lines."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_DAYS: Final = {"一": "1", "二": "2", "三": "3", "四": "4", "五": "5", "六": "6", "日": "0", "天": "0", "末": "6,0"}
_HOUR_OFFSETS: Final = {"": 0, "早上": 0, "上午": 0, "凌晨": 0, "中午": 12, "下午": 12, "傍晚": 12, "晚上": 12}
_SPOKEN: Final = re.compile(
    r"(?P<days>每天|每日|工作日|周末|每?(?:周|星期|礼拜)(?P<week>[一二三四五六日天末](?:[、,和]?[一二三四五六日天])*)|每月(?P<month>\d{1,2})[号日])"
    r"\s*(?P<half>早上|上午|凌晨|中午|下午|傍晚|晚上|)\s*(?P<hour>\d{1,2})(?:\s*[点时:]\s*(?:(?P<minute>\d{1,2})分?|(?P<thirty>半)|整)?)"
    r"\s*(?P<text>\S.*)",
    re.DOTALL,
)


def cron_of(text: str) -> tuple[str, str] | None:
    """Split a text that begins with a time into the crontab line and the rest; None without a time."""
    match = _SPOKEN.fullmatch(_to_half_width(text.strip()))
    if match is None:
        return None
    hour, minute = int(match["hour"]), 30 if match["thirty"] else int(match["minute"] or 0)
    later = _HOUR_OFFSETS[match["half"]]
    hour += later if hour + later < 24 and not (match["half"] == "中午" and hour >= 10) else 0
    if hour > 23 or minute > 59:
        return None
    weekdays = {"工作日": "1-5", "周末": "6,0"}.get(match["days"], "*")
    if match["week"]:
        weekdays = ",".join(dict.fromkeys(_DAYS[day] for day in match["week"] if day in _DAYS))
    return f"{minute} {hour} {match['month'] or '*'} * {weekdays}", text.strip()[-len(match["text"]) :]


def _to_half_width(text: str) -> str:
    """Convert full-width digits and colons to ASCII, keeping the length."""
    return "".join(c if len(n := unicodedata.normalize("NFKC", c)) != 1 else n for c in text)
