"""Scoring by our classifiers beside scikit-learn's and fastText's, and what people say of them.

Texts: web pages that people judged (dclm_quality_judgements, from the folder that
HORNBOOK_SHARED_DATA names, else ../shared/data), else files of the Python library with the embedded
annotator's scores. Prints tables and, as the last line, one JSON object:
ratio                 documents per CPU-second, our linear scorer over scikit-learn's
                      HashingVectorizer (words) and LogisticRegression.predict_proba, fitted to the
                      same labels
ratio_pairs           the same with words and pairs, which is what ours counts
ratio_fasttext_16     over fastText, 16 dimensions, words; ratio_fasttext_100: 100, words and pairs
forest_ratio          our forest over scikit-learn's hashing and regression (words)
agreement             share of unseen documents where ours and scikit-learn (words) decide alike
auc, auc_sklearn      ranking of unseen documents against their labels
human_*               AUC against people's labels by five-fold cross-validation, on the texts of
                      which a majority judged: `length_alone` ranks by length, `annotator` is the
                      embedded rule itself, `rule_linear` and `rule_forest` learned the rule's
                      scores of real web pages, `people_linear` and `people_forest` learned people's
                      labels, which is the most one can expect
"""

import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from peer import HERE, PEERS, python_of

sys.path.insert(0, str(HERE.parent))
from hornbook.classifier import calibration, judgements
from hornbook.classifier.config import Embedding, Fit, Forest, Parts
from hornbook.classifier.figures import against_truth
from hornbook.classifier.fit import split
from hornbook.classifier.model import Classifier, raw, train
from hornbook.seeds import stream
from hornbook.teacher.judgement import judge
from tests.made_run import conf

DATA = Path(os.environ.get("HORNBOOK_SHARED_DATA", HERE.parent.parent / "shared" / "data"))
DOCUMENTS, CHARACTERS, RUNS, FOLDS = 4000, 2300, 5, 5


def settings() -> Fit:
    """The classifier's settings at scale=laptop."""
    given = conf("web", "laptop")["classifier"]
    parts = {"embedding": Embedding, "forest": Forest, "parts": Parts}
    return Fit(**given | {name: kind(**given[name]) for name, kind in parts.items()})


def judged() -> tuple[str, dict[str, tuple[list[str], np.ndarray]]]:
    """Texts with 0 or 1 by the name of their file."""
    folder = DATA / "dclm_quality_judgements"
    if folder.is_dir():
        found = judgements.read(folder, Counter())
        return "judged web pages", {
            name: (one.texts, one.is_good.astype(np.int64)) for name, one in found.items()
        }
    texts: list[str] = []
    for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = file.read_text("utf-8", "replace")
        texts += [text[start : start + 3000] for start in range(0, min(len(text), 30_000), 3000)]
    labels = np.array([judge(text)[0] >= 3 for text in texts]).astype(np.int64)
    return "the Python library (no judged pages here)", {"library": (texts, labels)}


def fitted(texts: list[str], scores: np.ndarray, wanted: Fit) -> Classifier:
    """A classifier that kept a part of the texts for its calibration."""
    places = split(scores, wanted.parts, stream(0, "bench"))
    seen, held = np.concatenate([places["train"], places["test"]]), places["calibration"]
    texts = [text[: wanted.characters] for text in texts]
    regressor = train(
        [texts[n] for n in seen], scores[seen], wanted, encoder=None, name="bench", workers=1
    )
    found = raw(regressor, [texts[n] for n in held])
    curves = calibration.fit(wanted.calibration, found, scores[held], wanted.positive_from)
    return Classifier(regressor, curves, wanted.characters)


def sklearn_scorer(
    texts: list[str], labels: np.ndarray, ngrams: int
) -> Callable[[list[str]], np.ndarray]:
    """Hashing and logistic regression as its users write it."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import LogisticRegression

    hashed = HashingVectorizer(n_features=settings().features, ngram_range=(1, ngrams))
    model = LogisticRegression(C=10.0, max_iter=1000).fit(hashed.transform(texts), labels)
    return lambda asked: model.predict_proba(hashed.transform(asked))[:, 1]


def fasttext_scores(
    task: Path, out: Path, dim: int, ngrams: int
) -> tuple[np.ndarray, list[float]] | None:
    """Probabilities and CPU seconds; None where fastText cannot be installed."""
    try:
        python = python_of("fasttext")
        command = [python, PEERS / "fasttext_scores.py", task, out, dim, ngrams]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        print(f"fastText left out: {(error.stderr or str(error))[-200:]}")
        return None
    return np.array(json.loads(out.read_text("utf-8"))), json.loads(done.stdout.splitlines()[-1])


Found = dict[str, np.ndarray]
Seconds = dict[str, list[float]]


def timed(
    scorers: dict[str, Callable[[list[str]], np.ndarray]], documents: list[str], asked: list[str]
) -> tuple[Found, Seconds]:
    """Probabilities of `asked`, and CPU seconds of each run over `documents`, alternating."""
    seconds: Seconds = {name: [] for name in scorers}
    for _ in range(RUNS):
        for name, scorer in scorers.items():
            started = time.process_time()
            scorer(documents)
            seconds[name].append(time.process_time() - started)
    return {name: scorer(asked) for name, scorer in scorers.items()}, seconds


def with_fasttext(
    learned: list[str], known: np.ndarray, documents: list[str], asked: list[str],
    found: Found, seconds: Seconds,
) -> None:  # fmt: skip
    """Put fastText's figures beside the others, where it can be installed."""
    every = [*documents, *asked]
    share = sum(map(len, documents)) / sum(map(len, every))
    with tempfile.TemporaryDirectory() as folder:
        task, out = Path(folder) / "task.json", Path(folder) / "out.json"
        pairs = [(text, int(label)) for text, label in zip(learned, known, strict=True)]
        task.write_text(json.dumps({"train": pairs, "texts": every}), encoding="utf-8")
        for name, dim, ngrams in (("fasttext 16", 16, 1), ("fasttext 100", 100, 2)):
            if made := fasttext_scores(task, out, dim, ngrams):
                found[name] = made[0][len(documents) :]
                seconds[name] = [one * share for one in made[1]]


def show_speed(found: Found, seconds: Seconds, areas: dict[str, float]) -> None:
    """A line for each scorer."""
    print(f"{'scorer':<18}{'docs/CPU-s':>11}{'spread':>8}{'AUC':>7}{'decides as ours':>17}")
    ours = found["hornbook linear"] >= 0.5
    for name, times in seconds.items():
        rate = DOCUMENTS / statistics.median(times)
        spread = DOCUMENTS / min(times) - DOCUMENTS / max(times)
        alike = ((found[name] >= 0.5) == ours).mean()
        print(f"{name:<18}{rate:>11,.0f}{spread:>8,.0f}{areas[name]:>7.3f}{alike:>17.3f}")


def speed(texts: list[str], labels: np.ndarray) -> dict[str, float | None]:
    """Fit on one half, score documents made of the other half, alternately."""
    from sklearn.metrics import roc_auc_score

    seen, unseen = list(range(0, len(texts), 2)), list(range(1, len(texts), 2))
    known, truth = labels[seen], labels[unseen]
    learned = [texts[n] for n in seen]
    long = [texts[n][:CHARACTERS] for n in unseen if len(texts[n]) > CHARACTERS // 2]
    documents = (long * (DOCUMENTS // len(long) + 1))[:DOCUMENTS]
    wanted = replace(settings(), characters=10**9)  # the peers read whole texts
    models = {
        kind: fitted(learned, known * 5, replace(wanted, kind=kind))
        for kind in ("linear", "forest")
    }
    scorers: dict[str, Callable[[list[str]], np.ndarray]] = {
        "hornbook linear": lambda asked: models["linear"].predict(asked).probability,
        "sklearn words": sklearn_scorer(learned, known, 1),
        "sklearn pairs": sklearn_scorer(learned, known, 2),
        "hornbook forest": lambda asked: models["forest"].predict(asked).probability,
    }
    asked = [texts[n] for n in unseen]
    found, seconds = timed(scorers, documents, asked)
    with_fasttext(learned, known, documents, asked, found, seconds)
    rates = {name: DOCUMENTS / statistics.median(times) for name, times in seconds.items()}
    mean = sum(map(len, documents)) / len(documents) / 1000
    print(
        f"{DOCUMENTS} documents of {mean:.1f} kB; decisions and AUC on {len(unseen)} unseen ones\n"
    )
    areas = {name: float(roc_auc_score(truth, values)) for name, values in found.items()}
    show_speed(found, seconds, areas)

    def over(mine: str, peer: str) -> float | None:
        return round(rates[mine] / rates[peer], 2) if peer in rates else None

    same = (found["hornbook linear"] >= 0.5) == (found["sklearn words"] >= 0.5)
    return {
        "ratio": over("hornbook linear", "sklearn words"),
        "ratio_pairs": over("hornbook linear", "sklearn pairs"),
        "ratio_fasttext_16": over("hornbook linear", "fasttext 16"),
        "ratio_fasttext_100": over("hornbook linear", "fasttext 100"),
        "forest_ratio": over("hornbook forest", "sklearn words"),
        "agreement": round(float(same.mean()), 4),
        "auc": round(areas["hornbook linear"], 4),
        "auc_sklearn": round(areas["sklearn words"], 4),
    }


def by_people(texts: list[str], labels: np.ndarray) -> dict[str, dict[str, float]]:
    """Figures against people's labels of texts that no part of a classifier has seen."""
    shown = conf("web", "laptop")["annotations"]["characters"]
    rule = np.array([judge(text[:shown])[0] for text in texts])
    fold = np.empty(len(texts), dtype=np.int64)
    fold[stream(0, "folds").permutation(len(texts))] = np.arange(len(texts)) % FOLDS
    wanted = settings()
    bins = wanted.bins
    lengths = np.array([len(text) for text in texts])
    found = {
        "length alone": against_truth(lengths / lengths.max(), labels == 1, bins),
        "annotator": against_truth(rule / 5, labels == 1, bins),
    }
    for name, aims in (("rule", rule), ("people", labels * 5)):
        for kind in ("linear", "forest"):
            chances = np.empty(len(texts))
            for number in range(FOLDS):
                seen, here = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
                model = fitted([texts[n] for n in seen], aims[seen], replace(wanted, kind=kind))
                chances[here] = model.predict([texts[n] for n in here]).probability
            found[f"{name}_{kind}"] = against_truth(chances, labels == 1, bins)
    return found


def main() -> None:
    """Measure, print."""
    where, files = judged()
    print(f"texts: {where}\n")
    texts, labels = files.get("majority") or next(iter(files.values()))
    result = speed(texts, labels)
    for file, (own, truth) in files.items():
        if file == "library":
            continue
        share = max(truth.mean(), 1 - truth.mean())
        print(f"\npeople's labels, {file}: {len(own)} texts, the majority answer is right for "
              f"{share:.3f}")  # fmt: skip
        print(f"{'learned from':<18}{'AUC':>7}{'F1':>7}{'accuracy':>10}{'calibration error':>19}")
        for name, one in by_people(own, truth).items():
            print(f"{name:<18}{one['auc']:>7.3f}{one['f1']:>7.3f}{one['accuracy']:>10.3f}"
                  f"{one['calibration_error']:>19.3f}", flush=True)  # fmt: skip
            if file == "majority":
                result[f"human_{name.replace(' ', '_')}"] = one["auc"]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
