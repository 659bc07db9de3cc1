"""From annotations to a stored classifier: parts, figures, what is refused."""

import gzip
import json
from collections import Counter

import numpy as np
import pytest

from hornbook.artifacts import read_json
from hornbook.classifier import judgements
from hornbook.classifier.config import Parts
from hornbook.classifier.fit import annotated, fit_classifier, split
from hornbook.classifier.model import load
from hornbook.errors import ArtifactError, InputError
from hornbook.seeds import stream
from tests.classifier.made import annotations, corpus, run_in, settings, two_kinds
from tests.made_run import file_bytes


def fit_in(folder, texts, scores, *, workers=1, judged=None, **changed):
    run = run_in(folder, "web_classifier", workers)
    fit_classifier(
        run, corpus(folder / "c", texts, 16), annotations(folder / "a", scores),
        settings(**changed), judged=judged,
    )  # fmt: skip
    return run.out


@pytest.mark.parametrize("scores", [[3] * 12, [2] * 12])
def test_annotations_on_one_side_of_the_border_are_refused(tmp_path, scores):
    with pytest.raises(InputError, match=r"all 12 annotations.*web\.classifier\.positive_from=3"):
        fit_in(tmp_path, [f"text {n}" for n in range(12)], scores)


@pytest.mark.parametrize("kind", ["linear", "forest"])
@pytest.mark.parametrize("calibration", ["platt", "isotonic"])
def test_a_fit_is_judged_on_texts_that_it_did_not_see(tmp_path, kind, calibration):
    out = fit_in(tmp_path, *two_kinds(80), kind=kind, calibration=calibration)
    metrics = read_json(out / "metrics.json")
    assert metrics["rows"] == {"train": 40, "calibration": 20, "test": 20}
    assert (metrics["kind"], metrics["human"]) == (kind, None)
    figures = metrics["annotations"]
    assert (figures["rows"], figures["f1"], figures["auc"]) == (20, 1.0, 1.0)
    assert sum(row["rows"] for row in figures["bins"]) == 20
    summary = read_json(out / "summary.json")
    assert summary["f1"] == 1.0
    assert summary["human"] == "no human labels in this experiment"


@pytest.mark.parametrize("kind", ["linear", "forest"])
def test_a_stored_classifier_predicts_as_the_fitted_one_and_is_the_same_bytes(tmp_path, kind):
    texts, scores = two_kinds(80)
    one = fit_in(tmp_path / "one", texts, scores, kind=kind)
    two = fit_in(tmp_path / "two", texts, scores, kind=kind, workers=2)
    assert file_bytes(one) == file_bytes(two)
    found = load(one, None).predict(texts[:6])
    assert (found.score > 2.5).tolist() == [True, False] * 3
    assert (found.probability > 0.5).tolist() == [True, False] * 3
    assert found.score.min() >= 0
    assert found.score.max() <= 5


@pytest.mark.parametrize("damage", [b"", b"\0" * 40])
def test_a_damaged_model_is_refused(tmp_path, damage):
    out = fit_in(tmp_path, *two_kinds(40))
    (out / "model.safetensors").write_bytes(damage)
    with pytest.raises(ArtifactError, match=r"model\.safetensors is not the classifier.*checkout"):
        load(out, None)


def test_a_model_of_another_kind_than_it_says_is_refused(tmp_path):
    linear = fit_in(tmp_path / "l", *two_kinds(40))
    forest = fit_in(tmp_path / "f", *two_kinds(40), kind="forest")
    (linear / "model.safetensors").write_bytes((forest / "model.safetensors").read_bytes())
    with pytest.raises(ArtifactError, match="weights"):
        load(linear, None)


def test_every_part_has_its_share_of_every_score_and_none_twice():
    scores = np.repeat(np.arange(6), [40, 80, 120, 160, 40, 20])
    places = split(scores, Parts(0.2, 0.25), stream(0, "split"))
    assert sorted(np.concatenate(list(places.values())).tolist()) == list(range(len(scores)))
    for name, share in (("train", 0.55), ("calibration", 0.2), ("test", 0.25)):
        found = np.bincount(scores[places[name]], minlength=6)
        assert np.abs(found - np.bincount(scores) * share).max() <= 2, name


def test_another_seed_draws_other_parts_and_the_same_one_the_same():
    scores = np.repeat([1, 4], 30)
    drawn = [split(scores, Parts(0.2, 0.25), stream(seed, "split"))["test"] for seed in (0, 0, 1)]
    assert drawn[0].tolist() == drawn[1].tolist() != drawn[2].tolist()


def test_shares_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(InputError, match=r"10 annotations cannot be split"):
        split(np.arange(10), Parts(0.5, 0.5), stream(0, "split"))


def test_a_text_that_comes_twice_is_in_one_part_only(tmp_path):
    texts = ["same", "other", "same", "not annotated"]
    found = annotated(corpus(tmp_path / "c", texts, 2), annotations(tmp_path / "a", [1, 2, 3]), 99)
    assert sorted(zip(found.texts, found.scores.tolist(), strict=True)) == [
        ("other", 2),
        ("same", 1),
    ]


def test_only_the_beginning_of_a_text_is_read(tmp_path):
    texts, scores = two_kinds(80)
    texts = [
        f"{text:60}{ending}" for text, ending in zip(texts, texts[1:] + texts[:1], strict=True)
    ]
    out = fit_in(tmp_path, texts, scores, characters=60)
    assert read_json(out / "metrics.json")["annotations"]["f1"] == 1.0
    one, other = load(out, None).predict([texts[0], texts[0][:60]]).score
    assert one == other
    documents = annotated(tmp_path / "c", tmp_path / "a", 7)
    assert sorted(documents.texts) == ["buy che", "explain"]


def judged_folder(folder, rows):
    folder.mkdir()
    lines = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    (folder / "all_data.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (folder / "few.jsonl").write_text(json.dumps({"text": "buy cheap", "label": 0}))
    return folder


def test_what_people_judged_is_compared_and_unreadable_rows_are_counted(tmp_path):
    good, bad = ({"text": t, "label": n} for t, n in (("why because", 1), ("cheap sale", 0)))
    rows = [good, bad, "{broken", {"text": "a"}, good | {"label": 2}, good | {"text": None}, "[]"]
    folder = judged_folder(tmp_path / "people", rows)
    out = fit_in(tmp_path, *two_kinds(80), judged=folder)
    human = read_json(out / "metrics.json")["human"]
    assert (human["all"]["accuracy"], human["all"]["auc"], human["all"]["rows"]) == (1.0, 1.0, 2)
    assert (human["few"]["auc"], human["few"]["majority"]) == (None, 1.0)
    summary = read_json(out / "summary.json")
    assert summary["human"]["all"]["f1"] == 1.0
    assert summary["skipped_judgements"] == {"no_label": 2, "unreadable": 3}


def test_a_file_in_place_of_the_folder_says_that_there_are_no_judgements(tmp_path):
    (tmp_path / "README.md").touch()
    assert judgements.read(tmp_path / "README.md", Counter()) == {}


def test_a_folder_without_a_readable_judgement_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"data\.judgements=.*empty holds none of \*\.jsonl"):
        judgements.read(tmp_path / "empty", Counter())
    (tmp_path / "empty" / "a.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"a\.jsonl has no line with a text and a label"):
        judgements.read(tmp_path / "empty", Counter())


def test_people_s_published_judgements_can_be_read(shared):
    found = judgements.read(shared / "dclm_quality_judgements", skipped := Counter())
    assert {name: (len(one.texts), int(one.is_good.sum())) for name, one in found.items()} == {
        "agreement": (281, 152),
        "majority": (499, 272),
    }
    assert not skipped
