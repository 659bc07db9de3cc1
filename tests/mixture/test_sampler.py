"""The order of training: declared shares, every window once an epoch, a function of the step."""

from fractions import Fraction

import numpy as np
import pytest

from hornbook.artifacts import read_json, write_json
from hornbook.errors import ArtifactError, ConfigError
from hornbook.mixture.permutation import Permutation
from hornbook.mixture.sampler import _BLOCK_SEQUENCES as BLOCK
from hornbook.mixture.sampler import Sampler
from hornbook.mixture.schedule import period, shares

CONTEXT = 8


def token_folder(root, corpus, shard_tokens, *, first, dtype="<u2"):
    """Token shards that count up from `first`, so that a window shows where it is from."""
    folder = root / "tokens" / corpus
    folder.mkdir(parents=True)
    shards = []
    for number, count in enumerate(shard_tokens):
        name = f"tokens-{number:05d}.bin"
        ids = np.arange(first, first + count).astype(dtype)
        (folder / name).write_bytes(ids.tobytes())
        shards.append({"file": name, "split": "train", "tokens": count})
        first += count
    heldout = np.full(50, 9999).astype(dtype)
    (folder / "heldout-00000.bin").write_bytes(heldout.tobytes())
    shards.append({"file": "heldout-00000.bin", "split": "heldout", "tokens": 50})
    write_json(folder / "meta.json", {"dtype": dtype, "shards": shards, "sha256": corpus})
    return folder


@pytest.fixture
def made(tmp_path):
    folders = {
        "books": token_folder(tmp_path, "books", [200, 7, 137], first=0),
        "code": token_folder(tmp_path, "code", [90], first=1000),
    }
    write_json(
        tmp_path / "phi" / "mixture.json",
        {
            "order_seed": 3,
            "sources": [
                {"corpus": "code", "weight": 20.0, "sha256": "code"},
                {"corpus": "books", "weight": 80.0, "sha256": "books"},
            ],
        },
    )
    return tmp_path / "phi", folders


def opened(made, seed=0):
    return Sampler(*made, context_tokens=CONTEXT, seed=seed)


@pytest.mark.parametrize(
    "weights",
    [[1], [4, 1], [2, 2, 1], [88, 7], [1, 1, 1], [0.37, 0.33, 0.2, 0.1], [50, 30, 1, 1, 1]],
    ids=str,
)
def test_every_prefix_is_less_than_one_sequence_from_its_shares(weights):
    portions = list(shares({f"s{n}": weight for n, weight in enumerate(weights)}).values())
    order = np.tile(period(portions), 3)
    for source, portion in enumerate(portions):
        drawn = np.cumsum(order == source)
        gaps = [abs(int(count) - (k + 1) * portion) for k, count in enumerate(drawn)]
        assert max(gaps) < 1


def test_a_weight_is_the_decimal_that_was_written():
    assert shares({"b": 0.1, "a": 0.2}) == {"a": Fraction(2, 3), "b": Fraction(1, 3)}


def test_weights_without_a_common_measure_are_refused():
    with pytest.raises(ConfigError, match=r"repeat only after .* round the weights"):
        period(list(shares({"a": 0.12345671, "b": 0.7}).values()))


@pytest.mark.parametrize("size", [1, 2, 3, 17, 64, 1000, 4097])
def test_a_permutation_has_every_position_once(size):
    assert sorted(Permutation(size, 0, "x")(np.arange(size))) == list(range(size))


def test_a_permutation_depends_on_its_names_and_looks_shuffled():
    first, again, other = (Permutation(5000, 0, name)(np.arange(5000)) for name in "aab")
    assert np.array_equal(first, again)
    assert (first == other).mean() < 0.01
    assert abs(np.corrcoef(first, np.arange(5000))[0, 1]) < 0.05
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.05


def test_a_row_is_one_window_of_its_source_and_never_heldout(made):
    sampler = opened(made)
    assert sampler.sources == ("books", "code")
    assert sampler.windows == ((200 + 7 + 137 - 1) // CONTEXT, 11)
    ids = sampler.batch(0, 50)
    assert ids.shape == (50, CONTEXT + 1)
    assert ids.dtype == np.int64
    assert (np.diff(ids, axis=1) == 1).all()
    assert np.array_equal(ids[:, 0] >= 1000, sampler.rows(0, 50) == 1)
    assert ids.max() < 9999


def test_each_epoch_has_every_window_of_a_source_once_in_a_new_order(made):
    source, window = opened(made).draws(0, 5 * 42 * 11)
    for number, count in enumerate((42, 11)):
        drawn = window[source == number]
        epochs = drawn[: len(drawn) // count * count].reshape(-1, count)
        assert len(epochs) > 5
        assert (np.sort(epochs, axis=1) == np.arange(count)).all()
        assert len({tuple(epoch) for epoch in epochs.tolist()}) == len(epochs)


def test_the_order_knows_nothing_of_steps_before_ranks_or_batch_size(made):
    straight = opened(made)
    batches = [straight.batch(step, 6) for step in range(900)]
    resumed = opened(made)
    assert np.array_equal(resumed.batch(899, 6), batches[899])
    assert np.array_equal(resumed.batch(682, 6), batches[682])
    across = BLOCK // 6  # its rows are of two blocks of draws
    source, window = resumed.draws(across, 6)
    one_by_one = [resumed.draws(across * 6 + row, 1) for row in range(6)]
    assert np.array_equal(source, np.concatenate([drawn[0] for drawn in one_by_one]))
    assert np.array_equal(window, np.concatenate([drawn[1] for drawn in one_by_one]))
    both = [resumed.batch(7, 6, slice(rank, None, 2)) for rank in range(2)]
    assert np.array_equal(np.stack(both, axis=1).reshape(6, -1), batches[7])
    assert np.array_equal(resumed.batch(3, 12), np.concatenate(batches[6:8]))


def test_another_seed_is_another_order_of_the_same_windows(made):
    first, other = opened(made), opened(made, seed=1)
    assert np.array_equal(first.rows(0, 100), other.rows(0, 100))
    assert not np.array_equal(first.batch(0, 100), other.batch(0, 100))


def test_the_digest_is_continued_by_a_resumed_run_and_by_no_other(made):
    def chain(sampler, steps, digest):
        for step in steps:
            digest = sampler.digest(digest, step, 6)
        return digest

    one, other = opened(made), opened(made, seed=1)
    half = chain(one, range(10), one.genesis)
    assert chain(opened(made), range(10, 20), half) == chain(one, range(20), one.genesis)
    assert chain(one, range(11, 20), half) != chain(one, range(10, 20), half)
    assert one.genesis != other.genesis
    assert one.genesis != Sampler(*made, context_tokens=4, seed=0).genesis
    assert opened(made).replay(20, 6) == chain(one, range(20), one.genesis)


def limited(made, **tokens):
    manifest = read_json(made[0] / "mixture.json")
    for source in manifest["sources"]:
        source["tokens"] = tokens.get(source["corpus"])
    write_json(made[0] / "mixture.json", manifest)


def test_a_source_used_in_part_draws_the_same_windows_in_each_epoch(made):
    whole = opened(made)
    limited(made, books=10 * CONTEXT + 3)
    sampler = opened(made)
    assert sampler.windows == (10, 11)
    source, window = sampler.draws(0, 100)
    epochs = window[source == 0].reshape(-1, 10)
    assert len(epochs) == 8
    assert {tuple(sorted(epoch)) for epoch in epochs.tolist()} == {tuple(sorted(set(epochs[0])))}
    assert epochs.max() > 10  # chosen from everywhere
    assert sampler.genesis != whole.genesis


def test_order_and_digest_know_nothing_of_how_a_corpus_is_cut_into_shards(made, tmp_path):
    other = token_folder(tmp_path / "again", "books", [11, 300, 33], first=0)
    moved = Sampler(made[0], made[1] | {"books": other}, context_tokens=CONTEXT, seed=0)
    straight = opened(made)
    half = straight.replay(10, 6)
    for step in range(10, 20):
        assert np.array_equal(moved.batch(step, 6), straight.batch(step, 6))
        half = moved.digest(half, step, 6)
    assert half == straight.replay(20, 6)


def test_tokens_other_than_the_manifests_are_refused(made):
    mixture, folders = made
    meta = read_json(folders["code"] / "meta.json")
    write_json(folders["code"] / "meta.json", meta | {"sha256": "changed"})
    with pytest.raises(
        ArtifactError, match=r"sha256 code, .* has changed; run: dvc repro mixture@"
    ):
        opened(made)
    with pytest.raises(ArtifactError, match=r"draws from code, whose tokens were not given"):
        Sampler(mixture, {"books": folders["books"]}, context_tokens=CONTEXT, seed=0)


def test_a_source_shorter_than_a_sequence_and_a_truncated_shard_are_refused(made):
    with pytest.raises(ArtifactError, match=r"code at .* do not fill one sequence of 90 tokens"):
        Sampler(*made, context_tokens=90, seed=0)
    shard = made[1]["books"] / "tokens-00002.bin"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=r"has 273 bytes, .* says 274; restore it with dvc"):
        opened(made)
