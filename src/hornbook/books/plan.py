"""Which books are asked for: topic x audience x style x words x excerpt, each distinct, by seed."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from math import gcd
from typing import Any, NamedTuple

from hornbook.books.config import Answers, Prompts, Style
from hornbook.errors import ConfigError
from hornbook.seeds import integer, stream
from hornbook.teacher.requests import Message, Request
from hornbook.topics.selection import quotas


class Planned(NamedTuple):
    """All that one prompt is made of, as it is recorded with the book."""

    topic: Mapping[str, Any]
    audience: str
    style: str
    variation: int
    words: tuple[str, ...]
    excerpt: Mapping[str, Any] | None


def planned(
    settings: Answers,
    prompts: Prompts,
    topics: Sequence[Mapping[str, Any]],
    excerpts: Sequence[Mapping[str, Any]],
) -> Iterator[Planned]:
    """`settings.count` books, domain by domain, every topic of a domain before any comes again.

    Raises:
        ConfigError: A weighted domain has no topic or no style.
    """
    for domain, quota in sorted(quotas(settings.count, settings.weights).items()):
        own = [topic for topic in topics if topic["domain"] == domain]
        crossed = _crossed(prompts, domain)
        if quota and not own:
            raise ConfigError(
                f"books.answers.weights gives {domain!r} {quota} books, but there are no topics "
                f"of it; there are {sorted({topic['domain'] for topic in topics})}"
            )
        if quota and not crossed:
            raise ConfigError(
                f"books.prompts has no style for {domain!r}: its only_in and not_in leave none"
            )
        order = stream(settings.seed, "books", domain).permutation(len(own)).tolist()
        # coprime to the crossing: a topic meets every pair before one comes again, and in each
        # pass over the topics all pairs come about equally often
        stride = next(n for n in count(len(order)) if gcd(n, len(crossed) or 1) == 1)
        for number in range(quota):
            at_pass, index = divmod(number, len(order))
            audience, style, nth, weight = crossed[(at_pass * stride + index) % len(crossed)]
            variation = at_pass // len(crossed) * weight + nth
            yield _planned(
                settings, prompts, own[order[index]], audience, style, variation, excerpts
            )


def _crossed(prompts: Prompts, domain: str) -> list[tuple[str, str, int, int]]:
    """Audience, style, number and weight: each pair of a domain as often as its weight says."""
    pairs = [
        (audience, style, reader.weight * form.weight)
        for audience, reader in sorted(prompts.audiences.items())
        for style, form in sorted(prompts.styles.items())
        if _is_for(form, domain)
    ]
    return [(*pair[:2], nth, pair[2]) for pair in pairs for nth in range(pair[2])]


def _is_for(style: Style, domain: str) -> bool:
    return domain not in (style.not_in or ()) and domain in (style.only_in or [domain])


def _planned(
    settings: Answers,
    prompts: Prompts,
    topic: Mapping[str, Any],
    audience: str,
    style: str,
    variation: int,
    excerpts: Sequence[Mapping[str, Any]],
) -> Planned:
    """A book with the words and the excerpt that its own draw gives it."""
    drawn = integer(settings.seed, "book", topic["topic_id"], audience, style, str(variation))
    words, excerpt = prompts.words, prompts.excerpt
    is_fit = style in words.styles and topic["domain"] not in words.not_in
    chosen: tuple[str, ...] = ()
    if is_fit and drawn % 1000 < words.share * 1000:
        kinds = (words.nouns, words.verbs, words.adjectives)
        shift = (drawn // 1000, drawn // 100_000, drawn // 10_000_000)
        chosen = tuple(kind[n % len(kind)] for kind, n in zip(kinds, shift, strict=True))
    has_excerpt = bool(excerpts) and (drawn >> 40) % 1000 < excerpt.share * 1000
    found = excerpts[(drawn >> 20) % len(excerpts)] if has_excerpt else None
    return Planned(topic, audience, style, variation, chosen, found)


def request(prompts: Prompts, book: Planned) -> Request:
    """The prompt of a book.

    Raises:
        ConfigError: The template names a field that a book does not have.
    """
    values = {
        **{name: book.topic[name] for name in ("domain", "subject", "topic")},
        "audience": book.audience,
        "audience_text": prompts.audiences[book.audience].text,
        "style": book.style,
        "style_text": prompts.styles[book.style].text,
        "variation": book.variation,
        "words": _filled(prompts.words.text, "words", words=", ".join(book.words))
        if book.words
        else "",
        "excerpt": _filled(prompts.excerpt.text, "excerpt", excerpt=book.excerpt["text"])
        if book.excerpt
        else "",
    }
    text = _filled(prompts.template, "template", **values)
    return Request(key(book), (Message("system", prompts.system), Message("user", text)))


def key(book: Planned) -> str:
    """A name for the book within its plan."""
    return f"{book.topic['topic_id']}/{book.audience}/{book.style}/{book.variation}"


def _filled(template: str, where: str, **values: Any) -> str:  # noqa: ANN401 - text and numbers
    try:
        return template.format(**values)
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigError(
            f"books.prompts.{where} cannot be filled in ({type(error).__name__}: {error}); its "
            f"fields are {{{'}, {'.join(sorted(values))}}}, and a brace that is text is doubled"
        ) from error
