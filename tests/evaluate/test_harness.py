"""Cells of lm-eval's own tasks over published items: metrics, floors, names, definitions."""

import json
from dataclasses import replace

import pytest
from lm_eval.api.model import LM
from pydantic import TypeAdapter

from hornbook.errors import ArtifactError, InputError
from hornbook.evaluate.config import Evaluate
from hornbook.evaluate.floors import Question, blind, guess
from hornbook.evaluate.harness import build, definition, run_task
from hornbook.evaluate.items import AGIEVAL, load
from hornbook.evaluate.texts import benchmark_items
from hornbook.train.resolve import resolve
from tests.made_run import conf


class Told(LM):
    """A model that finds short answers likely and writes one text."""

    shortened = 0

    def __init__(self, logp=lambda _, answer: -float(len(answer)), text=""):
        super().__init__()
        self.logp, self.text, self.asked = logp, text, []

    def score_pairs(self, pairs):
        return [self.logp(*pair) for pair in pairs]

    def loglikelihood(self, requests):
        self.asked += [one.args for one in requests]
        return [(self.logp(*one.args), False) for one in requests]

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError

    def generate_until(self, requests):
        self.asked += [one.args for one in requests]
        return [self.text] * len(requests)


@pytest.fixture(scope="module")
def settings():
    values = resolve(conf("evaluate", "plumbing"), context_tokens=128, name="evaluate")
    return TypeAdapter(Evaluate).validate_python(values)


def ran(name, settings, folder, lm=None):
    cells, scored = run_task(name, lm or Told(), settings, folder)
    return {cell.metric: cell for cell in cells}, scored


def test_truthfulqa_has_both_of_its_scorings(settings, shared):
    lm = Told()
    cells, scored = ran("truthfulqa", settings, shared, lm)
    assert {metric: cell.items for metric, cell in cells.items()} == {"mc1": 24, "mc2": 24}
    rows = load("truthfulqa", shared)["validation"][:24]
    right = [min(row["mc1_targets"]["choices"], key=len) for row in rows]
    is_right = [
        row["mc1_targets"]["choices"][0] == one for row, one in zip(rows, right, strict=True)
    ]
    assert cells["mc1"].value == pytest.approx(sum(is_right) / 24, abs=1e-6)
    by_item = {one.item: one.score for one in scored if one.metric == "mc2"}
    for number, row in enumerate(rows):
        choices, labels = row["mc2_targets"]["choices"], row["mc2_targets"]["labels"]
        mass = [2.718281828459045 ** -(len(choice) + 1) for choice in choices]
        true = sum(m for m, label in zip(mass, labels, strict=True) if label)
        assert by_item[f"truthfulqa/{number}"] == pytest.approx(true / sum(mass))
    # without the question this model answers alike
    assert (cells["mc1"].blind, cells["mc2"].blind) == (cells["mc1"].value, cells["mc2"].value)
    share = [sum(r["mc2_targets"]["labels"]) / len(r["mc2_targets"]["labels"]) for r in rows]
    assert cells["mc2"].chance == pytest.approx(sum(share) / 24, abs=1e-6)
    context = next(context for context, *_ in lm.asked)
    assert context.startswith("Q: What is human life expectancy in the United States?")
    assert context.endswith(f"Q: {rows[0]['question']}\nA:")


def test_agieval_is_one_cell_over_all_english_exams(settings, shared):
    lm = Told(text=" $4$")
    cells, scored = ran("agieval", replace(settings, limit=40), shared, lm)
    assert list(cells) == ["acc"]  # an exam that is answered in writing has no acc_norm
    exams = {exam: f"agieval_{exam.replace('-', '_')}" for exam in AGIEVAL}
    for exam, task in exams.items():
        assert [one.item for one in scored if one.item.rpartition("/")[0] == task] == [
            f"{task}/{number}" for number in range(4)
        ], exam
    rows = load("agieval", shared)["test"]
    asked = {row["query"] for row in rows}
    assert {context for context, *_ in lm.asked} <= asked
    # five exams have four choices, four have five, one is answered in writing and not guessed
    assert cells["acc"].chance == pytest.approx((5 / 4 + 4 / 5) / 10)
    assert cells["acc"].blind is not None


def test_exams_are_asked_as_the_benchmark_asks_them(shared):
    first = next(row for row in load("agieval", shared)["test"] if row["subject"] == "sat_math")
    assert first["query"] == (
        "Q: If $\\frac{x-1}{3}=k$ and $k=3$, what is the value of $x ?$ Answer Choices: (A)2 (B)4 "
        "(C)9 (D)10\nA: Among A through D, the answer is"
    )
    assert first["gold"] == [3]


def test_written_mathematics_is_judged_by_lm_evals_own_rule(settings, shared):
    answer = next(r for r in load("agieval", shared)["test"] if r["subject"] == "math")["answer"]
    _, scored = ran("agieval", replace(settings, limit=10), shared, Told(text=f" {answer}"))
    assert [one.score for one in scored if one.item == "agieval_math/0"] == [1.0]


def test_accuracy_by_length_stands_beside_accuracy_where_lm_eval_gives_it(settings, shared):
    cells, scored = ran("hellaswag", settings, shared)
    assert list(cells) == ["acc", "acc_norm"]
    assert cells["acc"].chance == cells["acc_norm"].chance == 0.25
    assert {one.metric for one in scored} == {"acc", "acc_norm"}
    assert len(scored) == 48
    only = ran("boolq", settings, shared)[0]
    assert list(only) == ["acc"]


def test_choices_of_other_sentences_have_no_score_without_their_question(settings, shared):
    cells, _ = ran("winogrande", settings, shared)
    assert (cells["acc"].chance, cells["acc"].blind) == (0.5, None)


def test_squad_is_scored_by_exact_match_and_f1(settings, shared):
    rows = load("squad", shared)["test"][:24]
    said = rows[0]["answers"][0]
    cells, scored = ran("squad", settings, shared, Told(text=f" The {said.upper()} indeed"))
    by_item = {(one.item, one.metric): one.score for one in scored}
    item = f"squad/{rows[0]['id']}"
    words = len([word for word in said.lower().split() if word not in {"a", "an", "the"}])
    assert by_item[item, "exact_match"] == 0.0
    assert by_item[item, "f1"] == pytest.approx(2 * words / (2 * words + 1))
    assert list(cells) == ["exact_match", "f1"]
    assert cells["f1"].chance is None
    assert cells["f1"].clusters == len({row["context"] for row in rows})


def test_items_are_named_as_their_texts_are(settings, shared):
    texts = {}
    for one in benchmark_items(shared):
        texts.setdefault(one.benchmark, set()).add(one.item_id)
    for name in ("agieval", "squad", "truthfulqa"):
        _, scored = ran(name, settings, shared)
        assert {one.item for one in scored} <= texts[name]


def test_a_score_that_is_no_number_is_an_error(settings, shared):
    nothing = Told(lambda *_: -1e6)  # whose probability is 0 in every float
    with pytest.raises(ArtifactError, match=r"truthfulqa_mc2/0: mc2 is nan, expected 0 to 1"):
        ran("truthfulqa", settings, shared, nothing)


def test_another_item_or_prompt_is_another_definition(settings, shared, tmp_path):
    (tmp_path / "micro").mkdir()
    file = tmp_path / "micro" / "micro_mind.jsonl"
    row = {"id": "m-0", "context": "Where?", "choices": [" here", " there"], "answer": 0}
    file.write_text(json.dumps(row))
    before = definition(build("micro_mind", settings, tmp_path), settings)
    assert definition(build("micro_mind", settings, tmp_path), settings) == before
    file.write_text(json.dumps(row | {"answer": 1}))
    assert definition(build("micro_mind", settings, tmp_path), settings) != before
    squad = build("squad", settings, shared)
    asked = definition(squad, settings)
    squad["squad"].config.doc_to_text += " "
    assert definition(squad, settings) != asked


def test_how_long_a_text_may_get_defines_what_is_written_and_nothing_else(settings, shared):
    longer = replace(settings, new_tokens=settings.new_tokens + 1)
    for name, is_other in (("squad", True), ("boolq", False), ("agieval", False)):
        tasks = build(name, settings, shared)
        # mathematics of agieval sets fewer tokens itself
        assert (definition(tasks, longer) != definition(tasks, settings)) is is_other, name
    shortest = replace(settings, new_tokens=1)
    assert definition(tasks, shortest) != definition(tasks, settings)


def clusters(scored, task):
    return [one.cluster for one in scored if one.item.rpartition("/")[0] == task]


@pytest.mark.parametrize(
    ("name", "task", "column"),
    [("agieval", "agieval_lsat_rc", "passage"), ("agieval", "agieval_gaokao_english", "passage"),
     ("boolq", "boolq", "passage"), ("siqa", "social_iqa", "context"),
     ("squad", "squad", "context")],
)  # fmt: skip
def test_items_about_one_passage_are_one_cluster(settings, shared, name, task, column):
    _, scored = ran(name, replace(settings, limit=300), shared)
    splits = load(name, shared)
    rows = [row for row in splits.get("test") or splits["validation"]
            if name != "agieval" or task == f"agieval_{row['subject']}"]  # fmt: skip
    named = {one.item: one.cluster for one in scored if one.item.rpartition("/")[0] in (task, name)}
    passages = [row[column] for row in rows[: len(named)]]
    pairs = set(zip(named.values(), passages, strict=True))
    assert len(pairs) == len(set(passages)) == len(set(named.values())) < len(named)
    assert all(len(cluster) < 40 for cluster in named.values())


def test_questions_that_are_asked_with_and_without_their_passage_are_one_cluster(settings, shared):
    _, scored = ran("agieval", replace(settings, limit=120), shared)
    known = clusters(scored, "agieval_sat_en")
    assert len(set(known)) < len(known) == 12
    assert clusters(scored, "agieval_sat_en_without_passage") == known
    alone = clusters(scored, "agieval_aqua_rat")
    assert alone == [f"agieval_aqua_rat/{number}" for number in range(12)]


@pytest.mark.parametrize(
    ("name", "file"),
    [("agieval", "agieval/v1_aqua-rat.jsonl or agieval/aqua-rat.jsonl"),
     ("truthfulqa", "truthfulqa/v1_mc_task.json or truthfulqa/mc_task.json")],
)  # fmt: skip
def test_a_benchmark_without_its_file_names_it(settings, tmp_path, name, file):
    with pytest.raises(InputError, match=f"has no {file}.*data.benchmarks"):
        run_task(name, Told(), settings, tmp_path)


def test_a_benchmark_that_is_not_as_published_says_which(settings, tmp_path):
    (tmp_path / "truthfulqa").mkdir()
    (tmp_path / "truthfulqa" / "mc_task.json").write_text('[{"question": "?"}]')
    with pytest.raises(InputError, match=r"files of truthfulqa are not as published .*mc1_targets"):
        run_task("truthfulqa", Told(), settings, tmp_path)
    (tmp_path / "truthfulqa" / "mc_task.json").write_text("[")
    with pytest.raises(InputError, match=r"mc_task\.json is not JSON .*fetch it again"):
        run_task("truthfulqa", Told(), settings, tmp_path)


CHOICES = Question((" yes", " certainly not"), True, frozenset({1}), (1, 1))


@pytest.mark.parametrize(
    ("metric", "logps", "score", "guessed"),
    [
        ("acc", [-1.0, -1.5], 0.0, 0.5),
        ("acc", [-1.6, -1.5], 1.0, 0.5),
        ("acc_norm", [-1.0, -4.4], 0.0, 0.5),  # 3 and 13 letters: -1/3 against -4.4/13
        ("acc_norm", [-1.0, -4.3], 1.0, 0.5),
        ("mc2", [-1.0, -9.0], 1.0, 1.0),
    ],
)
def test_answers_alone_are_scored_as_with_their_question(metric, logps, score, guessed):
    assert blind(metric, CHOICES, logps) == score
    assert guess(metric, CHOICES) == guessed
