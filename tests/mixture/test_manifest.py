"""A mixture that cannot be is refused with its arithmetic and a way out."""

import re
from dataclasses import replace
from fractions import Fraction

import pytest
from pydantic import TypeAdapter, ValidationError

from hornbook.artifacts import read_json, write_json
from hornbook.errors import ArtifactError, ConfigError
from hornbook.mixture.config import Mixture, Source, Variant
from hornbook.mixture.manifest import build
from hornbook.mixture.mixture import mixture
from hornbook.mixture.schedule import shares
from tests.made_run import conf, made_run


def meta(tokens, tokenizer="t"):
    return {
        "tokenizer": tokenizer,
        "vocab_size": 1024,
        "eos": 1023,
        "sha256": "s",
        "splits": {"train": {"documents": 7, "tokens": tokens}},
    }


def variant(sources, budget=1000, max_epochs=5):
    return Variant(
        sources={name: Source(*values) for name, values in sources.items()},
        budget_tokens=budget,
        max_epochs=max_epochs,
        order_seed=0,
        expectations=(),
    )


SETTINGS = variant({"books": (80, None, None), "code": (20, None, None)})
EPOCHS = variant({"web": (None, 300, 2.5), "code": (None, None, 0.5)}, budget=None)


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


def test_tokens_and_epochs_say_what_is_drawn():
    made = build("v", EPOCHS, {"web": meta(1000), "code": meta(400)})
    assert made["budget_tokens"] == 300 * 2.5 + 400 * 0.5
    drawn = {s["corpus"]: (s["share"], s["drawn_tokens"], s["epochs"]) for s in made["sources"]}
    assert drawn == {"web": ("1579/2000", 750, 2.5), "code": ("421/2000", 200, 0.5)}
    assert shares({s["corpus"]: s["weight"] for s in made["sources"]}) == {
        s["corpus"]: Fraction(s["share"]) for s in made["sources"]
    }


def test_more_tokens_than_there_are_are_refused_with_the_arithmetic():
    with pytest.raises(ConfigError) as caught:
        build("v", EPOCHS, {"web": meta(299), "code": meta(400)})
    text = str(caught.value)
    assert "web: 300 tokens x 2.5 epochs = 750, of 299 there: 1 are missing" in text
    assert "lower mixture.variants.v.sources.web.tokens to 299 or make more of web" in text


def test_a_source_that_is_used_in_part_has_to_last_as_that_part():
    settings = variant({"books": (80, 160, None), "code": (20, None, None)})
    metas = {"books": meta(1000), "code": meta(400)}
    made = build("v", settings, metas)
    assert [source["epochs"] for source in made["sources"]] == [5.0, 0.5]
    with pytest.raises(ConfigError) as caught:
        build("v", replace(settings, max_epochs=4.9), metas)
    text = str(caught.value)
    assert "800, of 160 used of 1,000 there: 5.00 epochs" in text
    assert "raise mixture.variants.v.sources.books.tokens" in text
    with pytest.raises(ConfigError, match=r"160 tokens, of 150 there: 10 are missing\n.*5.33 epo"):
        build("v", settings, {"books": meta(150), "code": meta(400)})


@pytest.mark.parametrize(
    ("sources", "budget", "message"),
    [
        ({}, 1000, r"sources are none: expected a weight for every source"),
        ({"a": (1, None, None), "b": (None, None, 2)}, 1000, r"sources b: expected a weight"),
        ({"a": (1, None, 2)}, 1000, r"sources a: expected a weight"),
        ({"a": (None, 10, None)}, None, r"sources a: expected a weight"),
        ({"a": (1, None, None)}, None, r"budget_tokens=None: expected a number"),
        ({"a": (None, None, 2)}, 1000, r"budget_tokens=1000: expected null"),
        ({"a": (0, None, None)}, 1000, r"sources.a.weight=0.0: expected positive .* leave a corp"),
        ({"a": (1, 0, None)}, 1000, r"sources.a.tokens=0: expected positive"),
        ({"a": (1, None, None)}, -1, r"budget_tokens=-1: expected positive"),
        ({"a": (None, None, 5.5)}, None, r"5.5 epochs of a source, but max_epochs=5"),
    ],
)
def test_what_is_neither_form_is_refused_when_it_is_composed(sources, budget, message):
    with pytest.raises(ValidationError, match=message):
        variant(sources, budget)


def test_a_source_that_no_period_can_hold_is_refused():
    tiny = variant({"web": (None, None, 1), "code": (None, None, 1)}, budget=None)
    with pytest.raises(ConfigError, match=r"code: 5 of 1,000,005 drawn tokens is less than one"):
        build("v", tiny, {"web": meta(1_000_000), "code": meta(5)})


PAPER = {"books": 20_000_000_000, "code": 7_000_000_000, "web": 88_000_000_000}  # section 2


def test_the_papers_mixtures_hold_with_the_papers_corpora():
    made = TypeAdapter(Mixture).validate_python(conf("mixture", "paper"))
    metas = {corpus: meta(tokens) for corpus, tokens in PAPER.items()}
    found = {name: build(name, settings, metas) for name, settings in made.variants.items()}
    assert {
        name: {s["corpus"]: (s["share"], s["epochs"]) for s in manifest["sources"]}
        for name, manifest in found.items()
    } == {
        "phi-1_5": {"books": ("4/5", 6.0), "code": ("1/5", 4.2857)},
        "phi-1_5-web": {"books": ("2/5", 6.0), "code": ("1/5", 8.5714), "web": ("2/5", 1.6438)},
        "phi-1_5-web-only": {"code": ("1/5", 4.2857), "web": ("4/5", 1.3636)},
    }
    assert found["phi-1_5"]["budget_tokens"] == 150e9  # seen, Table 1
    assert found["phi-1_5-web"]["budget_tokens"] == 300e9
    data = {n: sum(s["tokens"] for s in manifest["sources"]) for n, manifest in found.items()}
    assert data == {"phi-1_5": 27e9, "phi-1_5-web": 100e9, "phi-1_5-web-only": 95e9}


@pytest.mark.parametrize("corpus", sorted(PAPER))
def test_a_corpus_smaller_than_the_papers_is_refused(corpus):
    made = TypeAdapter(Mixture).validate_python(conf("mixture", "paper"))
    metas = {name: meta(tokens - (name == corpus)) for name, tokens in PAPER.items()}
    with pytest.raises(ConfigError, match=f"{corpus}: .* there: 1 are missing"):
        [build(name, settings, metas) for name, settings in made.variants.items()]


def test_an_empty_source_can_only_be_filled():
    with pytest.raises(ConfigError, match=r"of 0 there: no number of epochs\nmake more of code$"):
        build("v", SETTINGS, {"books": meta(800), "code": meta(0)})


def test_two_tokenizers_in_one_mixture_are_refused():
    with pytest.raises(ArtifactError, match=r"different tokenizers .*dvc repro tokens@books"):
        build("v", SETTINGS, {"books": meta(800), "code": meta(400, tokenizer="u")})


@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_every_scale_has_the_three_mixtures_of_the_paper(scale):
    made = TypeAdapter(Mixture).validate_python(conf("mixture", scale))
    assert {name: sorted(v.sources) for name, v in made.variants.items()} == {
        "phi-1_5": ["books", "code"],
        "phi-1_5-web": ["books", "code", "web"],
        "phi-1_5-web-only": ["code", "web"],
    }


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
