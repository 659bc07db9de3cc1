"""How deeply a page is nested, before it is parsed: a parser's time grows with the square of it."""

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

FEWEST = 512  # signs `<` below which no page can be deep
MANY = 4096  # from here on tags are followed one by one: with fewer no page does much harm
MANY_FORMATS = 100  # likewise
DEEPEST = 512  # elements open at once, as in browsers
# A formatting element that is left open is made anew in every block after it, so what counts is
# how many are open, and how many the parser has to make in all (a microsecond or two, 360 bytes)
MOST_FORMATS = 500
MOST_REMADE = 500_000
FORMATS = frozenset(b"a b big code em font i nobr s small strike strong tt u".split())
# hold nothing, or are closed by what follows them
SHALLOW = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li dt dd tr td th "
    b"tbody thead tfoot option optgroup colgroup rp rt html body".split()
)
# names of one sign, and two signs that few other names begin with
SHALLOW_BEGINNINGS = b"p br im in hr me li td tr th op dd dt".split()
ELEMENT, FORMAT = 1, 2
CELLS = frozenset(b"td th tr caption".split())
FOREIGN = (b"svg", b"math")
# every branch takes what it looks at, to the end if need be: linear on any input
TAG = re.compile(
    rb"<(?:!--.*?(?:-->|\Z)|(script|style|textarea|title|xmp|iframe)\b.*?(?:</\1|\Z)"
    rb"|(/?)([a-z][^\s/>]*)([^>]*)>?)",
    re.DOTALL | re.IGNORECASE,
)


def is_too_deep(html: bytes) -> bool:
    """Whether a page has more tags open at once than any page that was meant to be read."""
    return may_be_deep(html) and OpenTags().is_too_deep(html)


def may_be_deep(html: bytes) -> bool:
    """Whether a page is worth a closer look: a guess from its signs alone, in microseconds."""
    import numpy as np

    raw = np.frombuffer(html, dtype=np.uint8)
    places = np.flatnonzero(raw[:-4] == ord("<"))
    if not FEWEST <= len(places) < MANY:
        return len(places) >= MANY
    is_end = raw[places + 1] == ord("/")
    places += is_end
    kinds = _kinds()[raw[places + 1].astype(np.uint16) << 8 | raw[places + 2]]
    # most pages have so few that the ends need no look
    begun = kinds[~is_end]
    sign = np.where(is_end, -1, 1)
    if np.count_nonzero(begun) > DEEPEST and _gained(sign * (kinds > 0)) > DEEPEST:
        return True
    formats = np.count_nonzero(begun == FORMAT)
    return bool(formats > MANY_FORMATS) and _gained(sign * (kinds == FORMAT)) > MANY_FORMATS


def _gained(steps: "np.ndarray") -> int:
    """The most that was open; an end too many ends nothing."""
    import numpy as np

    depth = np.cumsum(steps)
    return int((depth - np.minimum(np.minimum.accumulate(depth), 0)).max())


@cache
def _kinds() -> "np.ndarray":
    """What the first two signs of a name open: nothing to count, an element, a formatting one."""
    import numpy as np

    kinds = np.zeros((256, 256), dtype=np.uint8)
    letters = [*range(ord("a"), ord("z") + 1), *range(ord("A"), ord("Z") + 1)]
    kinds[letters] = ELEMENT
    for names, kind in ((FORMATS, FORMAT), (SHALLOW_BEGINNINGS, 0)):
        for name in names:
            for first in {name[:1].lower(), name[:1].upper()}:
                seconds = (name[1:2].lower() + name[1:2].upper()) or b"> \t\r\n\f/"
                kinds[ord(first), list(seconds)] = kind
    return kinds.reshape(-1)


class OpenTags:
    """What is open at a place of a page, about as a parser would have it."""

    def __init__(self) -> None:
        self.open: list[bytes] = []
        self.formats: list[tuple[bytes, bytes]] = []  # name and attributes
        self._open_of: Counter[bytes] = Counter()
        self._formats_of: Counter[tuple[bytes, bytes]] = Counter()
        self._formats_before: list[int] = []  # how many were open before each open table
        self.remade = 0

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
            if (
                len(self.open) + len(self.formats) > DEEPEST
                or len(self.formats) > MOST_FORMATS
                or self.remade > MOST_REMADE
            ):
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
