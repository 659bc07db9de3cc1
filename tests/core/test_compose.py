"""conf/ composes, and what does not compose says what is allowed and where."""

from pathlib import Path

import pytest
import yaml

from hornbook.compose import check_params, compose, main, render
from hornbook.errors import ConfigError
from hornbook.runtime import load_runtime

ROOT = Path(__file__).resolve().parents[2]
GROUPS = sorted(
    f"{file.parent.name}={file.stem}"
    for file in (ROOT / "conf").glob("*/*.yaml")
    if file.parent.name != "runtime" and file.stem != "taxonomy"
)


def test_params_yaml_is_what_conf_composes_to():
    assert check_params(ROOT) == []


@pytest.mark.parametrize("choice", GROUPS)
def test_every_choice_of_every_group_composes(choice, monkeypatch):
    monkeypatch.setenv("HORNBOOK_SHARED_DATA", "../shared/data")
    assert compose(ROOT, [choice])


def test_equal_values_are_equal_bytes():
    values = compose(ROOT)
    assert render(values) == render(dict(reversed(list(values.items()))))
    assert yaml.safe_load(render(values)) == values


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("web.filter.treshold=4", r"no key 'web.filter.treshold'.*web.filter.threshold"),
        ("scale=laptp", r"conf/scale/ has no laptp.yaml.*laptop.*did you mean scale=laptop"),
        ("web.filter.threshold=high", r"conf/web/laptop.yaml: web.filter.threshold='high'"),
        (
            "+web.filter.extra=1",
            r"conf/web/laptop.yaml: web.filter.extra is not a setting.*threshold",
        ),
        ("runtime.workers=3", r"runtime values are not part of an experiment.*local.yaml"),
        ("train.dtype=fp16", r"train.*fp16"),
        (
            "train.micro_sequences=3",
            r"is not a multiple of 3 \(train\.micro_sequences=3 x .* is 9, or .*micro_sequences=2",
        ),
        ("train.batch_sequences=0", r"train\.batch_sequences=0, .* expected 1 or more of each"),
        ("model.heads=7", r"model.*7"),
        ("nothing=at_all", r"nothing"),
        ("seeds=[1,2]", r"conf/config.yaml: seeds=\[1, 2\]: 0 is not among them.*train@VARIANT"),
        ("seeds=[]", r"conf/config.yaml: seeds=\[\]: 0 is not among them"),
        ("seeds=[0,1,1]", r"seeds=\[0, 1, 1\]: 1 is there twice"),
        ("seeds=[0,-1]", r"-1 is no seed; expected whole numbers from 0 on, such as \[0,1,2\]"),
        ("seeds=[0,1.5]", r"1\.5 is no seed"),
        ("seeds=[0,'1']", r"'1' is no seed"),
        ("seeds=[0,true]", r"True is no seed"),
        ("seeds=3", r"seeds=3: expected a list of whole numbers"),
        ("seeds='0,1'", r"seeds='0,1': expected a list of whole numbers"),
        ("seeds=0,1", r"use key=\[value1,value2\]"),
        ("+further_seeds.last=x", r"further_seeds is not a setting; beside it are .*seeds"),
        ("code.corpus.licences=[MTI]", r"code\.corpus\.licences\.0='MTI': 'MTI' is no SPDX.*MIT\?"),
        ("code.corpus.licences=[mit]", r"'mit' is no SPDX identifier .*did you mean MIT\?"),
        ("code.corpus.licences=[BSD license]", r"did you mean BSD-2-Clause AND BSD-3-Clause\?"),
        ("code.corpus.licences=['MIT AND ISC']", r"'MIT AND ISC' is several: name each by itself"),
        ("+code.corpus.folder_licences={a: PFS-2.0}", r"folder_licences\.a='PFS-2.0'.*PSF-2.0\?"),
        (
            "code.corpus.folder_licences={a: MIT}",
            r"with a \+ before it: '\+code\.corpus\.folder_li",
        ),
        ("code.corpus.questions.licences=[CC BY-SA 4.0]", r"did you mean CC-BY-SA-4.0\?"),
        ("code.corpus.generated_marks=['(']", r"'\(' is no regular expression: missing \)"),
        ("web.corpus.languages=[english]", r"'english' is no language that is told .* de,.* en,"),
        ("web.corpus.rules.gopher.max_bullet_lines=90", r"max_bullet_lines=90.* equal to 1"),
        ("web.corpus.rules.c4.min_sentences=-1", r"min_sentences=-1.* equal to 0"),
    ],
)
def test_a_wrong_setting_names_itself_what_is_allowed_and_the_file(override, told):
    with pytest.raises(ConfigError, match=f"(?s){told}"):
        compose(ROOT, [override])


@pytest.mark.parametrize(
    "override",
    [
        "code.corpus.licences=[MPL-2.0,PostgreSQL,LicenseRef-ours]",
        "+code.corpus.folder_licences={mine/: MIT OR Apache-2.0}",
        "web.corpus.languages=[de,en]",
        "web.corpus.rules.gopher.max_bullet_lines=1",
        "web.corpus.rules.fineweb.max_newlines_per_word=1000000",
        "web.corpus.rules.gopher.min_stop_words=0",
    ],
)
def test_what_the_guides_name_as_a_setting_composes(override):
    assert compose(ROOT, [override])


def test_an_input_that_is_not_there_is_told_when_it_is_named(tmp_path, monkeypatch, capsys):
    for name in ("conf", "dvc.yaml", "requirements.lock"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    assert main(["data.web=/no/crawl"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "data.web=/no/crawl is not there: what reads it cannot run yet"
    ]


def test_a_variable_that_is_not_set_is_named_with_the_key_it_is_for(monkeypatch):
    monkeypatch.delenv("HORNBOOK_SHARED_DATA", raising=False)
    with pytest.raises(ConfigError, match=r"data\.web .*HORNBOOK_SHARED_DATA.*not set: export"):
        compose(ROOT, ["data=shared"])


def test_runtime_names_the_file_or_variable_of_a_wrong_value(monkeypatch):
    monkeypatch.setenv("HORNBOOK_WORKERS", "many")
    with pytest.raises(ConfigError, match=r"runtime\.workers='many' in the environment variable"):
        load_runtime(ROOT)


def test_one_seed_repeats_no_stage():
    assert compose(ROOT)["seeds"] == [0]
    assert compose(ROOT)["further_seeds"]["models"] == {}
    assert compose(ROOT)["further_seeds"]["scores"] == {}


def test_further_seeds_repeat_each_variant_in_the_order_of_the_seeds():
    values = compose(ROOT, ["seeds=[10,0,2]"])
    assert values["seeds"] == [0, 2, 10]
    further = values["further_seeds"]
    assert further["scores"]["10"] == "artifacts/seed_scores/2"
    assert further["last"] == "artifacts/seed_scores/10"
    assert sorted(further["models"]) == [
        f"{variant}-{seed}"
        for variant in ("phi-1_5", "phi-1_5-web", "phi-1_5-web-only")
        for seed in (10, 2)
    ]
    assert further["models"]["phi-1_5-web-10"] == {
        "variant": "phi-1_5-web", "seed": 10, "first": "books", "second": "code", "third": "web",
    }  # fmt: skip
