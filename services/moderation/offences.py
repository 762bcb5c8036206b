"""Detection of blocked words, foreign links and flooding."""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from config.settings import FloodSettings

# Alphabets other than the ASCII letters, except those of East Asia: Cyrillic, Greek, small capitals, Cherokee, Lisu, …
_OTHER_LETTERS: Final = re.compile(
    "[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff\u2c00-\u2dff\ua000-\uabff\U00010000-\U0001efff]"
)
_KANA: Final = str.maketrans("エカタトニハロー", "工力夕卜二八口一")  # by confusables.txt of Unicode TR39
# Letters by Unicode category that are invisible: Hangul fillers.
_INVISIBLE: Final = dict.fromkeys((0x115F, 0x1160, 0x3164, 0xFFA0))
_LINK: Final = re.compile(r"[a-z][a-z0-9+.-]{1,20}:[/\\]{2,}([^\s/\\?#，。！？、）】」》\"'<>]+)", re.IGNORECASE)
_DOMAINS: Final = (
    "com|cn|net|org|top|xyz|vip|cc|club|site|shop|store|online|info|io|me|tv|co|app|dev|link|live|pro|ltd|fun|work|"
    "icu|biz|asia|wang|hk|tw|us|uk|ru|jp|kr|ai|im|la|ws|pw|tk|ml|ga|cf|gg|space|website|tech|mobi|group|cloud|run|"
    "today|world|life|zone|center|company|city|email|media|studio|design|agency|digital|social|network|systems|"
    "pics|click|rest|sbs|cfd|bond|monster|quest|lol|beauty|hair|skin|makeup|cyou|autos|homes|boats|yachts|"
    "plus|red|ren|pub|wiki|ink|kim|chat|games|game|win|bid|loan|men|date|party|trade|stream|download|science|racing|"
    "review|webcam|cricket|accountant|faith|gdn|host|press|page|art|love|luxe|fit|fans|show|gold|video|tube|blog|"
    "ly|gl|gd|cx|to(?=/)|st(?=/)|so(?=/)|in(?=/)"
)
_CHINESE_DOMAINS: Final = "中国|中國|公司|网络|网址|商城|在线|集团|香港|网店|中文网|我爱你"
_BARE: Final = re.compile(
    rf"(?<![A-Za-z0-9@._/-])((?:[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?\.){{1,8}}(?:{_DOMAINS}))(?![A-Za-z0-9_-])",
    re.IGNORECASE | re.ASCII,
)
_CHINESE: Final = re.compile(rf"(?<![\w-])([\w-]{{1,63}}\.(?:{_CHINESE_DOMAINS}))(?![\w-])")
# Texts that phones show as links without a known domain: www.…, a name or an IPv4 address with a path, one with a port.
_WITH_PATH: Final = re.compile(
    r"(?<![A-Za-z0-9@._/-])(www\.[a-z0-9-]+(?:\.[a-z0-9-]+)+|(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}(?=/\S)"
    r"|(?:\d{1,3}\.){3}\d{1,3}(?=:\d{2,5}|/))",
    re.IGNORECASE | re.ASCII,
)
_FULL_STOP: Final = re.compile(r"(?<=[a-z0-9])。(?=[a-z])", re.IGNORECASE)
MAX_SPEAKERS: Final = 20_000


def plain(text: str) -> str:
    """Normalise a text for comparison: NFKC, casefolded, without marks on letters and invisible characters."""
    if not text.isascii():
        marked = unicodedata.normalize("NFKD", text)  # combining marks become separate characters
        text = unicodedata.normalize("NFC", "".join(c for c in marked if unicodedata.category(c) != "Mn"))
    text = text.casefold().translate(_INVISIBLE)
    return text if text.isprintable() else "".join(c for c in text if c.isprintable() or c.isspace())


def letters(text: str) -> str:
    """Return only the letters and digits of a normalised text."""
    return text if text.isalnum() else "".join(filter(str.isalnum, text))


def folded(text: str) -> str:
    """Replace the letters of a normalised text that look like other letters by these, as in Cyrillic "ѕрам"."""
    text = text.translate(_KANA)
    if _OTHER_LETTERS.search(text) is None:
        return text
    from disarm import normalize_confusables  # late: it takes 4 MB, and few texts need it

    return normalize_confusables(text).casefold()


class WordFilter:
    """Finds blocked words, ignoring look-alike letters and other characters between the letters."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words: list[tuple[str, str]] = []  # (normalised, original)
        self._signs: list[tuple[str, str]] = []  # words without letters, such as emoji
        for word in dict.fromkeys(words):
            folded_word = folded(plain(word))
            word_letters = letters(folded_word)
            (self._words if word_letters else self._signs).append((word_letters or folded_word.strip(), word))
        self._signs = [(sign, word) for sign, word in self._signs if sign]

    def __bool__(self) -> bool:
        """Whether there are any words."""
        return bool(self._words or self._signs)

    def first_match(self, text: str) -> str | None:
        """Return the first blocked word in the text, in its original form."""
        if not self:
            return None
        folded_text = folded(plain(text))
        text_letters = letters(folded_text)
        for word, original in self._words:
            if word in text_letters and _is_match(word, text_letters, folded_text):
                return original
        return next((original for sign, original in self._signs if sign in folded_text), None)


def _is_match(word: str, text_letters: str, folded_text: str) -> bool:
    """Whether a match counts: Latin words with gaps must begin and end at word boundaries (`this exam` contains
    s-e-x).
    """
    if word in folded_text or not word.isascii():
        return True
    places = [place for place, c in enumerate(folded_text) if c.isalnum()]
    return any(
        not _is_latin(folded_text, places[start] - 1) and not _is_latin(folded_text, places[start + len(word) - 1] + 1)
        for start in _occurrences(word, text_letters)
    )


def _occurrences(word: str, text: str) -> Iterator[int]:
    position = text.find(word)
    while position >= 0:
        yield position
        position = text.find(word, position + 1)


def _is_latin(text: str, place: int) -> bool:
    return 0 <= place < len(text) and text[place].isascii() and text[place].isalnum()


def host_of(url: str) -> str:
    """Return the host of a link in lower case, or "". Like browsers, accept backslashes as slashes."""
    url = url.replace("\\", "/")
    try:
        return (urlsplit(url if "://" in url else f"//{url}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_own(host: str, own_hosts: Sequence[str]) -> bool:
    """Whether a host is one of `own_hosts` or a subdomain of one."""
    return any(host == own_host or host.endswith(f".{own_host}") for own_host in own_hosts)


def foreign_link(text: str, own_hosts: Sequence[str]) -> str | None:
    """Return the host of the first link in the text that is not in `own_hosts`."""
    if "." not in (text := plain(text)) and "。" not in text and "://" not in text:
        return None
    text = _FULL_STOP.sub(".", text)
    for link in (link for pattern in (_LINK, _BARE, _WITH_PATH, _CHINESE) for link in pattern.findall(text)):
        host = host_of(link)
        if host and not is_own(host, own_hosts):
            return host
    return None


class FloodDetector:
    """Detects people who send more than a number of messages in a number of seconds."""

    def __init__(self, settings: FloodSettings) -> None:
        self._max_messages = settings.messages
        self._seconds = settings.seconds
        self._sent_at: dict[tuple[str, str, str], deque[tuple[float, float]]] = {}

    def detect(self, sender: tuple[str, str, str], arrived: float, said_at: float) -> bool:
        """Count a message of (account, room, person); return whether it is one too many, and restart the count.

        Both sending and arrival times must be within the window: a gateway's clock may stand still, and a backlog
        arrives all at once after a lost connection.
        """
        recent = self._sent_at.get(sender)
        if recent is None:
            self._make_room(arrived)
            recent = self._sent_at[sender] = deque(maxlen=self._max_messages + 1)
        recent.append((arrived, said_at))
        first_arrived_at, first_sent_at = recent[0]
        if (
            len(recent) <= self._max_messages
            or max(arrived - first_arrived_at, said_at - first_sent_at) > self._seconds
        ):
            return False
        recent.clear()
        return True

    def _make_room(self, now: float) -> None:
        if len(self._sent_at) < MAX_SPEAKERS:
            return
        idle = [key for key, times in self._sent_at.items() if not times or now - times[-1][0] > self._seconds]
        for key in idle or list(self._sent_at)[: MAX_SPEAKERS // 2]:
            del self._sent_at[key]
