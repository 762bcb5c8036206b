"""Join tokens in texts."""

from __future__ import annotations

import pytest

from services.groups.join_tokens import find_token

TOKEN = "QUJDREVGMDEyMzQ1"  # of ABCDEF012345


@pytest.mark.parametrize(
    ("text", "token"),
    [
        (TOKEN, TOKEN),
        (f"  {TOKEN}\n", TOKEN),
        (f"令牌{TOKEN}，谢谢", TOKEN),
        (f"x{TOKEN}", None),
        (f"{TOKEN}=", None),
        ("abcdefghijklmnop", "abcdefghijklmnop"),
        ("看abcdefghijklmnop", None),
        (f"看abcdefghijklmnop和{TOKEN}", TOKEN),
        ("abcd/fghijklmn+p", "abcd/fghijklmn+p"),
        ("1234567890123456", None),
        ("12345678901234567", None),
        ("", None),
    ],
)
def test_token_in_a_text(text: str, token: str | None) -> None:
    assert find_token(text) == token
