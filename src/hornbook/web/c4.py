"""C4's rules: lines that leave, and pages.

Source: arXiv 1910.10683, section 2.2, and the code that made C4 (tensorflow_datasets, c4_utils), as
datatrove counts them.
"""

import re
from heapq import nlargest
from typing import NamedTuple

from hornbook.web.measures import Measures
from hornbook.web.rules_config import C4
from hornbook.web.vocabulary import PUNCTUATION, SENTENCE_END

CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
SCRIPT = "javascript"
LINE_ENDS = (".", "?", "!", '"', "'")
REASONS = ("blocked_phrase", "curly_bracket", "few_sentences", "short_paragraphs")


class Cleaned(NamedTuple):
    """What C4's rules leave of a text, and the reasons of the page's rules it breaks."""

    text: str
    reasons: list[str]


def clean(text: Measures, rules: C4, *, stop: bool) -> Cleaned:
    """The text without the lines that leave, judged.

    With `stop` the first broken rule ends it, and the text is worth nothing then.
    """
    kept, reasons = _filtered(_formed(text.text, rules), text, rules, stop=stop)
    if not (stop and reasons):
        if not _has_sentences(kept, rules.min_sentences, text):
            reasons.add("few_sentences")
        if not _has_paragraphs(text.text, rules):
            reasons.add("short_paragraphs")
    return Cleaned("\n".join(kept).strip(), [one for one in REASONS if one in reasons])


def _formed(text: str, rules: C4) -> list[str]:
    """The lines that their form does not drop: words of a length, enough of them, an end."""
    lines = [line.strip() for line in text.splitlines()]
    longest = rules.max_word_length
    if max(map(len, lines), default=0) > longest:
        lines = [line for line in lines if max(map(len, line.split()), default=0) <= longest]
    least = rules.min_words_per_line
    lines = [line for line in lines if len(line.split(None, least - 1)) >= least]
    if rules.remove_citations and "[" in text:
        lines = [CITATION.sub("", line) if "[" in line else line for line in lines]
    if rules.require_end_punctuation:
        lines = [line for line in lines if line.endswith(LINE_ENDS) and not line.endswith("...")]
    return lines


def _filtered(
    lines: list[str], text: Measures, rules: C4, *, stop: bool
) -> tuple[list[str], set[str]]:
    """The lines that their content does not drop, and what it says of the page."""
    low_text = text.lower
    pages = [phrase for phrase in rules.blocked_page_phrases if phrase in low_text]
    phrases = [phrase for phrase in rules.blocked_line_phrases if phrase in low_text]
    has_script = rules.drop_script_lines and SCRIPT in low_text
    has_curly = rules.drop_curly_brackets and "{" in text.text
    reasons: set[str] = set()
    if not (pages or phrases or has_script or has_curly):
        return lines, reasons
    kept: list[str] = []
    for line in lines:
        low = line.lower()
        if any(phrase in low for phrase in pages):
            reasons.add("blocked_phrase")
        is_script = has_script and SCRIPT in low
        if has_curly and not is_script and "{" in line:
            reasons.add("curly_bracket")
        if stop and reasons:
            break
        if not is_script and not any(phrase in low for phrase in phrases):
            kept.append(line)
    return kept, reasons


def _has_sentences(lines: list[str], least: int, text: Measures) -> bool:
    """Whether the lines hold so many sentences; a line holds one at least."""
    found = len(lines)
    for line in lines:
        if found >= least:
            return True
        found += _breaks(text, line)
    return found >= least


def _breaks(text: Measures, line: str) -> int:
    """Sentences of a line after its first: words after a mark that ends a sentence."""
    breaks, is_ended = 0, False
    vocabulary = text.vocabulary
    for facts in vocabulary.facts(vocabulary.numbers(line.split())).tolist():
        if facts & SENTENCE_END:
            is_ended = True
        elif is_ended and not facts & PUNCTUATION:
            breaks += 1
            is_ended = False
    return breaks


def _has_paragraphs(text: str, rules: C4) -> bool:
    """Whether so many lines are as long as a paragraph (mC4's rule)."""
    least = rules.min_long_paragraphs
    if least < 1:
        return True
    longest = nlargest(least, map(len, text.split("\n")))
    return len(longest) == least and longest[-1] >= rules.long_paragraph
