"""The embedded teacher's judgement of educational value: a rule, so its labels are plumbing.

Additive as in FineWeb-Edu: a point each for running prose, for explaining words, for examples or
code, for questions or steps, and for being free of advertising; 0 to 5.
"""

import json
import re

SENTENCE = re.compile(r"[A-Z][^.!?]{20,200}[.!?]")
EXPLAINS = re.compile(
    r"\b(because|therefore|means|is called|for this reason|so that|explains?|which is why|why)\b",
    re.IGNORECASE,
)
EXAMPLE = re.compile(
    r"\b(for example|for instance|such as|example|imagine)\b|\"\"\"|>>>", re.IGNORECASE
)
TEACHES = re.compile(
    r"\b(first|next|then|step|learn|lesson|exercise|question|returns?|how to)\b", re.IGNORECASE
)
SELLS = re.compile(
    r"\b(buy|sale|discount|click|subscribe|shipping|offer|cheap|deal|cookies?|casino|free)\b",
    re.IGNORECASE,
)


def judge(text: str) -> tuple[int, str]:
    """Score 0 to 5 and the points that made it."""
    words = max(len(text.split()), 1)
    points = {
        "prose": len(SENTENCE.findall(text)) / words > 0.02,
        "explains": len(EXPLAINS.findall(text)) / words > 0.004,
        "examples": len(EXAMPLE.findall(text)) / words > 0.004,
        "teaches": len(TEACHES.findall(text)) / words > 0.008,
        "no advertising": len(SELLS.findall(text)) / words < 0.01 and words >= 40,
    }
    won = [name for name, has in points.items() if has]
    return len(won), ", ".join(won) or "none"


def reply(document: str) -> str:
    """The reply to an annotation prompt."""
    score, reason = judge(document)
    return json.dumps({"score": score, "reason": reason})
