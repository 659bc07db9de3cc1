"""`hornbook trace`: which documents a step of training saw, and where each of them is from."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hornbook.artifacts import read_json, read_table
from hornbook.errors import ArtifactError, ConfigError
from hornbook.lineage.manifest import Graph, Stage, load_graph
from hornbook.mixture.sampler import Sampler
from hornbook.tokens.encoder import Encoder
from hornbook.tokens.index import Index, Piece, verify_shards
from hornbook.tokens.windows import Split, Windows

if TYPE_CHECKING:
    import pyarrow as pa

TOKENS, CLEAN, MIXTURE = "artifacts/tokens", "artifacts/clean/decontaminated", "artifacts/mixture"
TRACED = ("train", "train_seed", "tokens")
EXCERPT_CHARACTERS = 60
EPILOG = """examples:
  hornbook trace train@phi-1_5 --step 12            the documents of the 12th optimizer step
  hornbook trace train@phi-1_5 --step 12 --row 3    its fourth sequence in full, with its records
  hornbook trace tokens@books --document ID         where a document is in the tokens
  hornbook trace tokens@web --position 4000000      the document at a token of the corpus
  hornbook trace tokens@web --verify                read every shard, compare its checksum"""


class Corpus:
    """The tokens of a corpus with the way back to its records."""

    def __init__(self, root: Path, name: str) -> None:
        self.folder = root / TOKENS / name
        self.index = Index(self.folder)
        self._clean = root / CLEAN / name
        self._windows: dict[str, Windows] = {}
        self._part: tuple[Path, pa.Table] | None = None  # the last one: neighbours share it

    def text(self, encoder: Encoder, split: Split, start: int, end: int) -> str:
        """Text of the tokens [start, end) of a split."""
        if split not in self._windows:
            self._windows[split] = Windows(self.folder, split, 1)
        found = self._windows[split].read(np.array([start]), end - start)
        return encoder.decode(found[0].tolist())

    def record(self, piece: Piece) -> dict[str, Any]:
        """The document's row of the clean corpus, without its text.

        Raises:
            ArtifactError: The clean corpus is not the one that was encoded.
        """
        file = self._clean / f"{piece.part}.parquet"
        table = self._records(file)
        row: dict[str, Any] = (table.slice(piece.row, 1).to_pylist() or [{}])[0]
        if row.get("id") != piece.id:
            raise ArtifactError(
                f"row {piece.row} of {file} is {row.get('id')}, {self.folder} was made when it was "
                f"{piece.id}; run: hornbook run tokens@{self.folder.name}"
            )
        return row

    def _records(self, file: Path) -> "pa.Table":
        """A part of the clean corpus without its texts."""
        import pyarrow.parquet as pq

        if self._part is None or self._part[0] != file:
            read_table(file, ["id"])  # says what to do where there is no such file
            columns = [name for name in pq.read_schema(file).names if name != "text"]
            self._part = file, read_table(file, columns)
        return self._part[1]


class Order:
    """The order in which a variant was trained, or will be."""

    def __init__(self, root: Path, graph: Graph, stage: Stage) -> None:
        mixture, seed = root / MIXTURE / str(stage.instance), graph.params["train"]["seed"]
        if stage.family != "train":
            one = graph.params["further_seeds"]["models"][stage.instance]
            mixture, seed = root / MIXTURE / one["variant"], seed + one["seed"]
        manifest = read_json(mixture / "mixture.json")
        self.context_tokens = int(graph.params["model"]["context_tokens"])
        self.sequences = int(graph.params["train"]["batch_sequences"])
        self.seed = int(seed)
        self.steps = manifest["budget_tokens"] // (self.sequences * self.context_tokens)
        self.corpora = {
            source["corpus"]: Corpus(root, source["corpus"]) for source in manifest["sources"]
        }
        self.sampler = Sampler(
            mixture,
            {name: corpus.folder for name, corpus in self.corpora.items()},
            context_tokens=self.context_tokens,
            seed=self.seed,
        )

    def draws(self, step: int) -> Iterator[tuple[Corpus, int]]:
        """Corpus and first token of each sequence of a step, counted from 1.

        Raises:
            ConfigError: There is no such step.
        """
        if not 1 <= step <= self.steps:
            raise ConfigError(f"--step {step}: expected a step from 1 to {self.steps}")
        source, window = self.sampler.draws(step - 1, self.sequences)
        for number, place in zip(source.tolist(), window.tolist(), strict=True):
            yield self.corpora[self.sampler.sources[number]], place * self.context_tokens


def main(arguments: Sequence[str]) -> int:
    """`hornbook trace STAGE ...`."""
    parser = argparse.ArgumentParser(
        "hornbook trace",
        description="Name the documents behind the tokens of a training step, and their source.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stage", help="train@VARIANT, train_seed@NAME or tokens@CORPUS")
    parser.add_argument("--step", type=int, help="an optimizer step, counted from 1 as in curves")
    parser.add_argument("--row", type=int, help="one sequence of the step, counted from 0")
    parser.add_argument("--document", metavar="ID", help="a document of the corpus")
    parser.add_argument("--position", type=int, help="a token of the corpus, counted from 0")
    parser.add_argument("--split", choices=("train", "heldout"), default="train")
    parser.add_argument("--verify", action="store_true", help="compare shards with checksums")
    options = parser.parse_args(list(arguments))
    root = Path.cwd()
    graph = load_graph(root)
    stage = graph.stages.get(options.stage)
    if stage is None or stage.family not in TRACED:
        known = [name for name, one in graph.stages.items() if one.family in TRACED]
        raise ConfigError(f"{options.stage} cannot be traced; expected one of {', '.join(known)}")
    if stage.family != "tokens":
        if options.step is None:
            raise ConfigError(f"say which step: hornbook trace {stage.name} --step 1")
        _trace_step(root, Order(root, graph, stage), stage, options)
    elif options.verify:
        _verify(root / stage.out)
    else:
        _trace_document(root, Corpus(root, stage.instance or ""), options)
    return 0


def _say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")


def _trace_step(root: Path, order: Order, stage: Stage, options: argparse.Namespace) -> None:
    drawn = list(order.draws(options.step))
    rows = range(len(drawn)) if options.row is None else [options.row]
    if not 0 <= rows[0] < len(drawn):
        raise ConfigError(f"--row {options.row}: expected a row from 0 to {len(drawn) - 1}")
    encoder = Encoder.load(root / TOKENS / "tokenizer")
    _say(
        f"{stage.name}, step {options.step:,} of {order.steps:,}: {len(drawn):,} sequences of "
        f"{order.context_tokens:,} tokens, seed {order.seed}"
    )
    for row in rows:
        corpus, start = drawn[row]
        _say(
            f"row {row}: {corpus.folder.name}, tokens {start:,} to {start + order.context_tokens:,}"
        )
        end = start + order.context_tokens
        for piece in corpus.index.pieces("train", start, end):
            _show(corpus, piece, encoder, is_whole=options.row is not None)
    _prove(root / stage.out, order, options.step)


def _prove(trained: Path, order: Order, step: int) -> None:
    """Say the digest after the step, and whether the trained model has seen this very order."""
    digest = order.sampler.replay(step, order.sequences)
    _say(f"digest after step {step:,}: {digest}")
    if not trained.exists():
        _say(f"{trained} is not there: this is the order that it will be trained in")
        return
    known = read_json(trained / "metrics.json")
    steps = known["steps"]
    last = order.sampler.replay(steps, order.sequences, first=step, digest=digest)
    if last != known["digest"]:
        raise ArtifactError(
            f"{trained} was trained in another order than params.yaml and the tokens give now, so "
            f"this is not what it has seen; hornbook status says what is out of date"
        )
    _say(f"{trained} was trained in this order: its digest is the same")


def _show(corpus: Corpus, piece: Piece, encoder: Encoder, *, is_whole: bool) -> None:
    """One document: its tokens in the sequence, its source record, and text of them."""
    record = corpus.record(piece)
    split: Any = piece.split
    text = corpus.text(encoder, split, piece.position + piece.first, piece.position + piece.last)
    where = f"tokens {piece.first:,} to {piece.last:,} of {piece.length:,}"
    if not is_whole:
        shown = json.dumps(text[:EXCERPT_CHARACTERS], ensure_ascii=False)
        _say(f"  {piece.id}  {where}  {record.get('source')}  {shown}")
        return
    _say(f"  {piece.id}  {where} in {piece.shard}; row {piece.row} of {piece.part}.parquet")
    for key, value in record.items():
        if value not in (None, "") and key != "id":
            _say(f"    {key}: {value}")
    _say("    text:")
    for line in text.splitlines():
        _say(f"    | {line}")


def _trace_document(root: Path, corpus: Corpus, options: argparse.Namespace) -> None:
    encoder = Encoder.load(root / TOKENS / "tokenizer")
    if options.document is not None:
        found = corpus.index.find(options.document)
    elif options.position is not None:
        tokens = corpus.index.tokens.get(options.split, 0)
        if not 0 <= options.position < tokens:
            raise ConfigError(
                f"--position {options.position}: {corpus.folder} has {tokens:,} tokens for "
                f"{options.split}"
            )
        (found,) = corpus.index.pieces(options.split, options.position, options.position + 1)
        found = found._replace(first=0, last=found.length)
    else:
        raise ConfigError(
            f"say which document: hornbook trace tokens@{corpus.folder.name} --document ID or "
            f"--position N"
        )
    _say(f"{corpus.folder.name}, {found.split}, from token {found.position:,} on")
    _show(corpus, found, encoder, is_whole=True)


def _verify(folder: Path) -> None:
    num_bytes = sum(verify_shards(folder))
    _say(f"{folder}: {num_bytes:,} bytes in shards, all as meta.json says")
