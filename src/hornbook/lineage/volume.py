"""How much a stage has to do, so that one that was measured at one scale tells of another.

Where conf has a count for it, the work goes by that count; what computes with a model goes by its
operations for a token too; everything else goes by the bytes that it reads, which follow from what
is made before it.
"""

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from hornbook.errors import ConfigError
from hornbook.lineage.manifest import Graph, LockEntry, Stage

# numbers of conf that the work of a family is proportional to
COUNTS: Mapping[str, tuple[str, ...]] = {
    "topic_proposals": ("topics.selection.count",),
    "topic_seeds": ("topics.selection.count",),
    "book_answers": ("books.answers.count",),
    "book_annotations": ("books.annotations.sample",),
    "web_annotations": ("web.annotations.sample",),
    "code_annotations": ("code.annotations.sample",),
    "perplexity": ("perplexity.windows",),
    "red_team": ("red_team.new_tokens",),
}
TRAININGS = ("train", "train_seed")
# what computes with a model: the section of conf that says where
DEVICES: Mapping[str, str] = {
    **dict.fromkeys(TRAININGS, "train"),
    **dict.fromkeys(("evaluate", "evaluate_seed", "evaluate_compared"), "evaluate"),
    **dict.fromkeys(("toxigen", "toxigen_seed", "toxigen_compared"), "toxigen"),
    "red_team": "red_team",
    "perplexity": "perplexity",
}
# read summaries, or a sample of fixed size
CONSTANT = {
    "tokenizer", "seed_scores", "compared_scores", "benchmark_tables", "toxigen_plots", "report"
}  # fmt: skip
# artifacts that grow with nothing
BOUNDED = {*CONSTANT, "book_diversity", "web_classifier", "code_classifier", "mixture"}
VOCABULARY = "tokens.tokenizer.vocab_size"
TEACHER = "teacher.model"
ASKING = {"topic_proposals", "book_answers", "book_annotations", "web_annotations",
          "code_annotations", "red_team"}  # fmt: skip

Values = Mapping[str, Any]


def work(stage: Stage, values: Values, read: int) -> float | None:
    """How much a stage does, in a unit of its family; None where conf leaves it open.

    Args:
        stage: Of the graph.
        values: Of conf: as a tree, or by dotted keys.
        read: Bytes of data that it reads.
    """
    if stage.family in CONSTANT:
        return 1.0
    found: float | None = read
    if stage.family in TRAININGS:
        found = _budget(stage, values)
    elif stage.family in COUNTS:
        found = _product(stage.family, values)
    elif stage.family in DEVICES:
        found = 1.0  # the items of the benchmarks
    if found is None or stage.family not in DEVICES:
        return found
    operations = _operations(values)
    return found * operations if operations else None


def told_by(family: str) -> str:
    """What the work of a family goes by, for people."""
    if family in TRAININGS:
        return "tokens and operations for each"
    counts = [*COUNTS.get(family, ()), *(["the size of the model"] if family in DEVICES else [])]
    return " and ".join(counts) or "bytes read"


def place(stage: Stage, values: Values) -> str:
    """Where the work is done: a device, the teacher that is asked; empty where that is no matter.

    A time that was measured at one place says nothing of another.
    """
    section = DEVICES.get(stage.family)
    device = str(value_at(values, f"{section}.device") or "") if section else ""
    teacher = str(value_at(values, TEACHER) or "") if stage.family in ASKING else ""
    return " ".join(part for part in (device, teacher) if part)


class Volumes:
    """The bytes of a graph's artifacts and inputs, from those of its record."""

    def __init__(self, graph: Graph, lock: Mapping[str, LockEntry]) -> None:
        self._graph, self._lock = graph, lock
        self._all: dict[str, Any] = {}
        for entry in lock.values():
            self._all |= entry.params
        self._growth: dict[str, float] = {}
        for name, stage in graph.stages.items():
            self._growth[name] = self._grown(stage)

    def size(self, name: str) -> int | None:
        """The bytes that an artifact will have; None where it was never made."""
        entry = self._lock.get(name)
        return round(sum(entry.sizes.values()) * self._growth[name]) if entry else None

    def read(self, name: str) -> int:
        """The bytes of data that a stage will read."""
        stage = self._graph.stages[name]
        known = data_read(stage, self._lock.get(name))
        return round(sum(size * self._of(stage, path) for path, size in known.items()))

    def recorded(self, name: str) -> tuple[Values, int]:
        """The values that a stage was recorded with, and the bytes of data that it read."""
        entry, stage = self._lock.get(name), self._graph.stages.get(name)
        own = entry.params if entry else {}
        read = sum(data_read(stage, entry).values()) if stage else 0
        return ChainMap(dict(own), self._all), read

    def growth(self, name: str) -> float:
        """The bytes of an artifact beside those of its record."""
        return self._growth[name]

    def _of(self, stage: Stage, path: str) -> float:
        return self._growth.get(stage.inputs.get(path, ""), 1.0)

    def _grown(self, stage: Stage) -> float:
        """The bytes of an artifact beside those of its record."""
        if stage.name not in self._lock or stage.family in BOUNDED:
            return 1.0
        was, now = self.recorded(stage.name)[0], self._graph.params
        if stage.family in TRAININGS:
            return _ratio(_weights(was), _weights(now))
        if stage.family in DEVICES:
            return 1.0
        if stage.family == "book_excerpts":
            key = "books.excerpts.count"
            return _ratio(value_at(was, key), value_at(now, key))
        if stage.family in COUNTS:
            return _ratio(_product(stage.family, was), _product(stage.family, now))
        # what another of its family made is only looked up (dedup@web in dedup@books)
        known = {
            path: size
            for path, size in data_read(stage, self._lock[stage.name]).items()
            if stage.inputs.get(path, "").partition("@")[0] != stage.family
        }
        total = sum(known.values())
        return sum(n * self._of(stage, path) for path, n in known.items()) / total if total else 1.0


def data_read(stage: Stage, entry: LockEntry | None) -> dict[str, int]:
    """Bytes of each input that is no code, as they were recorded."""
    read = entry.read if entry else {}
    return {path: read[path] for path in (*stage.inputs, *stage.sources) if path in read}


def value_at(values: Values, key: str) -> Any:  # noqa: ANN401 - any YAML value
    """The value of a dotted key, also below a key that is dotted itself; None where there is none.

    `dvc.lock` has the declared keys of a stage, `params.yaml` has a tree.
    """
    parts = key.split(".")
    for cut in range(len(parts), 0, -1):
        head, rest = ".".join(parts[:cut]), ".".join(parts[cut:])
        if head in values:
            found = values[head]
            if not rest:
                return found
            return value_at(found, rest) if isinstance(found, Mapping) else None
    return None


def _ratio(was: float | None, now: float | None) -> float:
    """How many times as much; one where that is unknown."""
    return now / was if was and now else 1.0


def _product(family: str, values: Values) -> float | None:
    found = 1.0
    for key in COUNTS[family]:
        count = value_at(values, key)
        if not isinstance(count, int):
            return None
        found *= count
    return found


def _budget(stage: Stage, values: Values) -> float | None:
    """The tokens that a training sees."""
    from hornbook.plan.plan import budget_of

    variant = variant_of(stage)
    mixture = value_at(values, f"mixture.variants.{variant}")
    try:
        return budget_of(mixture, variant) if isinstance(mixture, Mapping) else None
    except (ConfigError, TypeError, AttributeError):
        return None  # whole corpora, or a record of another schema


def variant_of(stage: Stage) -> str:
    """The mixture that a training draws from."""
    mixtures = (one.partition("@") for one in stage.producers)
    return next((variant for family, _, variant in mixtures if family == "mixture"), "")


def _operations(values: Values) -> float | None:
    from hornbook.plan.arithmetic import flops_per_token

    shape = _shape(values)
    return flops_per_token(*shape)["causal"] if shape else None


def _weights(values: Values) -> float | None:
    from hornbook.plan.arithmetic import checkpoint_bytes

    shape = _shape(values)
    return checkpoint_bytes(*shape) if shape else None


def _shape(values: Values) -> tuple[Any, int] | None:
    """The model and the rows of its embedding; None where a record has them in another schema."""
    from hornbook.model.config import Model
    from hornbook.plan.plan import section

    rows = value_at(values, VOCABULARY)
    try:
        return section(values, "model", Model), int(rows)
    except (ConfigError, KeyError, TypeError):
        return None
