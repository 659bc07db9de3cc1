"""FineWeb's own rules. Source: arXiv 2406.17557, section 3.6, as datatrove counts them."""

from collections.abc import Iterator

from hornbook.web.measures import Measures, repeats
from hornbook.web.rules_config import FineWebQuality
from hornbook.web.vocabulary import SENTENCE_ENDS

REASONS = ("unended_lines", "short_lines", "repeated_line_share", "newlines")


def of_lines(text: Measures, rules: FineWebQuality) -> Iterator[str]:
    """The reason of each rule about lines that the text breaks."""
    lines = text.lines
    if not lines:
        return
    if sum(line[-1] in SENTENCE_ENDS for line in lines) / len(lines) < rules.min_ended_lines:
        yield "unended_lines"
    if sum(len(line) <= rules.short_line for line in lines) / len(lines) > rules.max_short_lines:
        yield "short_lines"
    characters = len(text.text) - text.text.count("\n")
    if repeats(lines)[1] / characters > rules.max_repeated_line_characters:
        yield "repeated_line_share"


def of_words(text: Measures, rules: FineWebQuality) -> Iterator[str]:
    """The reason of the rule about lists, which breaks a text with few words on its lines."""
    newlines = text.text.count("\n")
    if (
        text.pieces
        and newlines / len(text.pieces) > rules.max_newlines_per_word
        and (
            newlines / text.num_words > rules.max_newlines_per_word  # a piece is a word or more
        )
    ):
        yield "newlines"
