"""The stage: what a model answers, what judge and people say of it, the same bytes again."""

import shutil

import pytest
import torch
import yaml
from pydantic import TypeAdapter

from hornbook.artifacts import read_json, read_table
from hornbook.errors import ArtifactError, ConfigError, TeacherError
from hornbook.evaluate import lm as asking
from hornbook.model.checkpoint import save_model
from hornbook.model.config import Model
from hornbook.model.phi import Phi
from hornbook.red_team.judging import parse_label
from hornbook.red_team.labels import LABELS
from hornbook.red_team.prompts import read_prompts
from hornbook.red_team.red_team import red_team
from tests.conftest import ROOT
from tests.evaluate.test_lm import Letters
from tests.made_run import conf, file_bytes, made_run

STAGE = "red_team@toy"
PLACE = "conf/red_team/embedded"
CHECKPOINT = "artifacts/train/toy"


def untrained(seed):
    shape = TypeAdapter(Model).validate_python(
        yaml.safe_load((ROOT / "conf/model/smoke.yaml").read_text())
    )
    model = Phi(shape, vocab_size=257, attention="explicit")
    model.initialise(seed)
    return model


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A model without any training, our prompts, nobody's labels."""
    torch.set_num_threads(1)
    save_model(untrained(0), tmp_path / CHECKPOINT, eos_token_id=256)
    shutil.copytree(ROOT / PLACE, tmp_path / PLACE)
    monkeypatch.setattr("hornbook.tokens.encoder.Encoder.load", lambda _: Letters())
    return tmp_path


def asked(root, **changed):
    shutil.rmtree(root / ".pending", ignore_errors=True)
    values = conf("red_team") | {"attention": "explicit", "new_tokens": 8} | changed
    teacher = yaml.safe_load((ROOT / "conf/teacher/procedural.yaml").read_text())
    run = made_run(
        root,
        STAGE,
        reads=[CHECKPOINT, values["prompts"], values["labels"]],
        params={"red_team": values, "teacher": teacher},
    )
    red_team(run)
    return run


def test_every_prompt_has_an_answer_a_label_and_a_row_to_fill(root):
    run = asked(root)
    rows = read_table(run.out / "answers.parquet").to_pylist()
    assert [row["id"] for row in rows] == [
        one.id for one in read_prompts(root / PLACE / "prompts.yaml")
    ]
    assert {row["judge"] for row in rows} <= set(LABELS)
    scores = read_json(run.out / "scores.json")
    assert sum(scores["judge"].values()) == scores["prompts"] == 60
    assert scores["judge_is_rule"] is True
    assert "neither a person nor a language model" in scores["judge_about"]
    assert scores["agreement"]["n"] == sum(scores["hand"].values()) == 0
    text = (run.out / "to_label.csv").read_text("utf-8")
    assert text.splitlines()[0] == (root / PLACE / "labels.csv").read_text().strip()
    assert text.count('"toy",') == 60
    assert not [row["reason"] for row in rows if row["reason"] in text], (
        "the judge persuades nobody"
    )


def test_labels_by_hand_are_joined_and_those_of_other_answers_are_named(root):
    first = asked(root)
    rows = read_table(first.out / "answers.parquet").to_pylist()
    told = [f"toy,{row['id']},{row['answer_hash']},,,,,{row['judge']}" for row in rows[:5]]
    told += [f"toy,{rows[5]['id']},0000000000000000,,,,,pass"]
    with (root / PLACE / "labels.csv").open("a") as file:
        file.write("\n".join(told) + "\n")
    again = asked(root)
    scores = read_json(again.out / "scores.json")
    assert sum(scores["hand"].values()) == 5
    assert (scores["agreement"]["n"], scores["agreement"]["raw"]) == (5, 1.0)
    assert scores["outdated"] == [rows[5]["id"]]
    assert (again.out / "to_label.csv").read_text("utf-8").count('"toy",') == 55
    assert read_json(again.out / "summary.json")["outdated_labels"] == 1


def test_the_same_inputs_are_the_same_bytes_with_and_without_what_is_remembered(root):
    first = file_bytes(asked(root).out)
    assert file_bytes(asked(root).out) == first
    shutil.rmtree(root / ".hornbook/store")
    assert file_bytes(asked(root).out) == first


@pytest.fixture
def written(monkeypatch):
    """The ids of every prompt that a model continues."""
    seen = []
    write = asking.write

    def noted(model, jobs, *rest):
        seen.extend(job.ids for job in jobs)
        return write(model, jobs, *rest)

    monkeypatch.setattr(asking, "write", noted)
    return seen


def one_prompt(root):
    (root / "mine.yaml").write_text("mine:\n- id: one\n  prompt: Who?\n  good: You.\n")
    return file_bytes(asked(root, prompts="mine.yaml").out)


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [(asking, "arithmetic", lambda: "of another release"), (Letters, "sha256", "other letters")],
)
def test_other_code_or_another_tokenizer_asks_again(root, written, monkeypatch, where, name, value):
    first = one_prompt(root)
    assert one_prompt(root) == first
    assert len(written) == 1, "what was answered before is remembered"
    monkeypatch.setattr(where, name, value)
    assert one_prompt(root) == first
    assert len(written) == 2


def test_weights_in_several_files_answer_alike_and_others_ask_again(root, written):
    first = one_prompt(root)
    for seed, is_same in ((0, True), (1, False)):
        shutil.rmtree(root / CHECKPOINT)
        save_model(untrained(seed), root / CHECKPOINT, eos_token_id=256, shard_bytes=50_000)
        assert len(list((root / CHECKPOINT).glob("*.safetensors"))) > 1
        assert (one_prompt(root)["answers.parquet"] == first["answers.parquet"]) is is_same
    assert len(written) == 3


def test_a_tokenizer_with_more_ids_than_the_model_has_rows_is_an_error(root, monkeypatch):
    monkeypatch.setattr(Letters, "tokens", 258)
    with pytest.raises(ArtifactError, match="ids up to 257, the model's embedding 257 rows"):
        one_prompt(root)


def test_prompts_of_ones_own_are_asked_in_ones_own_form(root):
    (root / "mine.yaml").write_text("mine:\n- id: one\n  prompt: Who?\n  good: You.\n")
    plain = asked(root, prompts="mine.yaml", template="{prompt}")
    row = read_table(plain.out / "answers.parquet").to_pylist()
    assert [(one["id"], one["category"]) for one in row] == [("one", "mine")]
    other = asked(root, prompts="mine.yaml", template="Question: {prompt}\nAnswer:")
    assert read_table(other.out / "answers.parquet").to_pylist()[0]["answer"] != row[0]["answer"]
    with pytest.raises(ConfigError, match=r"red_team\.template.*expected \{prompt\} once"):
        asked(root, template="Answer:")


def test_a_judge_that_never_gives_a_label_ends_the_stage(root, monkeypatch):
    monkeypatch.setattr("hornbook.teacher.verdicts.reply", lambda _: '{"verdict": "pass"}')
    with pytest.raises(TeacherError, match=r"none of 60 replies had a label.*'unreadable': 60"):
        asked(root)


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ('{"reason": "r", "label": "pass"}', ("pass", "r")),
        ('Sure:\n```json\n{"Label": "Did not understand"}\n```', ("did_not_understand", "")),
        ('<think>{"label": "pass"}</think>{"label": "fail"}', ("fail", "")),
        ('{"label": "pass"} no: {"label": "fail", "reason": "late"}', ("fail", "late")),
        ('{"label": "maybe"}', None),
        ("pass", None),
    ],
)
def test_a_label_is_read_from_what_models_write(reply, found):
    assert parse_label(reply) == found


def test_the_rubric_names_every_label_and_no_mark_of_the_answer():
    rubric = conf("red_team", "laptop")["rubric"]
    assert all(f"- {label}:" in rubric for label in LABELS)
    assert "answer>" not in rubric
