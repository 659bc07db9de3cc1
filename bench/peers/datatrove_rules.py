"""datatrove's decisions on a list of texts: its four filters in a row, or each rule alone.

Arguments: the texts (a JSON list), where the decisions go (JSON), and `rules` where each rule is
wanted alone: a list of the broken ones' names for each text. Else the texts that come out are
written, null for a page that is dropped, and the last line printed is the CPU seconds of it all.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4ParagraphFilter,
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils.text import split_into_parts

QUALITY = {
    "too_few_words": "min_doc_words", "too_many_words": "max_doc_words",
    "short_words": "min_avg_word_length", "long_words": "max_avg_word_length",
    "hashes": "max_symbol_word_ratio", "ellipses": "max_symbol_word_ratio",
    "bullet_lines": "max_bullet_lines_ratio", "ellipsis_lines": "max_ellipsis_lines_ratio",
    "words_without_letters": "max_non_alpha_words_ratio", "stop_words": "min_stop_words",
}  # fmt: skip
REPETITION = {
    "repeated_paragraphs": "dup_para_frac", "repeated_paragraph_characters": "dup_para_char_frac",
    "repeated_lines": "dup_line_frac", "repeated_line_characters": "dup_line_char_frac",
}  # fmt: skip
TOP = {2: 0.2, 3: 0.18, 4: 0.16}
RUNS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.1}
FINEWEB = {"line_punct_thr": 0.0, "short_line_thr": 2.0, "char_duplicates_ratio": 2.0,
           "new_line_ratio": 1e9}  # fmt: skip
Rule = Callable[[str], bool]


def quality(name: str) -> Rule:
    """One rule of Gopher's; the two about symbols share a setting and have their own words."""
    only = GopherQualityFilter(**{key: None for key in QUALITY.values() if key != QUALITY[name]})
    word = {"hashes": "gopher_too_many_hashes", "ellipses": "gopher_too_many_ellipsis"}.get(name)

    def breaks(text: str) -> bool:
        if word == "gopher_too_many_ellipsis":  # else the hashes would answer first
            text = text.replace("#", "+")
        found = only.filter(Document(text, "0"))
        return found is not True and (word is None or found[1] == word)

    return breaks


def alone(made: object) -> Rule:
    """A filter that was made with one rule."""
    return lambda text: made.filter(Document(text, "0")) is not True


def rules() -> dict[str, Rule]:
    """Every rule by the word that hornbook has for it."""
    none = dict.fromkeys((*REPETITION.values(),)) | {"top_n_grams": (), "dup_n_grams": ()}
    found = {name: quality(name) for name in QUALITY}
    for name, key in REPETITION.items():
        value = 0.3 if key.endswith(("para_frac", "line_frac")) else 0.2
        found[name] = alone(GopherRepetitionFilter(**none | {key: value}))
    for n, share in TOP.items():
        found[f"top_{n}_gram"] = alone(
            GopherRepetitionFilter(**none | {"top_n_grams": ((n, share),)})
        )
    for n, share in RUNS.items():
        found[f"repeated_{n}_grams"] = alone(
            GopherRepetitionFilter(**none | {"dup_n_grams": ((n, share),)})
        )
    c4 = {"filter_no_terminal_punct": False, "min_num_sentences": -1, "filter_lorem_ipsum": False,
          "filter_curly_bracket": False}  # fmt: skip
    found["blocked_phrase"] = alone(C4QualityFilter(**c4 | {"filter_lorem_ipsum": True}))
    found["curly_bracket"] = alone(C4QualityFilter(**c4 | {"filter_curly_bracket": True}))
    found["few_sentences"] = alone(C4QualityFilter(**c4 | {"min_num_sentences": 5}))
    found["short_paragraphs"] = alone(C4ParagraphFilter())
    names = ("unended_lines", "short_lines", "repeated_line_share", "newlines")
    for name, key in zip(names, FINEWEB, strict=True):
        others = {other: value for other, value in FINEWEB.items() if other != key}
        found[name] = alone(FineWebQualityFilter(**others))
    return found


def pipeline() -> list[object]:
    """The four filters as FineWeb was made with them."""
    return [
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
    ]


def kept(filters: list[object], text: str) -> str | None:
    """The text that comes out, None for a page that a filter drops."""
    document = Document(text, "0")
    return document.text if all(one.filter(document) is True for one in filters) else None


def decided(texts: list[str]) -> list[list[str]]:
    """Names of the rules and filters that each text breaks."""
    whole = {f"filter_{number}": alone(one) for number, one in enumerate(pipeline())}
    single = rules() | whole
    # all rules of a text in a row: datatrove remembers its last words
    return [[name for name, breaks in single.items() if breaks(text)] for text in texts]


def main(texts: list[str], out: Path, *, each: bool) -> None:
    """Decide, time, write."""
    logging.disable()
    if each:
        out.write_text(json.dumps(decided(texts)), "utf-8")
        return
    filters = pipeline()
    kept(filters, texts[0])  # loads spaCy
    split_into_parts.cache_clear()
    start = time.process_time()
    left = [kept(filters, text) for text in texts]
    seconds = time.process_time() - start
    out.write_text(json.dumps(left), "utf-8")
    print(seconds)


if __name__ == "__main__":
    main(
        json.loads(Path(sys.argv[1]).read_text("utf-8")),
        Path(sys.argv[2]),
        each=sys.argv[3:] == ["rules"],
    )
