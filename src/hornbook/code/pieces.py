"""What a shard leaves: parts of kept documents, digests of their texts, and drops by reason."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import read_json, write_bytes, write_json, write_table
from hornbook.code.rules import Verdict
from hornbook.code.secrets import MASK, find
from hornbook.compute import Done

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from hornbook.code.config import Corpus

DIGESTS, EXAMPLES = "digests.bin", "examples.json"
DIGEST_BYTES = 16
PART_ROWS = 4096
EXCERPT = 200
KINDS = ("file", "question")


def schema() -> "pa.Schema":
    """The columns of the corpus."""
    import pyarrow as pa

    text = [(name, pa.string()) for name in ("id", "text", "source", "licence", "kind")]
    return pa.schema([*text, ("lines", pa.int32()), ("words", pa.int32()), ("masked", pa.int32())])


class Pieces:
    """Takes verdicts in order and writes them as parts of a bounded size."""

    def __init__(self, folder: Path, rules: "Corpus", kind: str) -> None:
        self.folder = folder
        self.rules = rules
        self.kind = kind
        self.kept = self.parts = self.bytes = 0
        self.rows: list[dict[str, Any]] = []
        self.digests: list[bytes] = []
        self.totals: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.dropped_words: Counter[str] = Counter()
        self.examples: list[dict[str, str]] = []

    def take(self, name: str, verdict: Verdict) -> None:
        """One document, kept or not."""
        text, words = verdict.text, len(verdict.text.split())
        key = identity(name, text)
        if verdict.reason is not None:
            excerpt = self._excerpt(verdict)
            self.drop(verdict.reason, name, key=key, words=words, excerpt=excerpt)
            return
        raw = text.encode()
        self.digests.append(hashlib.blake2b(raw, digest_size=DIGEST_BYTES).digest())
        self.rows.append({
            "id": key, "text": text, "source": name, "licence": verdict.licence,
            "kind": self.kind, "lines": verdict.lines, "words": words, "masked": verdict.masked,
        })  # fmt: skip
        self.kept += 1
        self.bytes += len(raw)
        self.totals.update(lines=verdict.lines, words=words, masked=verdict.masked)
        if self.bytes >= self.rules.shard_bytes or len(self.rows) >= PART_ROWS:
            self._write()

    def drop(
        self, reason: str, name: str, *, key: str = "", words: int = 0, excerpt: str = ""
    ) -> None:
        """Count one document that is not kept; the first ones stay to be looked at."""
        self.dropped[reason] += 1
        self.dropped_words[reason] += words
        if self.dropped[reason] <= self.rules.dropped_examples:
            key = key or identity(name, "")
            row = {"id": key, "source": name, "reason": reason, "excerpt": excerpt}
            self.examples.append(row)

    def _excerpt(self, verdict: Verdict) -> str:
        """The start of a text, or what stands before a secret; never the secret."""
        text = verdict.text
        found = find(text, self.rules.secrets) if verdict.reason == "secret" else []
        if found:
            start = found[0].start
            return f"{text[max(0, start - EXCERPT) : start]}{MASK} ({found[0].kind})"
        short = text[: 2 * EXCERPT]  # other texts may hold secrets too
        for one in reversed(find(short, self.rules.secrets)):
            short = short[: one.start] + MASK + short[one.end :]
        return short[:EXCERPT]

    def _write(self) -> None:
        import pyarrow as pa

        table = pa.Table.from_pylist(self.rows, schema=schema())
        write_table(self.folder / f"part-{self.parts:05d}.parquet", table)
        self.parts, self.bytes = self.parts + 1, 0
        self.rows = []

    def finish(self) -> dict[str, Any]:
        """Write what is left; the facts of the shard."""
        if self.rows:
            self._write()
        write_bytes(self.folder / DIGESTS, b"".join(self.digests))
        write_json(self.folder / EXAMPLES, self.examples)
        return {
            "kept": self.kept,
            "parts": self.parts,
            "totals": dict(self.totals),
            "dropped": dict(self.dropped),
            "dropped_words": dict(self.dropped_words),
        }


def identity(name: str, text: str) -> str:
    """The id of a document: of its name and text."""
    return hashlib.sha256(f"{name}\n{text}".encode(errors="replace")).hexdigest()[:32]


def parts(done: Done) -> list[Path]:
    """The parts that a shard wrote, in order."""
    return [done.folder / f"part-{number:05d}.parquet" for number in range(done.facts["parts"])]


def repeats(done: Sequence[Done]) -> Iterator["np.ndarray"]:
    """For each shard, which of its documents have a text that came before."""
    import numpy as np

    kind = np.dtype([("high", "<u8"), ("low", "<u8")])
    digests = [np.frombuffer((one.folder / DIGESTS).read_bytes(), dtype=kind) for one in done]
    _, first = np.unique(np.concatenate(digests), return_index=True)
    is_first = np.zeros(sum(map(len, digests)), dtype=bool)
    is_first[first] = True
    at = 0
    for one in digests:
        yield ~is_first[at : at + len(one)]
        at += len(one)


def examples(done: Sequence[Done], most: int) -> list[dict[str, str]]:
    """The first drops of each reason over all shards, by reason."""
    taken: dict[str, list[dict[str, str]]] = {}
    for one in done:
        for row in read_json(one.folder / EXAMPLES):
            rows = taken.setdefault(row["reason"], [])
            if len(rows) < most:
                rows.append(row)
    return [row for reason in sorted(taken) for row in taken[reason]]
