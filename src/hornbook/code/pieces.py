"""What a shard leaves: parts of kept documents, digests of their texts, and drops by reason."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.artifacts import write_table
from hornbook.code.rules import Verdict
from hornbook.code.secrets import MASK, find
from hornbook.tally import DIGEST_BYTES, EXCERPT, Tally

if TYPE_CHECKING:
    import pyarrow as pa

    from hornbook.code.config import Corpus

PART_ROWS = 4096
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
        self.parts = self.bytes = 0
        self.rows: list[dict[str, Any]] = []
        self.tally = Tally(rules.dropped_examples)

    def take(self, name: str, verdict: Verdict) -> None:
        """One document, kept or not."""
        text, words = verdict.text, len(verdict.text.split())
        key = identity(name, text)
        if verdict.reason is not None:
            excerpt = self._excerpt(verdict)
            self.drop(verdict.reason, name, key=key, words=words, excerpt=excerpt)
            return
        raw = text.encode()
        digest = hashlib.blake2b(raw, digest_size=DIGEST_BYTES).digest()
        self.tally.keep(digest, lines=verdict.lines, words=words, masked=verdict.masked)
        self.rows.append({
            "id": key, "text": text, "source": name, "licence": verdict.licence,
            "kind": self.kind, "lines": verdict.lines, "words": words, "masked": verdict.masked,
        })  # fmt: skip
        self.bytes += len(raw)
        if self.bytes >= self.rules.shard_bytes or len(self.rows) >= PART_ROWS:
            self._write()

    def drop(
        self, reason: str, name: str, *, key: str = "", words: int = 0, excerpt: str = ""
    ) -> None:
        """Count one document that is not kept; the first ones stay to be looked at."""
        self.tally.drop(reason, key or identity(name, ""), name, excerpt, words)

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
        return self.tally.finish(self.folder)


def identity(name: str, text: str) -> str:
    """The id of a document: of its name and text."""
    return hashlib.sha256(f"{name}\n{text}".encode(errors="replace")).hexdigest()[:32]
