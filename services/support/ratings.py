"""Recognition of a customer's rating: 5, 5分, 打5分, 五星, 很满意, 不满意. No I/O."""

from __future__ import annotations

from services.linear_pattern import (
    LinearPattern,  # a long row of 给你们, which is also 给 and 你们, would take exponential time with `re`
)
from services.support.faq import plain

_DIGITS = {**{str(n): n for n in range(1, 6)}, **{"一二三四五"[n - 1]: n for n in range(1, 6)}}
_NUMBER = LinearPattern(
    r"(?:我|就|那|选|选择|回复|评分|评价|打|打个|打分|给|给个|给你|给您|给你们|你们|评|评个|是)*"
    r"([1-5一二三四五])(?:分|星|颗星|个星|星级)?(?:好评|吧|了|哦|呀|啊|谢谢|谢谢你|谢谢您|满分)*"
)
_WORDS = {
    5: "非常满意 很满意 十分满意 特别满意 超级满意 太满意了 满分 五星好评 好评",
    4: "满意 比较满意 挺满意 蛮满意",
    3: "一般 一般般 还行 还可以 凑合",
    2: "不满意 不太满意 不怎么满意 不是很满意",
    1: "非常不满意 很不满意 十分不满意 特别不满意 太差了 差评 很差",
}
_BY_WORD = {word: rating for rating, words in _WORDS.items() for word in words.split()}
_POLITE_AROUND = LinearPattern(r"^(?:我|对你们|对服务|服务|感觉|觉得|都|还)+|(?:的|了|吧|哦|呀|啊|谢谢您?|感谢)+$")


def rating_in(text: str) -> int | None:
    """Return the rating 1–5 of a text; None if it says anything else."""
    answer = plain(text)
    match = _NUMBER.fullmatch(answer)
    if match:
        return _DIGITS[match[1]]
    return _BY_WORD.get(answer) or _BY_WORD.get(_POLITE_AROUND.sub("", answer))


def is_bare_digit(text: str) -> bool:
    """Whether a text could also be the choice from a menu: 1, 2, 回复3."""
    return plain(text).removeprefix("回复") in _DIGITS
