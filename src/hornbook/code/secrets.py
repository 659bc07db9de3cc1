"""Keys, tokens and passwords in source text, and which lookalikes are none.

Formats are those that the issuers document, so that a match needs no guess. A string assigned to a
name such as `password` counts only where it looks drawn at random.
"""

import base64
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from hornbook.code.config import Secrets

MASK = "<SECRET>"


class Format(NamedTuple):
    """A kind of secret: a text that every one contains, so that most files need no regex."""

    kind: str
    needle: str
    pattern: re.Pattern[str]


# kind, what each begins with or contains, the rest of the pattern
ISSUED = r"""
aws_key_id          AKIA ASIA ABIA ACCA       \b{}[A-Z2-7]{16}\b
github_token        ghp_ gho_ ghu_ ghs_ ghr_  \b{}[A-Za-z0-9]{36,255}\b
github_token        github_pat_               \b{}[A-Za-z0-9_]{60,255}\b
gitlab_token        glpat-                    \b{}[A-Za-z0-9_-]{20,}
slack_token         xox                       \b{}[abeoprs]-[0-9A-Za-z-]{10,250}\d[0-9A-Za-z-]{8,}
slack_webhook       hooks.slack.com/services/ {}T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{20,}
google_key          AIza                      \b{}[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])
google_token        ya29.                     \b{}[0-9A-Za-z_-]{30,}
stripe_key          _live_                    \b[rs]k{}[0-9A-Za-z]{20,}
openai_key          T3BlbkFJ                  \bsk-[A-Za-z0-9_-]{10,}{}[A-Za-z0-9_-]{20,}
anthropic_key       sk-ant-                   \b{}[a-z0-9]{3,8}-[A-Za-z0-9_-]{80,}
hugging_face_token  hf_                       \b{}[A-Za-z]{34}\b
npm_token           npm_                      \b{}[A-Za-z0-9]{36}\b
pypi_token          pypi-AgE                  \b{}[A-Za-z0-9_-]{50,}
sendgrid_key        SG.                       \b{}[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![\w-])
digitalocean_token  _v1_                      \bdo[opr]{}[a-f0-9]{64}\b
shopify_token       shpat_ shpca_ shppa_      \b{}[a-fA-F0-9]{32}\b
mailgun_key         key-                      \b{}[0-9a-f]{32}\b
telegram_token      :AA                       \b\d{8,10}{}[A-Za-z0-9_-]{33}(?![\w-])
azure_key           AccountKey=               {}[A-Za-z0-9+/]{86}==
web_token           eyJ                       \b{}[\w-]{15,}\.eyJ[\w-]{15,}\.[\w-]{20,}
"""
GAP = r"(?:\\r|\\n|[\s\"'+,>#|])*+"  # between the lines of a key, also in a string or a comment
# a header alone is a constant of a parser; a key has its base64 body. A line of headers ends at the
# first separators before another line or the body, once and for all: else every way to divide the
# lines is tried
PRIVATE_KEY = re.compile(
    rf"-----BEGIN (?:[A-Z0-9]{{2,12}} ){{0,2}}PRIVATE KEY(?: BLOCK)?-----{GAP}"
    rf"(?>[A-Za-z-]{{4,20}}:[^\n\\]{{0,91}}?(?<![\s\"'+,])(?:\\n|[\s\"'+,])++"
    rf"(?=[A-Za-z-]{{4,20}}:|[A-Za-z0-9+/=]{{40}})){{0,4}}"
    rf"[A-Za-z0-9+/=]{{40,}}+(?:{GAP}[A-Za-z0-9+/=]{{8,}}+)*+"
)


def _formats() -> Iterator[Format]:
    yield Format("private_key", "PRIVATE KEY", PRIVATE_KEY)
    for line in ISSUED.split("\n"):
        kind, *needles, pattern = line.split() or ["", ""]
        for needle in needles:
            yield Format(kind, needle, re.compile(pattern.replace("{}", re.escape(needle), 1)))


FORMATS = tuple(_formats())
# a web token whose payload is the one of the documentation, and keys that vendors print as examples
EXAMPLES = ("EXAMPLE", "eyJzdWIiOiIxMjM0NTY3ODkw")
NAMES = ("passw", "passphrase", "secret", "token", "api_key", "apikey", "api-key", "access_key",
         "accesskey", "auth_key", "authkey", "private_key", "encryption_key",
         "credential")  # fmt: skip
# the name (but no type within a namespace), whatever ends it, and a string, as in
# `password = "..."`, `"api-key": "..."` and `f(token="...")`
ASSIGNED = re.compile(
    rf"(?<!::)(?:{'|'.join(map(re.escape, NAMES))})[\w-]{{0,40}}[\"'\]]{{0,2}}[ \t]{{0,8}}"
    r"(?::[ \t]{0,4}[\w\[\] |.]{1,30}[ \t]{0,4}=|[=:])[ \t(]{0,8}[brfuBRFU]{0,2}"
    r"([\"'])([A-Za-z0-9+/=_.~!@#$%^&*-]{8,200})\1",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(
    r"(.)\1{3,}|x{3,}|\*{3,}|\.{3}|"
    r"example|sample|change_?me|change-?this|your|dummy|fake|mock|placeholder|redact|insert|replace|"
    r"default|secret|passw|token|api_?key|credential|test|foo|bar|hello|admin|user|demo|temp|todo|"
    r"abcd|1234|qwerty|asdf|none|null|null|hunter2|letmein|deadbeef|cafebabe|0123|4567|"
    r"^[$%{<]|%\(|\{|\$\{|://",
    re.IGNORECASE,
)
WORDS = re.compile(r"[A-Za-z]?[a-z]{2,}|[A-Z]{3,}")


class Found(NamedTuple):
    """Where a secret stands in the text."""

    kind: str
    start: int
    end: int


def find(text: str, rules: Secrets) -> list[Found]:
    """Every secret in the text, by place."""
    found: list[Found] = []
    for kind, needle, pattern in FORMATS:
        if needle in text:
            found += [
                Found(kind, match.start(), match.end())
                for match in pattern.finditer(text)
                if not is_example(match[0])
            ]
    lowered = text.lower()
    if any(name in lowered for name in NAMES):
        found += [
            Found("assigned", match.start(2), match.end(2))
            for match in ASSIGNED.finditer(text)
            if is_random(match[2], rules)
        ]
    return sorted(found, key=lambda one: one.start)


def is_example(secret: str) -> bool:
    """Whether a text in the format of a secret is one that nobody could use."""
    if any(mark in secret for mark in EXAMPLES):
        return True
    body = re.sub(r"^-----.*?-----|^[A-Za-z]+[_-]", "", secret)[:200]
    return (
        len(set(body)) < 8
        or re.search(r"(.)\1{7,}|x{6,}|0123456789|abcdefgh", body, re.IGNORECASE) is not None
    )


def is_random(value: str, rules: Secrets) -> bool:
    """Whether a string looks drawn at random: long, mixed, of high entropy, not of words."""
    if len(value) < rules.min_length or PLACEHOLDER.search(value):
        return False
    has_letters = any("a" <= c.lower() <= "z" for c in value)
    if not has_letters or not any("0" <= c <= "9" for c in value):
        return False
    if entropy(value) < rules.min_entropy or _is_encoded_text(value):
        return False
    in_words = sum(len(word) for word in WORDS.findall(value) if len(word) >= 4)
    return in_words / len(value) <= rules.max_words


def _is_encoded_text(value: str) -> bool:
    """Whether it is readable text in base64, such as the place of a page in a list of pages."""
    try:
        return base64.b64decode(value, validate=True).decode("ascii").isprintable()
    except ValueError:
        return False


def entropy(value: str) -> float:
    """Bits a character, by how often each occurs."""
    counts = Counter(value).values()
    return sum(n / len(value) * math.log2(len(value) / n) for n in counts)


def masked(text: str, found: list[Found]) -> str:
    """The text with each secret replaced by a word that no string or comment breaks at."""
    parts: list[str] = []
    at = 0
    for one in found:
        if one.start >= at:
            parts += [text[at : one.start], MASK]
            at = one.end
    return "".join([*parts, text[at:]])
