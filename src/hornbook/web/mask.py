"""Personal data and secrets in a text, each replaced by a word that says what stood there.

Every pattern is bounded and begins where no other could, so that time grows linearly with any text.
"""

import re
from collections.abc import Callable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address

# from its @ on, which is found fast; what stands before is looked up backwards
EMAIL = re.compile(r"@(?<=[\w.+%-]@)(?:[^\W_][\w-]{0,62}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
LOCAL = re.compile(r"[\w.+%-]{1,65}\Z")
LONGEST_LOCAL = 64
# makers' prefixes of tokens, and what follows a name for a secret
KEY = re.compile(
    r"(?<![A-Za-z0-9_])(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,255}"
    r"|github_pat_[A-Za-z0-9_]{20,255}|[srp]k[-_][A-Za-z0-9_-]{16,200}|xox[abeoprs]-[A-Za-z0-9-]{10,200}"
    r"|AIza[A-Za-z0-9_-]{35}|hf_[A-Za-z0-9]{30,100}|glpat-[A-Za-z0-9_-]{20,100}"
    r"|npm_[A-Za-z0-9]{36}|SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"
    r"|eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,2000}"
    r"|\d{8,10}:AA[A-Za-z0-9_-]{33})(?![A-Za-z0-9_])"
)
KEY_MARKS = (
    "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "sk-", "sk_", "rk-",
    "rk_", "pk-", "pk_", "xox", "AIza", "hf_", "glpat-", "npm_", "SG.", "eyJ", ":AA",
)  # fmt: skip
NAMED_SECRET = re.compile(
    r"(?i)\b((?:api|access|secret|auth|private)[_ -]?(?:key|token)\b[\"']?[ \t]{0,3}[:=][ \t]{0,3}"
    r"[\"']?)(?=[A-Z_/+.-]{0,63}\d)(?=[\d_/+.-]{0,63}[A-Z])[A-Z0-9_/+.-]{20,128}={0,2}(?![A-Z0-9_])"
)
NAMED_MARKS = ("key", "token")
PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----(?:[^-]|-(?!----))*"
    r"(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?"  # a key cut short is one too
)
IPV4 = re.compile(r"(?<![\w.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\w]|\.\d)")
VERSION = re.compile(r"(?i)\b(?:v|ver|version|release|section|chapter|build)\.? ?\Z")
IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
PHONE = re.compile(
    r"(?<![\w.+(/-])(?:"
    # international; the fewest groups reach furthest, so none is ever divided otherwise
    r"\+[1-9]\d{0,2}+(?:[ .()/-]{0,2}+\d{1,4}+){1,6}"
    r"|(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{4}"  # North America
    r"|\(?0[1-9]\d{1,3}\)?[ -]\d{3,4}[ -]?\d{3,4}"  # with a trunk zero, as in Europe
    r")(?![\w]|[.-]\d|[./-]\w)"
)
# digits are taken five at a time, or four where five would leave one alone
NAMED_PHONE = re.compile(
    r"(?i)(?<![A-Za-z])((?:tel|phone|telephone|fax|mobile|cell|whatsapp|call)(?: no| number)?"
    r"(?:\.:|[:.])?[ \t]{1,3}+)\(?(?>\d{5}(?!\d(?!\d))|\d{1,4})\)?+"
    r"(?:[ .-]?+(?>\d{5}(?!\d(?!\d))|\d{2,4})){1,5}(?!\w|[.-]\d)"
)
PHONE_NAMES = ("tel", "phone", "fax", "mobile", "cell", "whatsapp", "call")
SMALLEST = 32  # a dotted number of four parts all below is a version or a section, not an address
NETWORKS_OF_ONE = ("fc", "fd")  # IPv6 addresses of local networks

Count = tuple[str, int]


def mask(text: str) -> Count:
    """The text with secrets, e-mail, IP addresses and phone numbers replaced, and how many were."""
    total = 0
    for step in _steps(text):
        text, count = step(text)
        total += count
    return text, total


def _steps(text: str) -> Iterator[Callable[[str], Count]]:
    """The masks that this text can need."""
    low = text.lower()
    if "PRIVATE KEY-----" in text:
        yield lambda one: PRIVATE_KEY.subn("<key>", one)
    if any(name in low for name in NAMED_MARKS):
        yield lambda one: NAMED_SECRET.subn(r"\1<key>", one)
    if any(mark in text for mark in KEY_MARKS):
        yield lambda one: KEY.subn("<key>", one)
    if "@" in text:
        yield _without_emails
    if text.count(".") > 2:
        yield lambda one: _replaced(IPV4, "<ip>", one, _is_ipv4)
    if text.count(":") > 1:
        yield lambda one: _replaced(IPV6, "<ip>", one, _is_ipv6)
    yield lambda one: _replaced(PHONE, "<phone>", one, _is_phone)
    if any(name in low for name in PHONE_NAMES):
        yield lambda one: _replaced(NAMED_PHONE, r"<phone>", one, _is_phone)


def _without_emails(text: str) -> Count:
    parts: list[str] = []
    at = count = 0
    for found in EMAIL.finditer(text):
        first = max(at, found.start() - LONGEST_LOCAL - 1)
        local = LOCAL.search(text, first, found.start())
        if local is None or len(local[0]) > LONGEST_LOCAL:
            continue
        parts += (text[at : local.start()], "<email>")
        at = found.end()
        count += 1
    return "".join((*parts, text[at:])), count


def _replaced(
    pattern: re.Pattern[str], name: str, text: str, accepts: Callable[[re.Match[str]], bool]
) -> Count:
    count = 0

    def replace(found: re.Match[str]) -> str:
        nonlocal count
        if not accepts(found):
            return found[0]
        count += 1
        before = found[1] if pattern is NAMED_PHONE else ""
        return before + name

    return pattern.sub(replace, text), count


def _is_ipv4(found: re.Match[str]) -> bool:
    """Whether it is an address that can be somebody's, and no version."""
    if max(map(int, found.groups())) < SMALLEST:
        return False
    try:
        address = IPv4Address(found[0])
    except AddressValueError:
        return False
    if VERSION.search(found.string, max(0, found.start() - 10), found.start()):
        return False
    return not (
        address.is_loopback or address.is_multicast or address.is_link_local or _is_local(address)
    )


def _is_local(address: IPv4Address) -> bool:
    first, second = address.packed[:2]
    return (
        first in {0, 10, 255}
        or (first, second) == (192, 168)
        or (first == 172 and 16 <= second < 32)
    )


def _is_ipv6(found: re.Match[str]) -> bool:
    """As for version 4; a name such as `std::ab` has fewer parts than an address."""
    text = found[0].lower()
    if len([part for part in text.split(":") if part]) < 3 or text.startswith(NETWORKS_OF_ONE):
        return False
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return False
    return any(map(str.isdigit, text)) and not address.is_link_local


def _is_phone(found: re.Match[str]) -> bool:
    """As many digits as a number has, and not those of a date."""
    digits = sum(map(str.isdigit, found[0]))
    return 7 <= digits <= 15 and (found[0][:1] != "+" or digits >= 8)
