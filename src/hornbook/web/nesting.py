"""Whether a page is nested so that a parser would take without end, told before it is parsed.

A parser's time grows with the elements that are open, summed over the tags, and its memory with the
formatting elements that it makes anew. Few pages have the tags for that, so nearly all are done
when these are counted.
"""

import re
from collections import Counter
from math import isqrt

DEEPEST = 512  # elements open at once, as in browsers; a parser has no trouble with them
# elements open beyond those, summed over the tags: a few nanoseconds each
MOST_STEPS = 40_000_000
# A formatting element that is left open is made anew in every block after it, so what counts is
# how many are open, and how many the parser has to make in all (a microsecond or two, 360 bytes)
MOST_REMADE = 500_000
# tags that begin an element, below which the one and the other cannot be reached
FEWEST_DEEP = isqrt(2 * MOST_STEPS)
FEWEST_REMADE = 2 * isqrt(MOST_REMADE)
FORMATS = frozenset(b"a b big code em font i nobr s small strike strong tt u".split())
# hold nothing, or are closed by what follows them
SHALLOW = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li dt dd tr td th "
    b"tbody thead tfoot option optgroup colgroup rp rt html body".split()
)
CELLS = frozenset(b"td th tr caption".split())
FOREIGN = (b"svg", b"math")
# of links none stays open: the next one ends it
STAYING = re.compile(
    rb"<(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/>]", re.IGNORECASE
)
# every branch takes what it looks at, to the end if need be: linear on any input
TAG = re.compile(
    rb"<(?:!--.*?(?:-->|\Z)|(script|style|textarea|title|xmp|iframe)\b.*?(?:</\1|\Z)"
    rb"|(/?)([a-z][^\s/>]*)([^>]*)>?)",
    re.DOTALL | re.IGNORECASE,
)


def is_too_deep(html: bytes) -> bool:
    """Whether a page has so many tags open over others that no parser should see it."""
    return may_be_deep(html) and OpenTags().is_too_deep(html)


def may_be_deep(html: bytes) -> bool:
    """Whether a page has the tags that it takes; they are counted in microseconds.

    What stands in comments and scripts counts too, so nothing can be hidden there.
    """
    import numpy as np

    raw = np.frombuffer(html, dtype=np.uint8)
    is_sign = raw == ord("<")
    begun = np.count_nonzero(is_sign)
    if begun < FEWEST_REMADE:
        return False
    begun -= np.count_nonzero(is_sign[:-1] & (raw[1:] == ord("/")))
    if not FEWEST_REMADE <= begun < FEWEST_DEEP:
        return bool(begun >= FEWEST_DEEP)
    formats = len(STAYING.findall(html))
    return bool(formats * (begun - formats) > MOST_REMADE)


class OpenTags:
    """What is open at a place of a page, about as a parser would have it."""

    def __init__(self) -> None:
        self.open: list[bytes] = []
        self.formats: list[tuple[bytes, bytes]] = []  # name and attributes
        self._open_of: Counter[bytes] = Counter()
        self._formats_of: Counter[tuple[bytes, bytes]] = Counter()
        self._formats_before: list[int] = []  # how many were open before each open table
        self.remade = self.steps = 0

    def is_too_deep(self, html: bytes) -> bool:
        """Whether one of the limits is passed; the rest of the page is not looked at then."""
        for match in TAG.finditer(html):
            raw, slash, name, attributes = match.groups()
            if raw or not name:
                continue
            name = name.lower()
            if slash:
                self._close(name)
            else:
                self._begin(name, attributes)
                self.steps += max(0, len(self.open) + len(self.formats) - DEEPEST)
            if self.steps > MOST_STEPS or self.remade > MOST_REMADE:
                return True
        return False

    def _begin(self, name: bytes, attributes: bytes) -> None:
        if name in FORMATS:
            self._format(name, attributes)
            return
        self.remade += len(self.formats)
        if name in SHALLOW:
            if name in CELLS:
                self._forget_formats()
            return
        if attributes.endswith(b"/") and any(self._open_of[one] for one in FOREIGN):
            return
        self.open.append(name)
        self._open_of[name] += 1
        if name == b"table":
            self._formats_before.append(len(self.formats))

    def _format(self, name: bytes, attributes: bytes) -> None:
        """One more; a link ends the one before it, and of equal ones a parser keeps three."""
        if name == b"a":
            self._close(name)
        one = name, attributes
        if self._formats_of[one] < 3:
            self.formats.append(one)
            self._formats_of[one] += 1

    def _close(self, name: bytes) -> None:
        """End an element and all in it; a tag that fits none ends none."""
        if name in FORMATS:
            for place in range(len(self.formats) - 1, -1, -1):
                if self.formats[place][0] == name:
                    self._formats_of[self.formats.pop(place)] -= 1
                    return
        elif name in CELLS:
            self._forget_formats()
        elif self._open_of[name]:
            last = b""
            while last != name:
                last = self.open.pop()
                self._open_of[last] -= 1
                if last == b"table":
                    self._forget_formats()
                    self._formats_before.pop()

    def _forget_formats(self) -> None:
        """What was left open in a cell ends with the cell."""
        if self._formats_before:
            for one in self.formats[self._formats_before[-1] :]:
                self._formats_of[one] -= 1
            del self.formats[self._formats_before[-1] :]
