"""How deeply a page is nested, before it is parsed: a parser's time grows with the square of it."""

MANY_TAGS = 40_000  # below, nothing is slow; only a page in thousands has more
DEEPEST = 20_000  # takes a parser a second; browsers stop at 512
# begin tags that are closed by what follows them or hold nothing: br, img, input, hr, meta, link,
# li, p, td, tr, th, option
SHALLOW = (b"br", b"im", b"in", b"hr", b"me", b"li", b"p>", b"p ", b"td", b"tr", b"th", b"op")


def is_too_deep(html: bytes) -> bool:
    """Whether a page has more tags open at once than any page that was meant to be read."""
    import numpy as np

    if html.count(b"<") < MANY_TAGS:
        return False
    raw = np.frombuffer(html.lower() + b"  ", dtype=np.uint8)
    places = np.flatnonzero(raw == ord("<"))
    places = places[places < len(raw) - 2]
    first, second = raw[places + 1].astype(np.uint16), raw[places + 2]
    is_open = (first >= ord("a")) & (first <= ord("z"))
    is_open &= ~np.isin(first << 8 | second, [int.from_bytes(two, "big") for two in SHALLOW])
    steps = is_open.astype(np.int64) - (first == ord("/"))
    depth = np.cumsum(steps)
    # a closing tag too many closes nothing: the depth is what was gained since the lowest place
    gained = depth - np.minimum(np.minimum.accumulate(depth), 0)
    return int(gained.max()) > DEEPEST
