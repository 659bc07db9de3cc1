"""Schema of the quality rules' thresholds; conf/web holds the values and their sources."""

from pydantic.dataclasses import dataclass

from hornbook.config import STRICT


@dataclass(frozen=True, config=STRICT)
class UrlRules:
    """What an address alone decides."""

    blocked_hosts: list[str]  # with everything below them
    blocked_words: list[str]  # whole words of host and path
    suspect_words: list[str]
    max_suspect_words: int
    max_host_labels: int
    allow_ip_hosts: bool


@dataclass(frozen=True, config=STRICT)
class GopherQuality:
    """Table of Gopher's quality filter."""

    min_words: int
    max_words: int
    min_mean_word_length: float
    max_mean_word_length: float
    max_hashes_per_word: float
    max_ellipses_per_word: float
    max_bullet_lines: float
    max_ellipsis_lines: float
    min_words_with_letters: float
    min_stop_words: int


@dataclass(frozen=True, config=STRICT)
class GopherRepetition:
    """Shares of a text that may be repeated; of characters where the name does not say."""

    max_repeated_lines: float
    max_repeated_paragraphs: float
    max_repeated_line_characters: float
    max_repeated_paragraph_characters: float
    max_top_2_gram: float
    max_top_3_gram: float
    max_top_4_gram: float
    max_repeated_5_grams: float
    max_repeated_6_grams: float
    max_repeated_7_grams: float
    max_repeated_8_grams: float
    max_repeated_9_grams: float
    max_repeated_10_grams: float


@dataclass(frozen=True, config=STRICT)
class C4:
    """C4's rules: which lines leave, and which pages."""

    require_end_punctuation: bool  # of a line
    min_words_per_line: int
    max_word_length: int
    remove_citations: bool
    drop_script_lines: bool
    blocked_line_phrases: list[str]  # lower case
    blocked_page_phrases: list[str]  # lower case
    drop_curly_brackets: bool
    min_sentences: int
    min_long_paragraphs: int
    long_paragraph: int  # characters


@dataclass(frozen=True, config=STRICT)
class FineWebQuality:
    """FineWeb's own rules, on what C4's have left."""

    min_ended_lines: float
    max_short_lines: float
    short_line: int  # characters
    max_repeated_line_characters: float
    max_newlines_per_word: float


@dataclass(frozen=True, config=STRICT)
class Rules:
    """Thresholds of all rules."""

    url: UrlRules
    gopher: GopherQuality
    repetition: GopherRepetition
    c4: C4
    fineweb: FineWebQuality
    max_toxic_words: int  # this many never make a text toxic
    max_toxic_share: float  # of its words
