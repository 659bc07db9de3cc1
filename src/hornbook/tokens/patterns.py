"""How text is cut into pieces before merging, and forms of the cuts that run faster.

A fast form makes the same pieces (`tests/tokens/test_encoder.py` compares ids, and the stage
`tokenizer` compares them on the corpora). The regular expressions are run by fancy-regex, which
gives a group without lookaround to a finite automaton as a whole and takes every other
alternative as a step of its own: one group around the simple alternatives is a fifth faster.
"""

import re
from collections.abc import Iterable

_CONTRACTIONS = r"'(?:[sdmt]|ll|ve|re)"
# Source: GPT-2's encoder.py.
GPT2_PATTERN = _CONTRACTIONS + r"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# GPT-2's with two changes that a model of a million parameters needs. A blank never joins the
# number behind it, so that a number is the same tokens wherever it stands: whole-number tokens
# let it learn addition, split digits did not. A line break never joins the indent behind it, so
# that a prompt may end in one and still be continued by an indented line.
FIT_PATTERN = _CONTRACTIONS + r"| ?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+|\n+|[^\S\n]+(?!\S)|[^\S\n]+"

# words first, because most pieces are words; only contractions and signs can begin alike
_SIMPLE = rf" ?\p{{L}}+|{_CONTRACTIONS}| ?[^\s\p{{L}}\p{{N}}]+"
# where white space before something fails to be `\s+(?!\S)` it is a single character
_FAST = {
    GPT2_PATTERN: rf"(?:{_SIMPLE}| ?\p{{N}}+)|\s+(?!\S)|\s",
    FIT_PATTERN: rf"(?:{_SIMPLE}|\p{{N}}+|\n+)|[^\S\n]+(?!\S)|[^\S\n]",
}


def fast(pattern: str) -> str:
    """A pattern that makes the same pieces, faster where we know one."""
    return _FAST.get(pattern, pattern)


def fast_with_runs(pattern: str, added: Iterable[str]) -> str | None:
    """A pattern whose pieces are also the added tokens; None where the two cannot be one.

    `tokenizers` cuts added tokens out first, the leftmost and then the longest, and then cuts
    what is between them. When they are all runs of 2 to n blanks, or tabs, that is the same as
    never to go on into a place where a run begins.
    """
    texts = set(added)
    longest = {text[:1]: max(len(t) for t in texts if t[:1] == text[:1]) for text in texts}
    every_run = {char * length for char in longest for length in range(2, longest[char] + 1)}
    if pattern != GPT2_PATTERN or texts != every_run or not set(longest) <= {" ", "\t"}:
        return None
    runs = "|".join(f"{re.escape(char)}{{2,{longest[char]}}}" for char in sorted(longest))
    starts = "|".join(re.escape(char * 2) for char in sorted(longest))
    return rf"(?:{_SIMPLE}| ?\p{{N}}+|{runs})|(?:(?!{starts})\s)+(?!\S)|\s"
