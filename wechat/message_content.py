"""Determines what a message is from its content.

The labels of gateways are unreliable: a quoting reply is reported as a text, a file, a link or as unknown, and its text
is the XML that WeChat's clients exchange (`<msg><appmsg>`, `<sysmsg>`). The values of `appmsg/type` are those known to
wechaty-puppet-padlocal and wechat4u.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from protocol.codec import clean
from wechat.bounded_xml import parse, text_at
from wechat.events import MessageKind
from wechat.names import clean_name

MAX_TEXT: Final = 8_000  # characters of a card's description
MAX_QUOTED: Final = 2_000
_PREFIX: Final = re.compile(r"[\w@.-]{1,100}:\s*(?:<br/>|\n)\s*(?=<|&lt;)")  # "wxid_1:\n<msg>": who speaks in a group
_ESCAPED: Final = re.compile(r"\s*&lt;(?:\?xml|msg|sysmsg|appmsg)\b")
_ROOTS: Final = frozenset({"msg", "appmsg", "sysmsg", "voipmsg", "voipinvitemsg", "voiplocalinfo"})
_NAME: Final = '["“”].{1,64}["“”]'
_PAT: Final = re.compile(rf"{_NAME} ?拍了拍 ?(?:我|自己|你|{_NAME})[^\n]{{0,60}}")
_PATTED: Final = re.compile(r"拍了拍|(?:tickled|nudged) ")
_TAKEN_BACK: Final = re.compile(rf"{_NAME} ?撤回了一条消息")

QUOTE: Final = "57"
APP_KINDS: Final = {
    "1": MessageKind.TEXT,
    "2": MessageKind.IMAGE,
    "3": MessageKind.LINK,  # music
    "4": MessageKind.LINK,  # a video's link
    "5": MessageKind.LINK,
    "6": MessageKind.FILE,
    "8": MessageKind.EMOTICON,
    "17": MessageKind.LOCATION,  # shared while it changes
    "19": MessageKind.CHAT_HISTORY,
    "24": MessageKind.CHAT_HISTORY,  # a note
    "33": MessageKind.MINI_PROGRAM,
    "36": MessageKind.MINI_PROGRAM,
    "51": MessageKind.LINK,  # 视频号
    "53": MessageKind.TEXT,  # 接龙: the list is its title
    QUOTE: MessageKind.TEXT,
    "62": MessageKind.PAT,
    "63": MessageKind.LINK,  # 视频号直播
    "76": MessageKind.LINK,  # music
    "87": MessageKind.SYSTEM,  # a group's announcement
    "92": MessageKind.LINK,  # music
    "2000": MessageKind.TRANSFER,
    "2001": MessageKind.RED_ENVELOPE,
    "2003": MessageKind.RED_ENVELOPE,
}
PARTS: Final = {
    "img": MessageKind.IMAGE,
    "voicemsg": MessageKind.AUDIO,
    "videomsg": MessageKind.VIDEO,
    "emoji": MessageKind.EMOTICON,
    "gameext": MessageKind.EMOTICON,
}


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a message.

    `text`: the text, or a card's title and description on separate lines; `target`: the URL of a link, id of a
    contact or mini-program, or coordinates of a place; `quoted`: the quoted text, of kind `quoted_kind`; `quoted_by`:
    the id or name of who is quoted.
    """

    kind: MessageKind
    text: str = ""
    target: str = ""
    quoted: str = ""
    quoted_kind: MessageKind = MessageKind.TEXT
    quoted_by: str = ""


def read_content(text: str, kind: MessageKind) -> Content:
    """Return the content of a message labelled `kind`. Never raises; content that cannot be parsed keeps its label."""
    text = clean(text)
    content = _of_note(text.strip(), kind) or _of_xml(text, kind)
    if content is not None:
        return content
    if kind is MessageKind.OTHER and text.strip() and not text.lstrip().startswith("<"):
        return Content(MessageKind.TEXT, text)
    is_xml = kind is not MessageKind.TEXT and text.lstrip().startswith("<")
    return Content(kind, "" if is_xml else text)


def hello_of(text: str) -> str:
    """Return the text of a friend request; some gateways return it as XML."""
    root = parse(text)
    return clean(root.get("content", text) if root is not None and root.tag == "msg" else text)


def _of_note(text: str, kind: MessageKind) -> Content | None:
    """Recognise a pat or a recalled message that WeChat reports as a sentence."""
    if text.startswith("<") or len(text) > MAX_QUOTED:
        return None
    if _PAT.fullmatch(text) or (kind in RELABELLED_KINDS and _PATTED.search(text)):
        return Content(MessageKind.PAT, text)
    return Content(MessageKind.RECALLED) if _TAKEN_BACK.fullmatch(text) else None


RELABELLED_KINDS: Final = (MessageKind.SYSTEM, MessageKind.TRANSFER, MessageKind.RECALLED, MessageKind.OTHER)


def _of_xml(text: str, kind: MessageKind) -> Content | None:
    prefix = _PREFIX.match(text)
    body = text[prefix.end() :] if prefix else text
    if _ESCAPED.match(body):
        body = html.unescape(body)
    root = parse(body)
    if root is None or root.tag not in _ROOTS:
        return None
    return _of_element(root, depth=0)


def _of_element(root: Element, depth: int) -> Content | None:
    if root.tag == "sysmsg":
        return _of_system(root)
    if root.tag.startswith("voip"):
        return Content(MessageKind.SYSTEM)
    app = root if root.tag == "appmsg" else root.find("appmsg")
    if app is not None:
        return _of_app(app, depth)
    for tag, kind in PARTS.items():
        if root.find(tag) is not None:
            return Content(kind)
    if (place := root.find("location")) is not None:
        return _of_place(place)
    return _of_card(root) if root.get("username") and root.get("nickname") is not None else None


def _of_system(root: Element) -> Content:
    root_type = root.get("type", "")
    if root_type == "revokemsg":
        revoked = root.find("revokemsg")
        return Content(MessageKind.RECALLED, text_at(revoked, "newmsgid") or text_at(revoked, "msgid"))
    return Content(MessageKind.PAT if root_type == "pat" else MessageKind.SYSTEM)


def _of_app(app: Element, depth: int) -> Content | None:
    number = text_at(app, "type")
    title, description, url = (text_at(app, tag) for tag in ("title", "des", "url"))
    known_kind = APP_KINDS.get(number)
    kind = known_kind or (MessageKind.LINK if url else MessageKind.OTHER)
    if not number and not title:
        return None
    if number == QUOTE:
        reference = app.find("refermsg")
        quoted = _quoted(reference, depth)
        return Content(kind, title, "", quoted.text[:MAX_QUOTED], quoted.kind, _quoted_by(reference))
    if kind is MessageKind.TEXT:
        return Content(kind, title)
    if kind in (MessageKind.TRANSFER, MessageKind.RED_ENVELOPE):
        return Content(kind, _money(app))
    if number in ("51", "63"):
        feed = app.find("finderFeed") if number == "51" else app.find("finderLive")
        title, description = text_at(feed, "nickname") or title, text_at(feed, "desc") or description
    if kind is MessageKind.MINI_PROGRAM:
        program = text_at(app, "weappinfo/username") or text_at(app, "sourceusername")
        return Content(kind, _lines(title or text_at(app, "sourcedisplayname"), description), program)
    if kind in (MessageKind.LINK, MessageKind.CHAT_HISTORY, MessageKind.OTHER):
        return Content(kind, _lines(title, description), url)
    if kind is MessageKind.FILE:
        return Content(kind, title)
    return Content(kind, title if kind is MessageKind.PAT else "")


def _quoted(quoted: Element | None, depth: int) -> Content:
    """Return what a reply quotes, a text or the content of its XML."""
    text = text_at(quoted, "content")
    root = parse(text) if depth == 0 else None
    inner = _of_element(root, depth + 1) if root is not None and root.tag in _ROOTS else None
    if inner is not None:
        return inner
    is_text = text_at(quoted, "type") in ("", "1")
    return Content(MessageKind.TEXT, text) if is_text and not text.startswith("<msg") else Content(MessageKind.OTHER)


def _quoted_by(quoted: Element | None) -> str:
    """Return who is quoted. In a group, `fromusr` is the group, and `chatusr` the person."""
    ids = (text_at(quoted, "chatusr"), text_at(quoted, "fromusr"))
    return next((id for id in ids if id and not id.endswith("@chatroom")), "") or clean_name(
        text_at(quoted, "displayname")
    )


def _money(app: Element) -> str:
    payment = app.find("wcpayinfo")
    lines = (text_at(payment, "feedesc"), text_at(payment, "pay_memo") or text_at(payment, "receivertitle"))
    return _lines(*lines).replace("\n", " ")


def _of_place(place: Element) -> Content:
    names = dict.fromkeys(filter(None, (place.get("poiname", ""), place.get("label", ""))))
    coordinates = ",".join(filter(None, (place.get("x", ""), place.get("y", ""))))
    return Content(MessageKind.LOCATION, " ".join(names)[:MAX_TEXT], coordinates if names else "")


def _of_card(root: Element) -> Content:
    name, alias = clean_name(root.get("nickname", "")), root.get("alias", "")
    return Content(MessageKind.CARD, f"{name}（{alias}）" if alias else name, root.get("username", ""))


def _lines(title: str, description: str) -> str:
    return "\n".join(filter(None, dict.fromkeys((title, description))))[:MAX_TEXT]
