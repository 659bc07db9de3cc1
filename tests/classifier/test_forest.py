"""The forest: the same answers as scikit-learn's from plain arrays, over either embedding."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from hornbook.classifier import forest, projection
from hornbook.classifier.config import Embedding, Forest
from hornbook.classifier.forest import UNIT, flattened
from hornbook.classifier.model import train
from hornbook.errors import ConfigError, InputError
from tests.classifier.made import settings, two_kinds

RANDOM = np.random.default_rng(0)


def vectors(rows, columns=6):
    return np.round(RANDOM.normal(size=(rows, columns)), 3).astype(np.float32)


@pytest.mark.parametrize("depth", [1, 3, None])
def test_a_walk_ends_where_scikit_learns_ends(depth):
    seen, scores = vectors(300), RANDOM.integers(0, 6, 300)
    model = RandomForestRegressor(30, max_depth=depth, random_state=0).fit(seen, scores)
    trees = flattened([tree.tree_ for tree in model.estimators_])
    unseen = vectors(500)
    unseen[:300:2] = seen[::2]  # vectors at thresholds too
    assert trees.raw(unseen) == pytest.approx(model.predict(unseen), abs=1.5 / UNIT)


def test_a_vector_at_the_threshold_goes_left():
    # both sides of the one split, and on it: 0.5 lies in the middle of 0 and 1
    model = RandomForestRegressor(1, bootstrap=False, random_state=0).fit([[0.0], [1.0]], [0, 5])
    trees = flattened([model.estimators_[0].tree_])
    asked = np.array([[0.499], [0.5], [0.501]], dtype=np.float32)
    assert trees.raw(asked).tolist() == [0.0, 0.0, 5.0]


def test_a_forest_that_never_splits_gives_the_mean():
    trees = forest.grow(
        np.zeros((4, 2), np.float32), np.array([1, 2, 3, 4]), Forest(5, 4, 4), seed=1, workers=1
    )
    assert trees.depth == 0
    assert trees.raw(vectors(3, 2)).std() == 0


def test_workers_and_their_number_change_no_tree():
    seen, scores = vectors(80), RANDOM.integers(0, 6, 80)
    one, two = (
        forest.grow(seen, scores, Forest(10, 6, 1), seed=3, workers=workers).tensors()
        for workers in (1, 2)
    )
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_texts_of_one_kind_lie_closer_than_texts_of_two():
    texts, _ = two_kinds(40)
    made = projection.fit(texts, features=512, dimensions=2, min_documents=2, seed=0)
    unseen, _ = two_kinds(60)
    first, second, third = made.vectors([unseen[50], unseen[52], unseen[51]])
    assert first @ second > first @ third
    assert made.vectors(["", "unknown words only"]).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_a_word_is_projected_from_min_documents_on():
    texts = [f"often {n} x" for n in range(20)] + [f"most {n}" for n in range(20, 50)]

    def fitted(least):
        return projection.fit(texts, features=65536, dimensions=2, min_documents=least, seed=0)

    assert fitted(20).vectors(["often"]).any()
    with pytest.raises(InputError, match=r"^1 words stand in 21 of 50 annotated .*min_documents"):
        fitted(21)


def encoder_folder(folder, kind):
    """A tiny encoder of random weights with a tokenizer of words, as Hugging Face stores one."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, GPT2Config, GPT2Model, PreTrainedTokenizerFast

    torch.manual_seed(0)
    names = ["[PAD]", "[UNK]", "explain", "why", "because", "example", "number", "buy", "cheap",
             "sale", "now"]  # fmt: skip
    words = Tokenizer(models.WordLevel({name: n for n, name in enumerate(names)}, "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    pad = {"pad_token": "[PAD]"} if kind == "bert" else {"eos_token": "[PAD]"}
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", **pad).save_pretrained(
        folder
    )
    if kind == "bert":
        model = BertModel(BertConfig(
            vocab_size=len(names), hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, max_position_embeddings=32,
        ))  # fmt: skip
    else:
        small = {"n_positions": 32, "n_embd": 8, "n_layer": 1, "n_head": 2}
        model = GPT2Model(
            GPT2Config(vocab_size=len(names), bos_token_id=0, eos_token_id=0, **small)
        )
    model.save_pretrained(folder)
    return folder, model.eval()


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_an_encoder_gives_the_mean_over_the_tokens_it_may_read(tmp_path, kind):
    import torch

    from hornbook.classifier.encoder import Encoder

    folder, model = encoder_folder(tmp_path / "encoder", kind)
    texts = ["explain why because", "", "sale", "now " * 9]
    found = Encoder(folder, max_tokens=4).vectors(texts)
    ids = [[2, 3, 4], [], [9], [10] * 4]
    with torch.no_grad():
        expected = [
            model(torch.tensor([one])).last_hidden_state.mean(1)[0].numpy() if one else np.zeros(8)
            for one in ids
        ]
    assert found == pytest.approx(np.stack(expected), abs=2e-5)


def test_an_encoder_is_what_the_forest_sees(tmp_path):
    folder, _ = encoder_folder(tmp_path / "encoder", "bert")
    texts, scores = two_kinds(30)
    wanted = settings(kind="forest", embedding=Embedding("transformer", 1, 1, 16))
    fitted = train(texts, np.array(scores), wanted, encoder=folder, name="web", workers=1)
    assert (fitted.raw(texts) > 2.5).tolist() == [score == 5 for score in scores]


def test_an_encoder_that_is_not_there_or_none_is_refused(tmp_path):
    wanted = settings(kind="forest", embedding=Embedding("transformer", 1, 1, 16))
    (tmp_path / "README.md").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        ConfigError, match=r"data\.encoder, but that is .*README\.md; name a folder"
    ):
        train(["a"], np.array([1]), wanted, encoder=tmp_path / "README.md", name="web", workers=1)
    with pytest.raises(InputError, match=r"data\.encoder=.*empty is no Hugging Face encoder"):
        train(["a"], np.array([1]), wanted, encoder=tmp_path / "empty", name="web", workers=1)


def test_weights_that_are_a_pickle_are_refused(tmp_path):
    import torch

    folder, model = encoder_folder(tmp_path / "encoder", "bert")
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    wanted = settings(kind="forest", embedding=Embedding("transformer", 1, 1, 16))
    with pytest.raises(InputError, match="is no Hugging Face encoder"):
        train(["a"], np.array([1]), wanted, encoder=folder, name="web", workers=1)
