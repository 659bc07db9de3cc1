"""The encoder gives the ids of Hugging Face's tokenizer and loses no text."""

import json
import random
from dataclasses import replace

import pytest

from hornbook.errors import ArtifactError, ConfigError
from hornbook.tokens.encoder import Encoder
from hornbook.tokens.published import from_files
from hornbook.tokens.tokenizer import require_room, verify
from hornbook.tokens.vocabulary import fit, hugging_face, save

BOOKS = [
    f"The ball rolls. It is {n} metres away, then {n + 17}.\n\n    def add(x):\n"
    f"        return x + {n}\n\nWhy? Because it's round: {n}+{n}={2 * n}.\n"
    for n in range(120)
]
ODD = [
    "",
    " ",
    "\n",
    "\n\n   \n\tx",
    "   12  345",
    "1999 007 100 1000 3.14 x1",
    "a\u00a0b\u3000c\u200b\u2028d\x85e\x1cf",
    "don't WE'LL they've",
    "\u4f60\u597d \U0001f600\U0001f3fd na\u00efve \u00b2\u00bd \u0664\u0662",
    "<|endoftext|> in the text",
    "tabs\t\t\t\tand          blanks",
    " \t  y\t\t \n  \t\t\t z \t\n   ",
    *(f"x{' ' * n}y{chr(9) * n}z{' ' * n}{chr(9)}" for n in (8, 9, 10, 18, 30, 31, 32, 33, 62, 63)),
    *(character * 5000 for character in "a 0!\n\t\u4f60\u00a0\u0301'"),
    " " * 5000 + "x",
    "<|endoftext|><|endoftext|>",
    "\ufeffbom \ufffd \x00 \x7f e\u0301 \u202e\U0010ffff",
]


def toy_fit(**changes):
    settings = {"vocab_size": 700, "whole_numbers_to": 199, "min_frequency": 2}
    return fit(iter(BOOKS), **(settings | changes), eos_text="<|endoftext|>")


@pytest.fixture(scope="module")
def fitted():
    return toy_fit()


@pytest.fixture(scope="module")
def encoder(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    save(fitted, folder, kind="fit", vocab_size=704)
    return Encoder.load(folder)


def noise(seed, letters=None):
    """Texts of random characters of the classes that the pattern tells apart."""
    draw = random.Random(seed)
    letters = letters or (
        "  \n\n\t.,'(=+19 the ing re s \u00e9\u0431\u4e2d\U0001f600\u00a0\u0301\u0664"
    )
    for _ in range(400):
        yield "".join(draw.choice(letters) for _ in range(draw.randrange(60)))


def test_ids_equal_those_of_tokenizers(encoder, fitted):
    assert verify(encoder, fitted, [*BOOKS, *ODD, *noise(1)])[0] == 120 + len(ODD) + 400


def test_every_character_of_the_first_planes_gets_the_same_ids(encoder, fitted):
    characters = [chr(code) for code in range(0x3100) if not 0xD800 <= code < 0xE000]
    verify(encoder, fitted, [f"a{c}b {c}{c} 1{c}2\n{c}" for c in characters])


def test_a_number_is_one_token_wherever_it_stands(encoder):
    whole = {encoder.encode(str(number))[0] for number in range(200)}
    assert len(whole) == 200
    for text in ("12+7", "x = 12", "(12, 7)", "12"):
        assert encoder.encode("12")[0] in encoder.encode(text)
    assert all(len(encoder.encode(str(number))) == 1 for number in range(200))
    assert len(encoder.encode("200")) == 2


def test_a_prompt_that_ends_in_a_line_break_is_a_prefix_of_its_continuation(encoder):
    prompt = "    def add(x):\n"
    whole = encoder.encode(prompt + "        return x + 3\n")
    assert whole[: len(encoder.encode(prompt))] == encoder.encode(prompt)


def test_a_batch_is_its_texts(encoder):
    texts = [*BOOKS, *ODD]
    batch = [array.tolist() for array in encoder.encode_batch(texts)]
    assert batch == [encoder.encode(text) for text in texts]


def test_the_end_of_text_is_never_encoded_from_text_and_padding_decodes_to_nothing(encoder):
    assert encoder.eos not in encoder.encode("<|endoftext|>")
    assert encoder.decode([*encoder.encode("a"), encoder.eos]) == "a<|endoftext|>"
    assert encoder.tokens <= encoder.eos + 1 < encoder.vocab_size
    assert encoder.decode([*encoder.encode("a"), encoder.vocab_size - 1]) == "a"


def test_fitting_twice_gives_the_same_bytes(fitted, tmp_path):
    save(fitted, tmp_path / "a", kind="fit", vocab_size=704)
    save(toy_fit(), tmp_path / "b", kind="fit", vocab_size=704)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [
        "merges.txt",
        "meta.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
    ]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_transformers_reads_the_folder(fitted, tmp_path):
    transformers = pytest.importorskip("transformers")
    save(fitted, tmp_path, kind="fit", vocab_size=704)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert theirs.eos_token_id == fitted.eos
    assert theirs.encode(BOOKS[3]) == Encoder.load(tmp_path).encode(BOOKS[3])


@pytest.mark.parametrize("added", [False, True])
def test_the_gpt2_vocabulary_gives_its_published_ids(shared, tmp_path, added):
    made = from_files(shared / "tokenizer", eos_text="<|endoftext|>", added_tokens=added)
    save(made, tmp_path, kind="files", vocab_size=51200)
    encoder = Encoder.load(tmp_path)
    assert encoder.encode("hello world") == [31373, 995]  # tiktoken's own documentation
    assert (encoder.eos, encoder.tokens) == (50256, 50295 if added else 50257)
    if added:
        assert encoder.encode("a  b\t\t") == [64, 50286, 65, 50294]
        assert hugging_face(made).token_to_id(" " * 31) == 50257
    verify(encoder, made, [*BOOKS, *ODD, *noise(2), *noise(3, "       \t\t\t\n\u00a0x'1.")])


def test_codegens_added_tokens_are_the_published_ones(shared):
    published = json.loads(
        (shared / "tokenizer/derived_codegen_mono_added_tokens.json").read_text()
    )
    made = from_files(shared / "tokenizer", eos_text="<|endoftext|>", added_tokens=True)
    assert dict(made.added) == published


def test_added_tokens_that_are_no_runs_of_blanks_are_cut_out_as_tokenizers_does(fitted, tmp_path):
    added = {"<tool>": 704, "<to": 705, "  ": 706, "ball rolls": 707}
    made = replace(fitted, added={text: fitted.tokens + n for n, text in enumerate(added)})
    save(made, tmp_path, kind="fit", vocab_size=800)
    encoder = Encoder.load(tmp_path)
    texts = ["a <tool><to ol> the ball rolls   on", "<tool", "   ", *BOOKS, *ODD]
    verify(encoder, made, texts)
    assert made.added["<tool>"] in encoder.encode(texts[0])
    assert [ids.tolist() for ids in encoder.encode_batch(texts)] == list(map(encoder.encode, texts))


def test_a_vocabulary_larger_than_the_embedding_is_refused(fitted):
    with pytest.raises(ConfigError, match="vocab_size=300, but the vocabulary has"):
        require_room(fitted, 300)


def test_an_id_that_differs_is_refused(encoder):
    other = toy_fit(whole_numbers_to=9)
    with pytest.raises(ArtifactError, match="disagree at token"):
        verify(encoder, other, ["The ball 12"])
