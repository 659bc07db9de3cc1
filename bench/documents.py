"""Documents for the quality rules: real ones, and made ones around thresholds few pages come near.

Real: labelled pages as their main text and as all their text, pages of web archives likewise, the
texts of DCLM's judgements, and sections of textbooks.
"""

import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

LETTERS = "aabcdeeefghiiklmnoooprsttuvwy"
OF_A_KIND = 20
Draw = random.Random


def real(data: Path) -> list[str]:
    """Every text that is not blank."""
    return [text for text in (*_pages(data), *_lines(data)) if text.strip()]


def _pages(data: Path) -> Iterator[str]:
    from hornbook.web.archives import Reading
    from hornbook.web.config import Limits
    from hornbook.web.extract import main_text
    from hornbook.web.readers import reader_of

    labelled = ("web_scrapinghub_aeb/html.tar.zst", "web_readability/test-pages.tar.zst")
    limits = Limits(page_bytes=10_000_000, expansion=200)
    archives = sorted((data / "warc_samples").iterdir())
    for file in [*(data / name for name in labelled), *archives]:
        read = reader_of(file.name)
        for page in read(file, Reading(limits)) if read else ():
            yield main_text(page)
            if page.html:
                yield _all_text(page.html)


def _all_text(html: bytes) -> str:
    """What a page shows, menus and all: text as poor as a crawl has it."""
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(bytes_to_str(html, detect_encoding(html) or "utf-8"))
    tree.strip_tags(["script", "style", "noscript", "template"])
    lines = tree.body.text(separator="\n").split("\n") if tree.body else []
    return "\n".join(line.strip() for line in lines if line.strip())


def _lines(data: Path) -> Iterator[str]:
    judged = [f"dclm_quality_judgements/{name}_data" for name in ("agreement", "majority")]
    for name in (*judged, "openstax_python/derived_text"):
        with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)["text"]


def made(seed: int = 0) -> dict[str, list[str]]:
    """Documents on both sides of a rule's threshold, for each rule that real ones seldom break."""
    draw = random.Random(seed)
    found = {
        rule: [write(draw) for _ in range(OF_A_KIND)]
        for rule, write in _WRITERS.items()
    }  # fmt: skip
    # six letters: no word that spaCy takes apart, so that the count is this one
    long = [_text(draw, 100_000 + more, 6, 6) for more in range(-1, 3)]
    return found | {"too_many_words": long}


def _word(draw: Draw, shortest: int = 2, longest: int = 8) -> str:
    return "".join(draw.choices(LETTERS, k=draw.randint(shortest, longest)))


def _text(draw: Draw, words: int, shortest: int = 2, longest: int = 8) -> str:
    """Lines of words; each ends with a mark, which is no word to count."""
    all_words = [_word(draw, shortest, longest) for _ in range(words)]
    width = draw.randint(9, 14)
    lines = (all_words[at : at + width] for at in range(0, words, width))
    return "\n".join(" ".join(line) + "." for line in lines)


def _near(draw: Draw, share: float, whole: int) -> int:
    return max(0, round(share * whole) + draw.randint(-3, 3))


def _marks(share: float, *marks: str) -> Callable[[Draw], str]:
    """Words with marks strewn among them."""

    def write(draw: Draw) -> str:
        words = [_word(draw) for _ in range(draw.randint(60, 200))]
        wanted = _near(draw, share / (1 - share), len(words))
        words += draw.choices(marks, k=wanted)
        draw.shuffle(words)
        return " ".join(words)

    return write


def _ends(share: float, first: tuple[str, ...], last: tuple[str, ...]) -> Callable[[Draw], str]:
    """Lines of which a share has something at its begin or its end."""

    def write(draw: Draw) -> str:
        lines = [_text(draw, 8) for _ in range(draw.randint(12, 40))]
        chosen = draw.sample(range(len(lines)), min(len(lines), _near(draw, share, len(lines))))
        for at in chosen:
            lines[at] = draw.choice(first) + lines[at].rstrip(".") + draw.choice(last)
        return "\n".join(lines)

    return write


def _paragraphs(share: float, longest: int) -> Callable[[Draw], str]:
    """Paragraphs of which a share stood before; a long one repeats more characters than parts."""

    def write(draw: Draw) -> str:
        once = [_text(draw, draw.randint(12, 40)) for _ in range(draw.randint(8, 20))]
        again = _near(draw, share / (1 - share), len(once))
        once[0] = _text(draw, longest)
        parts = once + [once[0]] * min(1, again) + draw.choices(once[1:], k=max(0, again - 1))
        draw.shuffle(parts)
        return draw.choice(("\n\n", "\n\n\n")).join(parts)

    return write


def _lengths(mean: int) -> Callable[[Draw], str]:
    """Words whose mean length is near a threshold."""
    return lambda draw: _text(draw, draw.randint(60, 120), mean - 1, mean + 1)


_WRITERS: dict[str, Callable[[Draw], str]] = {
    "short_words": _lengths(3),
    "long_words": _lengths(10),
    "hashes": _marks(0.1, "#"),
    "ellipses": _marks(0.1, "...", "\u2026"),
    "bullet_lines": _ends(0.9, ("- ", "\u2022 ", " -"), (".",)),
    "ellipsis_lines": _ends(0.3, ("",), ("...", "\u2026", "... ")),
    "repeated_paragraphs": _paragraphs(0.3, 12),
    "repeated_paragraph_characters": _paragraphs(0.12, 60),
}
