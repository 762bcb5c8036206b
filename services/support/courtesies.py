"""Recognition of messages that are only a greeting, thanks or goodbye. No I/O."""

from __future__ import annotations

from enum import StrEnum

from services.linear_pattern import (
    LinearPattern,  # a long row of 拜, which 拜拜 matches as well, would take exponential time with `re`
)
from services.support.faq import plain


class Courtesy(StrEnum):
    """Kinds of courtesies; each is answered with the text `courtesy_…`."""

    GREETING = "greeting"
    THANKS = "thanks"
    GOODBYE = "goodbye"
    ACKNOWLEDGEMENT = "acknowledgement"


_PATTERNS = {
    Courtesy.GREETING: "(?:你好|您好|你们好|哈喽|哈罗|嗨|hi|hello|hey|早|"
    "早上好|早安|上午好|中午好|下午好|晚上好|在吗|在不在|在么|有人吗)+",
    Courtesy.THANKS: "(?:好的|好|嗯|太|非常|十分|多|真的)*(?:谢谢|多谢|感谢|谢啦|谢了|3q|thanks|thankyou|thx)+"
    "(?:你们?|您|啦|了|哦|呀|啊|帮忙)*",
    Courtesy.GOODBYE: "(?:好的|好|那|先这样|没事了|没有了)*(?:再见|拜拜|拜|晚安|回见|bye|byebye)+(?:了|啦|哦)*",
    Courtesy.ACKNOWLEDGEMENT: "(?:好的|好吧|好嘞|好|行|可以|收到|知道了|我知道了|了解了?|明白了?|懂了|没事了|不用了|"
    "嗯|哦|噢|喔|ok|okay|哈|呵|嘿|嘻)+(?:了|的|啦)*",
}
_COMPILED = [(courtesy, LinearPattern(f"{pattern}[呀啊哦呢吧啦]*")) for courtesy, pattern in _PATTERNS.items()]


def courtesy_in(text: str) -> Courtesy | None:
    """Return the courtesy of a text; None if it says anything else."""
    normalised = plain(text)
    return next((courtesy for courtesy, pattern in _COMPILED if pattern.fullmatch(normalised)), None)
