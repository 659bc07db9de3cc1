"""Gopher's quality rules. Source: arXiv 2112.11446, A.1.1, as datatrove counts them."""

from collections.abc import Iterator

from hornbook.web.measures import Measures
from hornbook.web.rules_config import GopherQuality

REASONS = (
    "too_few_words", "too_many_words", "short_words", "long_words", "hashes", "ellipses",
    "bullet_lines", "ellipsis_lines", "words_without_letters", "stop_words",
)  # fmt: skip


def broken(text: Measures, rules: GopherQuality) -> Iterator[str]:
    """The reason of each rule that the text breaks."""
    if text.num_plain_words < rules.min_words:
        yield "too_few_words"
    if text.num_plain_words > rules.max_words:
        yield "too_many_words"
    if not text.num_words:
        return
    if text.mean_length < rules.min_mean_word_length:
        yield "short_words"
    if text.mean_length > rules.max_mean_word_length:
        yield "long_words"
    if text.text.count("#") / text.num_words > rules.max_hashes_per_word:
        yield "hashes"
    if text.num_ellipses / text.num_words > rules.max_ellipses_per_word:
        yield "ellipses"
    lines = text.text.splitlines()
    if _bullet_lines(text.text, lines, rules.max_bullet_lines):
        yield "bullet_lines"
    if text.num_ellipses / len(lines) > rules.max_ellipsis_lines:  # else no count can be
        ends = sum(line.rstrip().endswith(("...", "\u2026")) for line in lines)
        if ends / len(lines) > rules.max_ellipsis_lines:
            yield "ellipsis_lines"
    if text.num_words_with_letters / text.num_words < rules.min_words_with_letters:
        yield "words_without_letters"
    if text.num_stop_words < rules.min_stop_words:
        yield "stop_words"


def _bullet_lines(text: str, lines: list[str], most: float) -> bool:
    """Whether more than this share of lines begins with a bullet; few bullets answer it alone."""
    if (text.count("\u2022") + text.count("-")) / len(lines) <= most:
        return False
    bullets = sum(line.lstrip().startswith(("\u2022", "-")) for line in lines)
    return bullets / len(lines) > most
