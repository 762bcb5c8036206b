"""Limited parsing of untrusted XML: no entities, no DTD, bounded length and depth."""

from __future__ import annotations

import re
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

MAX_LENGTH: Final = 200_000  # characters; WeChat's own limit for a message is below 64 KB
MAX_DEPTH: Final = 24
MAX_ELEMENTS: Final = 4_000
_CUT_OFF: Final = frozenset({3, 5, 6})  # expat: no element found, unclosed token, partial character
_INVALID: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_BARE_AMPERSAND: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")


class _TooLarge(Exception):
    """The document is larger than any message."""


class _Builder(TreeBuilder):
    """Builds the tree, counts elements, and keeps the root: the beginning of a truncated document is used."""

    def __init__(self) -> None:
        super().__init__()
        self.root: Element | None = None
        self._depth = self._count = 0

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise _TooLarge
        element = super().start(tag, attrs)
        self.root = element if self.root is None else self.root
        return element

    def end(self, tag: Any, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def parse(text: str) -> Element | None:
    """Return the root of a document, also of a truncated one; None if it is not XML or too large.

    Unescaped control characters and &, which gateways insert, are repaired first.
    """
    text = text.strip()
    if not text.startswith("<") or len(text) > MAX_LENGTH:
        return None
    builder = _Builder()
    parser = DefusedXMLParser(target=builder, forbid_dtd=True)
    try:
        parser.feed(_BARE_AMPERSAND.sub("&amp;", _INVALID.sub("", text)))
        parser.close()
    except ParseError as error:
        return builder.root if error.code in _CUT_OFF else None
    except (_TooLarge, DefusedXmlException, ValueError, LookupError):  # the encoding does not exist
        return None
    return builder.root


def text_at(element: Element | None, path: str) -> str:
    """Return the text of the first element at a path, or ""."""
    child = None if element is None else element.find(path)
    return (child.text or "").strip() if child is not None else ""
