"""What the address of a page says about it, without asking anybody.

RefinedWeb and FineWeb block by lists of hosts and by words (arXiv 2306.01116, G.1; 2406.17557); a
word counts as a whole, so that `essex` and `analytics` are no finds.
"""

import re
from collections.abc import Iterator

from hornbook.web.rules_config import UrlRules

REASONS = ("blocked_host", "blocked_url_word", "suspect_url_words", "ip_host", "host_labels")
WORD = re.compile(r"[a-z0-9]+")
QUERY = re.compile(r"[?#]")
LONGEST = 2000  # characters that are looked at


def broken(url: str, rules: UrlRules) -> Iterator[str]:
    """The reason of each rule that the address breaks; what has no host breaks few."""
    low = url[:LONGEST].lower()
    before, mark, after = low.partition("://")
    address = QUERY.split(after if mark else before, maxsplit=1)[0]
    host = address.split("/", 1)[0].rpartition("@")[2] if mark else ""
    name = host if host.startswith("[") else host.partition(":")[0].rstrip(".")
    labels = name.split(".")
    ends = {".".join(labels[at:]) for at in range(len(labels))}
    if not ends.isdisjoint(rules.blocked_hosts):
        yield "blocked_host"
    words = set(WORD.findall(address))
    if not words.isdisjoint(rules.blocked_words):
        yield "blocked_url_word"
    if len(words.intersection(rules.suspect_words)) > rules.max_suspect_words:
        yield "suspect_url_words"
    if not rules.allow_ip_hosts and (name.startswith("[") or name.replace(".", "").isdigit()):
        yield "ip_host"
    if len(labels) > rules.max_host_labels and not name.replace(".", "").isdigit():
        yield "host_labels"
