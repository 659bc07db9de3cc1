"""Schema of `books`."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from hornbook.classifier.config import Annotations
from hornbook.config import STRICT, Expectation
from hornbook.sandbox.config import Sandbox

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, config=STRICT)
class Audience:
    """For whom: what the prompt says about the reader, and how often in a round."""

    weight: Annotated[int, Field(ge=0)]
    text: str


@dataclass(frozen=True, config=STRICT)
class Style:
    """In which form; `only_in` and `not_in` name domains."""

    weight: Annotated[int, Field(ge=0)]
    text: str
    only_in: list[str] | None = None
    not_in: list[str] | None = None


@dataclass(frozen=True, config=STRICT)
class Words:
    """A noun, a verb and an adjective that have to occur in a share of the books."""

    share: Share
    styles: list[str]
    not_in: list[str]  # domains
    text: str  # with {words}
    nouns: list[str]
    verbs: list[str]
    adjectives: list[str]


@dataclass(frozen=True, config=STRICT)
class Inspiration:
    """Which share of the prompts carries an excerpt of a web page."""

    share: Share
    text: str  # with {excerpt}


@dataclass(frozen=True, config=STRICT)
class Prompts:
    """Templates and what they are crossed with."""

    name: str  # recorded with each book
    system: str
    template: str
    audiences: dict[str, Audience]
    styles: dict[str, Style]
    words: Words
    excerpt: Inspiration


@dataclass(frozen=True, config=STRICT)
class Excerpts:
    """Pieces of crawled pages for prompts; nothing else of the web graph is read."""

    count: Annotated[int, Field(gt=0)]
    per_page: Annotated[int, Field(gt=0)]
    min_letters: int
    max_letters: int  # Cosmopedia cuts at 1,000
    include: list[str]  # globs of data.web
    languages: list[str]
    seed: int
    expectations: list[Expectation]


@dataclass(frozen=True, config=STRICT)
class Answers:
    """How many books are asked for, over which domains."""

    count: Annotated[int, Field(gt=0)]
    seed: int
    weights: dict[str, Annotated[float, Field(ge=0)]]  # of the books, by domain
    max_failed_share: Annotated[float, Field(ge=0, lt=1)]  # of the requests; more stops the stage
    shard_rows: Annotated[int, Field(gt=0)]
    expectations: list[Expectation]


@dataclass(frozen=True, config=STRICT)
class Programs:
    """What is done about Python in a book."""

    sample: Annotated[int, Field(ge=0)]  # books whose programs are run; syntax is checked in all
    seed: int
    own_in_rlimit: bool  # the embedded teacher's own programs need no sandbox
    sandbox: Sandbox


@dataclass(frozen=True, config=STRICT)
class Corpus:
    """Which answers become books."""

    min_words: int
    max_words: int
    languages: list[str]
    language_margin: Annotated[float, Field(ge=1)]  # by which another language has to fit better
    refusals: list[str]  # openings of an answer that is none, lower case
    meta_talk: list[str]  # the writer about itself or its task, lower case
    parts: dict[str, str]  # part of a book: words of which one has to occur, a|b
    max_repeated_sentences: Share  # of the sentences
    max_top_trigram: Share  # of the words that the most frequent run of three covers
    programs: Programs
    shard_rows: Annotated[int, Field(gt=0)]
    expectations: list[Expectation]


@dataclass(frozen=True, config=STRICT)
class Diversity:
    """How diversity is measured."""

    books: Annotated[int, Field(gt=0)]  # a seeded sample over all groups
    pairs: Annotated[int, Field(gt=0)]  # of books, whose similarity is averaged
    sample_words: Annotated[int, Field(gt=0)]  # of each group, so that groups can be compared
    points: Annotated[int, Field(gt=1)]  # of a growth curve
    seed: int


@dataclass(frozen=True, config=STRICT)
class Books:
    """From topics to textbooks."""

    prompts: Prompts
    excerpts: Excerpts
    answers: Answers
    corpus: Corpus
    diversity: Diversity
    annotations: Annotations
