"""Questions with answers in the schema of a Stack Exchange dump, good and bad, written by us."""

import gzip
import html
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from hornbook.artifacts import write_bytes

TEXTS = Path(__file__).with_name("questions.txt")
TITLE = "= "
LICENCE = "CC0-1.0"
PLAIN, PACKED = "beginners/Posts.xml", "classroom/Posts.xml.gz"
CODE = re.compile(r"`([^`]+)`")
# what people also answer; never the accepted one, and seldom with points
WORSE = (
    "Works for me. Which version do you have?",
    "Just search for it, this was asked before.",
    "I had the same problem and then it went away, so try it again tomorrow.",
    "You should use another language for this anyway.",
    "See my blog for the solution.",
    "I think it is because of the cache. Delete everything and install it again.",
)


class Pair(NamedTuple):
    """A question and its best answer, in a small Markdown."""

    title: str
    question: str
    answer: str


def pairs() -> list[Pair]:
    """All of them, in the order of the file."""
    text = "\n".join(row for row in TEXTS.read_text("ascii").split("\n") if row[:2] != "# ")
    found: list[Pair] = []
    for part in f"\n{text}".split(f"\n{TITLE}")[1:]:
        title, _, rest = part.partition("\nQ\n")
        question, _, answer = rest.partition("\nA\n")
        found.append(Pair(title.strip(), question.strip("\n"), answer.strip("\n")))
    return found


def body(text: str) -> str:
    """The HTML that such a site makes of the Markdown."""
    blocks: list[str] = []
    for is_code, lines in _runs(text):
        joined = html.escape("\n".join(lines), quote=False)
        if is_code:
            blocks.append(f"<pre><code>{joined}\n</code></pre>")
            continue
        paragraphs = (CODE.sub(r"<code>\1</code>", part.strip()) for part in joined.split("\n\n"))
        blocks += [f"<p>{part}</p>" for part in paragraphs if part]
    return "\n\n".join(blocks) + "\n"


def _runs(text: str) -> Iterator[tuple[bool, list[str]]]:
    """Lines of a text, those of code and those of text apart; a blank line belongs to the code."""
    run: list[str] = []
    is_code = False
    for line in text.split("\n"):
        own = line.startswith("    ") or (is_code and not line.strip())
        if own != is_code and run:
            yield is_code, _trimmed(run)
            run = []
        is_code = own
        run.append(line[4:] if own else line)
    yield is_code, _trimmed(run)


def _trimmed(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines


class Thread(NamedTuple):
    """A question with its answers as rows; ids are given when all are in order."""

    question: dict[str, str]
    answers: list[dict[str, str]]
    accepted: int | None


def thread(pair: Pair, rng: random.Random) -> Thread:
    """A question that people liked, its answer, and perhaps a worse one."""
    score = rng.randint(2, 40)
    question = {
        "Title": pair.title,
        "Tags": "<python><beginner>",
        "Score": str(score),
        "Body": body(pair.question),
    }
    answers = [{"Body": body(pair.answer), "Score": str(score + rng.randint(1, 30))}]
    if rng.random() < 0.4:
        worse = {"Body": body(rng.choice(WORSE)), "Score": str(rng.randint(-4, 1))}
        answers.insert(rng.randint(0, 1), worse)
    best = max(range(len(answers)), key=lambda at: int(answers[at]["Score"]))
    return Thread(question, answers, best if rng.random() < 0.7 else None)


def poor(good: list[Pair], rng: random.Random) -> list[Thread]:
    """Questions that are not taken, one or more for each reason."""
    ask = {
        "Title": "plz help",
        "Tags": "<python>",
        "Score": "-3",
        "Body": "<p>it does not work!!</p>",
    }
    reply = {"Body": body(good[0].answer), "Score": "9"}
    short = {"Body": "<p>No.</p>", "Score": "5"}
    liked = ask | {"Title": "Is there an end to this loop?", "Score": "4"}
    other = ask | {"Title": "How do I centre a box?", "Tags": "<css><html>", "Score": "50"}
    closed = liked | {"Title": "Which editor is best?", "ClosedDate": "2024-02-02T00:00:00.000"}
    theirs = liked | {"Title": "Whose words are these?", "ContentLicense": "CC BY-NC 4.0"}
    copied = thread(good[2], rng)
    return [
        Thread(ask, [reply], 0),
        Thread(other, [reply], 0),
        Thread(closed, [reply], 0),
        Thread(theirs, [reply], 0),
        Thread(liked | {"Title": "Nobody knows?"}, [], None),
        Thread(
            liked | {"Title": "Only bad answers?"}, [{"Body": body(WORSE[0]), "Score": "-1"}], None
        ),
        Thread(liked, [short], 0),
        copied,
    ]


def rows(threads: list[Thread], rng: random.Random) -> list[str]:
    """The rows of a dump: by id, so that answers stand far behind their questions."""
    numbers = iter(range(1, 10**6))
    ids = [next(numbers) for _ in threads]
    order = [(at, n) for at, one in enumerate(threads) for n in range(len(one.answers))]
    rng.shuffle(order)
    answer_ids = {place: next(numbers) for place in order}
    found = [_row({"Id": "999999", "PostTypeId": "5", "Score": "0", "Body": "", "ParentId": ""})]
    for at, one in enumerate(threads):
        accepted = (
            {} if one.accepted is None else {"AcceptedAnswerId": str(answer_ids[at, one.accepted])}
        )
        found.append(_row({"Id": str(ids[at]), "PostTypeId": "1"} | accepted | one.question))
    for at, n in order:
        parent = {"Id": str(answer_ids[at, n]), "PostTypeId": "2", "ParentId": str(ids[at])}
        found.append(_row(parent | threads[at].answers[n]))
    return found


def _row(values: dict[str, str]) -> str:
    given = {"CreationDate": "2024-01-01T00:00:00.000", "ContentLicense": LICENCE} | values
    fields = " ".join(f"{name}={quoteattr(value)}" for name, value in given.items() if value)
    return f"  <row {fields} />"


def document(lines: list[str]) -> bytes:
    """The rows as the XML of a dump."""
    head = '<?xml version="1.0" encoding="utf-8"?>\n<posts>\n'
    return (head + "\n".join(lines) + "\n</posts>\n").encode()


def write_questions(folder: Path, seed: int) -> None:
    """Two dumps: one plain, with the bad questions and two damaged rows, one packed."""
    good = pairs()
    rng = random.Random(f"{seed}/questions")  # noqa: S311 - not a secret
    cut = len(good) * 2 // 3
    plain = rows([*(thread(one, rng) for one in good[:cut]), *poor(good, rng)], rng)
    damaged = [
        '  <row Id="7000" PostTypeId="1" Body="&unknown;" />',
        '  <row Id="7001" PostTypeId="1',
    ]
    packed = rows([thread(one, rng) for one in good[cut:]], rng)
    write_bytes(folder / PLAIN, document([*plain[:9], *damaged, *plain[9:]]))
    write_bytes(folder / PACKED, gzip.compress(document(packed), 9, mtime=0))
