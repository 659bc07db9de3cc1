"""Schema of the quality rules' thresholds; conf/web holds the values and their sources."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from hornbook.config import STRICT

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=STRICT)
class UrlRules:
    """What an address alone decides."""

    blocked_hosts: list[str]  # with everything below them
    blocked_words: list[str]  # whole words of host and path
    suspect_words: list[str]
    max_suspect_words: Count
    max_host_labels: Count
    allow_ip_hosts: bool


@dataclass(frozen=True, config=STRICT)
class GopherQuality:
    """Table of Gopher's quality filter."""

    min_words: Count
    max_words: Count
    min_mean_word_length: Ratio
    max_mean_word_length: Ratio
    max_hashes_per_word: Ratio
    max_ellipses_per_word: Ratio
    max_bullet_lines: Share
    max_ellipsis_lines: Share
    min_words_with_letters: Share
    min_stop_words: Count


@dataclass(frozen=True, config=STRICT)
class GopherRepetition:
    """Shares of a text that may be repeated; of characters where the name does not say."""

    max_repeated_lines: Share
    max_repeated_paragraphs: Share
    max_repeated_line_characters: Share
    max_repeated_paragraph_characters: Share
    max_top_2_gram: Share
    max_top_3_gram: Share
    max_top_4_gram: Share
    max_repeated_5_grams: Share
    max_repeated_6_grams: Share
    max_repeated_7_grams: Share
    max_repeated_8_grams: Share
    max_repeated_9_grams: Share
    max_repeated_10_grams: Share


@dataclass(frozen=True, config=STRICT)
class C4:
    """C4's rules: which lines leave, and which pages."""

    require_end_punctuation: bool  # of a line
    min_words_per_line: Count
    max_word_length: Count
    remove_citations: bool
    drop_script_lines: bool
    blocked_line_phrases: list[str]  # lower case
    blocked_page_phrases: list[str]  # lower case
    drop_curly_brackets: bool
    min_sentences: Count
    min_long_paragraphs: Count
    long_paragraph: Count  # characters


@dataclass(frozen=True, config=STRICT)
class FineWebQuality:
    """FineWeb's own rules, on what C4's have left."""

    min_ended_lines: Share
    max_short_lines: Share
    short_line: Count  # characters
    max_repeated_line_characters: Share
    max_newlines_per_word: Ratio


@dataclass(frozen=True, config=STRICT)
class Rules:
    """Thresholds of all rules."""

    url: UrlRules
    gopher: GopherQuality
    repetition: GopherRepetition
    c4: C4
    fineweb: FineWebQuality
    max_toxic_words: Count  # this many never make a text toxic
    max_toxic_share: Share  # of its words
