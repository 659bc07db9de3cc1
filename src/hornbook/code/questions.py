"""Questions with an answer each, out of dumps that hold both far apart.

Three steps over the shards: numbers of all posts, which choose the answers; the texts of the
chosen posts, spread into groups of questions; the documents of each group. What stays in memory
is a few numbers for each question that is wanted, and the texts of one group.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hornbook.artifacts import write_table
from hornbook.code import licences, posts, secrets
from hornbook.code.config import Corpus, Questions
from hornbook.code.packed import BROKEN, opened
from hornbook.code.page_text import text_of
from hornbook.code.pieces import Pieces
from hornbook.code.rules import Verdict
from hornbook.code.tables import parquet_rows
from hornbook.compute import Done, Place, Shard, map_shards
from hornbook.sources import InputFile, fetched
from hornbook.stage import Run
from hornbook.tally import EXCERPT

SITES = "sites.txt"

if TYPE_CHECKING:
    import numpy as np


class Part(NamedTuple):
    """A part of a dump: bytes of an XML file from `start` to `end`, or row groups of a parquet."""

    site: str
    file: InputFile
    start: int
    end: int | None


def questions(run: Run, dumps: Sequence[Shard], settings: Corpus) -> list[Done]:
    """Kept and dropped questions of all dumps, a shard for each group."""
    if not dumps:
        return []
    scanned = map_shards(run, "reading votes", partial(scan, settings=settings), dumps)
    folder = run.pending / "chosen"
    num_groups = choose(dumps, scanned, settings, folder)
    work = partial(pull, settings=settings, folder=folder.absolute())
    pulled = map_shards(run, "reading posts", work, dumps)
    groups = [
        Shard(f"{number:05d}", [str(done.folder / _group_file(number)) for done in pulled], size)
        for number, size in enumerate(_sizes(pulled, num_groups))
    ]
    made = map_shards(run, "writing questions", partial(write, settings=settings), groups)
    return [*scanned, *made]


def _sizes(pulled: Sequence[Done], num_groups: int) -> list[int]:
    files = [[done.folder / _group_file(number) for done in pulled] for number in range(num_groups)]
    return [sum(f.stat().st_size for f in group if f.exists()) for group in files]


def _group_file(number: int) -> str:
    return f"group-{number:05d}.parquet"


def read(part: Part, place: Place, rules: Questions, faults: Counter[str]) -> Iterator[posts.Post]:
    """The questions and answers of a part; what is damaged is counted."""
    import pyarrow as pa

    with fetched(part.file, place.folder) as path:
        is_table = part.file.name.endswith(".parquet")
        found = _table(path, part) if is_table else _xml(path, part, rules, faults)
        try:
            for row, num_bytes in found:
                place.advance(num_bytes)
                try:
                    post = posts.post_of(row or {})
                except (ValueError, TypeError, OverflowError):  # an infinite score is no number
                    faults["damaged_row"] += 1
                    continue
                if post is not None:
                    yield post
        except (*BROKEN, pa.ArrowException):
            faults["damaged_file"] += 1


def _xml(
    path: Path, part: Part, rules: Questions, faults: Counter[str]
) -> Iterator[tuple[dict[str, str] | None, int]]:
    if not part.start and posts.has_declarations(path):
        faults["declarations"] += 1
        return
    with opened(path) as file:
        if part.start:  # what is packed cannot seek
            file.seek(part.start)
        end = None if part.end is None else part.end - part.start
        yield from posts.rows(file, end=end, max_row_bytes=rules.max_row_bytes)


def _table(path: Path, part: Part) -> Iterator[tuple[dict[str, Any] | None, int]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        names = posts.renamed(file.schema_arrow.names)
        groups = range(part.start, file.num_row_groups if part.end is None else part.end)
        for row, num_bytes in parquet_rows(file, groups, list(names)):
            post = row and {names[name]: value for name, value in row.items()}
            yield post, num_bytes


def scan(part: Part, place: Place, *, settings: Corpus) -> dict[str, Any]:
    """The numbers of questions that are wanted and of answers that may be, as arrays."""
    import numpy as np

    rules = settings.questions
    tags, faults = frozenset(rules.tags), Counter[str]()
    asked: list[tuple[int, int]] = []
    answers: list[tuple[int, int, int]] = []
    pieces = Pieces(place.folder, settings, "question")
    num_posts = 0
    for post in read(part, place, rules, faults):
        num_posts += 1
        if post.parent:
            if post.score >= rules.min_answer_score:
                answers.append((post.id, post.parent, post.score))
            continue
        reason = _refused(post, rules, tags)
        if reason is None:
            asked.append((post.id, post.accepted))
        else:
            pieces.drop(reason, _name(part.site, post.id), excerpt=post.title[:EXCERPT])
    for reason, count in sorted(faults.items()):
        for _ in range(count):
            pieces.drop(reason, part.file.name)
    np.save(place.folder / "asked.npy", np.array(asked, np.int64).reshape(-1, 2))
    np.save(place.folder / "answers.npy", np.array(answers, np.int64).reshape(-1, 3))
    return pieces.finish() | {"posts": num_posts}


def _refused(post: posts.Post, rules: Questions, tags: frozenset[str]) -> str | None:
    if tags and not tags.intersection(post.tags):
        return "off_topic"
    if post.is_closed:
        return "closed"
    return "low_score" if post.score < rules.min_question_score else None


def _name(site: str, number: int) -> str:
    return f"{site}/questions/{number}"


def choose(dumps: Sequence[Shard], scanned: Sequence[Done], settings: Corpus, folder: Path) -> int:
    """Write which posts of each site are taken; returns the number of groups.

    A question without an answer stays among them, so that its group can count it.
    """
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    sites = list(dict.fromkeys(shard.what.site for shard in dumps))
    chosen = [
        _chosen(
            [done for shard, done in zip(dumps, scanned, strict=True) if shard.what.site == site]
        )
        for site in sites
    ]
    num_posts = sum(done.facts["posts"] for done in scanned)
    share = sum(len(ids) for ids, _ in chosen) / max(num_posts, 1)
    expected_bytes = share * sum(shard.num_bytes for shard in dumps)
    num_asked = max(sum(int(at.max(initial=-1)) + 1 for _, at in chosen), 1)
    num_groups = min(num_asked, max(1, math.ceil(expected_bytes / settings.shard_bytes)))
    begun = 0
    for number, (ids, at) in enumerate(chosen):
        np.save(
            folder / f"{number:05d}.npy", np.stack([ids, (begun + at) * num_groups // num_asked])
        )
        begun += int(at.max(initial=-1)) + 1
    (folder / SITES).write_text("\n".join(sites), "utf-8")
    return num_groups


def _chosen(scanned: Sequence[Done]) -> tuple["np.ndarray", "np.ndarray"]:
    """The ids that are taken of a site, sorted, and for each the place of its question."""
    import numpy as np

    asked = np.concatenate([np.load(done.folder / "asked.npy") for done in scanned])
    _, first = np.unique(asked[:, 0], return_index=True)
    asked = asked[first]
    answers = np.concatenate([_of_asked(done, asked[:, 0]) for done in scanned])
    answers = answers[_best(asked, answers)]
    ids = np.concatenate([asked[:, 0], answers[:, 0]])
    at = np.concatenate([np.arange(len(asked)), np.searchsorted(asked[:, 0], answers[:, 1])])
    order = np.argsort(ids, kind="stable")
    return ids[order], at[order]


def _of_asked(done: Done, asked: "np.ndarray") -> "np.ndarray":
    """The answers of a shard whose question is wanted."""
    import numpy as np

    answers = np.load(done.folder / "answers.npy")
    at = np.searchsorted(asked, answers[:, 1])
    is_known = at < len(asked)
    is_known[is_known] = asked[at[is_known]] == answers[is_known, 1]
    return answers[is_known]


def _best(asked: "np.ndarray", answers: "np.ndarray") -> "np.ndarray":
    """Of each question that has one: the accepted answer, else the best scored, else the oldest."""
    import numpy as np

    of = np.searchsorted(asked[:, 0], answers[:, 1])
    is_accepted = asked[of, 1] == answers[:, 0] if len(answers) else np.zeros(0, bool)
    order = np.lexsort((answers[:, 0], -answers[:, 2], ~is_accepted, of))
    _, first = np.unique(of[order], return_index=True)
    return order[first]


def pull(part: Part, place: Place, *, settings: Corpus, folder: Path) -> dict[str, Any]:
    """The texts of the chosen posts, a table for each group."""
    import numpy as np
    import pyarrow as pa

    number = (folder / SITES).read_text("utf-8").split("\n").index(part.site)
    ids, groups = np.load(folder / f"{number:05d}.npy")
    found: dict[int, list[dict[str, Any]]] = {}
    for post in read(part, place, settings.questions, Counter()):
        at = int(np.searchsorted(ids, post.id))
        if at == len(ids) or ids[at] != post.id:
            continue
        row = {
            "site": part.site, "question": post.parent or post.id, "is_answer": post.parent > 0,
            "title": post.title, "text": text_of(post.body), "licence": post.licence,
        }  # fmt: skip
        found.setdefault(int(groups[at]), []).append(row)
    for group, rows in found.items():
        write_table(place.folder / _group_file(group), pa.Table.from_pylist(rows))
    return {"posts": sum(map(len, found.values()))}


def write(files: Sequence[str], place: Place, *, settings: Corpus) -> dict[str, Any]:
    """The documents of one group of questions, by site and number."""
    import pyarrow.parquet as pq

    asked: dict[tuple[str, int], dict[str, Any]] = {}
    answered: dict[tuple[str, int], dict[str, Any]] = {}
    for file in map(Path, files):
        if file.exists():
            for row in pq.read_table(file).to_pylist():
                mine = answered if row["is_answer"] else asked
                mine.setdefault((row["site"], row["question"]), row)
            place.advance(file.stat().st_size)
    pieces = Pieces(place.folder, settings, "question")
    for key in sorted(asked):
        name = _name(*key)
        answer = answered.get(key)
        if answer is None:
            pieces.drop("no_answer", name, excerpt=asked[key]["title"][:EXCERPT])
        else:
            pieces.take(name, judged(asked[key], answer, settings))
    return pieces.finish()


def document(title: str, question: str, answer: str) -> str:
    """Title, question and answer as one text."""
    return f"# {' '.join(title.split())}\n\n{question}\n\n## Answer\n\n{answer}\n"


def judged(question: dict[str, Any], answer: dict[str, Any], settings: Corpus) -> Verdict:
    """The document of a pair, or the reason against it."""
    rules = settings.questions
    text = document(question["title"], question["text"], answer["text"])
    lines, words = text.count("\n"), len(text.split())
    licence = licences.both(question["licence"], answer["licence"])
    found = secrets.find(text, settings.secrets)
    reason = None
    if not licence:
        reason = "no_licence"
    elif not licences.is_allowed(licence, frozenset(rules.licences)):
        reason = "licence"
    elif not (question["title"].strip() and question["text"].strip() and answer["text"].strip()):
        reason = "empty_page"
    elif words < rules.min_words:
        reason = "too_short"
    elif words > rules.max_words or lines > settings.max_lines:
        reason = "too_long"
    elif found and settings.secrets.found == "drop":
        reason = "secret"
    elif found:
        text = secrets.masked(text, found)
    return Verdict(text, licence, lines, len(found), reason)
