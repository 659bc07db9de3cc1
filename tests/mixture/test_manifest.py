"""A mixture that cannot be is refused with its arithmetic and a way out."""

import re
from dataclasses import replace

import pytest
from pydantic import TypeAdapter, ValidationError

from hornbook.artifacts import read_json, write_json
from hornbook.errors import ArtifactError, ConfigError
from hornbook.mixture.config import Mixture, Variant
from hornbook.mixture.manifest import build
from hornbook.mixture.mixture import mixture
from tests.made_run import conf, made_run


def meta(tokens, tokenizer="t"):
    return {
        "tokenizer": tokenizer,
        "vocab_size": 1024,
        "eos": 1023,
        "sha256": "s",
        "splits": {"train": {"documents": 7, "tokens": tokens}},
    }


SETTINGS = Variant(
    weights={"books": 80, "code": 20},
    budget_tokens=1000,
    max_epochs=5,
    order_seed=0,
    expectations=(),
)


def test_the_manifest_says_what_is_drawn_and_how_often():
    made = build("v", SETTINGS, {"books": meta(160), "code": meta(400)})
    drawn = {s["corpus"]: (s["share"], s["drawn_tokens"], s["epochs"]) for s in made["sources"]}
    assert drawn == {"books": ("4/5", 800, 5.0), "code": ("1/5", 200, 0.5)}


def test_a_source_that_does_not_last_is_refused_with_the_arithmetic():
    with pytest.raises(ConfigError) as caught:
        build("v", SETTINGS, {"books": meta(159), "code": meta(400)})
    text = str(caught.value)
    assert "mixture.variants.v is not possible within max_epochs=5" in text
    assert "books: 1,000 tokens x 4/5 = 800, of 159 there: 5.03 epochs" in text
    assert "code" not in text.splitlines()[1]


@pytest.mark.parametrize("available", [1, 7, 93, 159])
def test_each_remedy_of_the_message_works(available):
    metas = {"books": meta(available), "code": meta(400)}
    with pytest.raises(ConfigError, match=r"is not possible") as caught:
        build("v", SETTINGS, metas)
    budget = int(re.search(r"budget_tokens to ([\d,]+)", str(caught.value))[1].replace(",", ""))
    epochs = float(re.search(r"max_epochs to ([\d.]+)", str(caught.value))[1])
    assert build("v", replace(SETTINGS, budget_tokens=budget), metas)
    assert build("v", replace(SETTINGS, max_epochs=epochs), metas)


def test_an_empty_source_can_only_be_filled():
    with pytest.raises(ConfigError, match=r"of 0 there: no number of epochs\nmake more of code$"):
        build("v", SETTINGS, {"books": meta(800), "code": meta(0)})


def test_two_tokenizers_in_one_mixture_are_refused():
    with pytest.raises(ArtifactError, match=r"different tokenizers .*dvc repro tokens@books"):
        build("v", SETTINGS, {"books": meta(800), "code": meta(400, tokenizer="u")})


@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_every_scale_has_the_three_mixtures_of_the_paper(scale):
    made = TypeAdapter(Mixture).validate_python(conf("mixture", scale))
    assert {name: sorted(v.weights) for name, v in made.variants.items()} == {
        "phi-1_5": ["books", "code"],
        "phi-1_5-web": ["books", "code", "web"],
        "phi-1_5-web-only": ["code", "web"],
    }


def test_a_weight_of_nothing_is_refused():
    with pytest.raises(ValidationError, match=r"leave a corpus out"):
        Variant(weights={"books": 0}, budget_tokens=1, max_epochs=1, order_seed=0, expectations=())


def test_the_stage_writes_the_manifest_of_its_variant(tmp_path):
    for corpus in ("books", "code"):
        write_json(tmp_path / "artifacts/tokens" / corpus / "meta.json", meta(10_000))
    settings = conf("mixture")["variants"]["phi-1_5"]
    run = made_run(
        tmp_path,
        "mixture@phi-1_5",
        reads=["artifacts/tokens/books", "artifacts/tokens/code"],
        params={"mixture": {"variants": {"phi-1_5": settings}}},
    )
    mixture(run)
    made = read_json(run.out / "mixture.json")
    assert [source["corpus"] for source in made["sources"]] == ["books", "code"]
    assert read_json(run.out / "summary.json")["epochs"] == {"books": 4.8, "code": 1.2}
    assert read_json(run.out / "expectations.json")["sources"]["success"]
