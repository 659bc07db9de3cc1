"""Vocabularies from a folder or from the Hugging Face hub: the same ids, or told why not."""

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hornbook.errors import ConfigError, InputError
from hornbook.tokens.encoder import Encoder, byte_letters
from hornbook.tokens.published import CODEGEN_RUNS, from_files, parse
from hornbook.tokens.tokenizer import verify
from hornbook.tokens.vocabulary import fit, save
from tests.made_run import conf, made_run

EOS = "<|endoftext|>"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TEXTS = [
    f"The ball rolls {n} metres.\n    def add(x):\n\treturn x + {n}, but nothing else happens\n"
    for n in range(50)
]


def published(folder, **changes):
    """The `tokenizer.json` that somebody fitted and put on the hub."""
    made = fit(iter(TEXTS), vocab_size=400, whole_numbers_to=19, min_frequency=2, eos_text=EOS)
    save(made, folder, kind="fit", vocab_size=400)
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    content["model"] |= changes.pop("model", {})
    return content | changes


def test_a_tokenizer_json_gives_the_ids_that_tokenizers_gives_with_it(tmp_path):
    from tokenizers import Tokenizer

    content = published(tmp_path / "a")
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    reference = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    made = from_files(tmp_path, eos_text=EOS, added_tokens=False)
    save(made, tmp_path / "b", kind="files", vocab_size=400)
    encoder = Encoder.load(tmp_path / "b")
    assert [encoder.encode(text) for text in TEXTS] == [reference.encode(t).ids for t in TEXTS]
    assert encoder.eos == reference.token_to_id(EOS)


def test_codegens_runs_are_added_once(tmp_path):
    published(tmp_path)
    made = from_files(tmp_path, eos_text=EOS, added_tokens=True)
    assert tuple(made.added) == CODEGEN_RUNS
    save(made, tmp_path / "again", kind="files", vocab_size=500)
    again = from_files(tmp_path / "again", eos_text=EOS, added_tokens=True)
    assert again.added == made.added
    verify(Encoder.load(tmp_path / "again"), again, ["a    b\t\tc", *TEXTS])


def test_ids_and_special_tokens_behind_the_vocabulary_keep_their_place(tmp_path):
    content = published(tmp_path, ignore_merges=True)
    last = len(content["model"]["vocab"])
    content["added_tokens"] += [
        {"id": last, "content": "<|user|>", "special": True},
        {"id": last + 1, "content": "<|end|>", "special": True},
    ]
    made = parse(content, eos_text="<|end|>", where="x")
    save(made, tmp_path / "b", kind="hub", vocab_size=512)
    encoder = Encoder.load(tmp_path / "b")
    assert (encoder.eos, encoder.tokens) == (last + 1, last + 2)
    assert encoder.decode([last, *encoder.encode("a"), last + 1]) == "<|user|>a<|end|>"
    verify(encoder, made, ["say <|user|> and <|end|> as text", *TEXTS])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"type": "Unigram"}}, r"x: its model is Unigram; expected a byte-level BPE"),
        ({"model": {"byte_fallback": True}}, r"its model is byte_fallback"),
        ({"model": {"end_of_word_suffix": "</w>"}}, r"its model is \['end_of_word_suffix'\]"),
        ({"normalizer": {"type": "NFC"}}, r"changes the text first \(normalizer NFC\)"),
        ({"pre_tokenizer": {"type": "Metaspace"}}, r"cuts text by Metaspace with settings"),
        ({"pre_tokenizer": None}, r"cuts text by None with settings"),
        (
            {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "use_regex": True}},
            r"cuts text by ByteLevel with settings",
        ),
        ({"model": {"merges": ["q zzz"]}}, r"merge 'q zzz' is of tokens that are not there"),
        ({"added_tokens": []}, r"no token '<\|endoftext\|>' \(tokens.tokenizer.eos_text\)"),
    ],
)
def test_what_tiktoken_would_encode_otherwise_is_refused(tmp_path, changes, message):
    content = published(tmp_path, **changes)
    if "added_tokens" in changes:
        del content["model"]["vocab"][EOS]
    with pytest.raises(InputError, match=message):
        parse(content, eos_text=EOS, where="x")


def test_ids_that_do_not_follow_the_merges_or_lack_a_byte_are_refused(tmp_path):
    content = published(tmp_path)
    vocab = content["model"]["vocab"]
    first, second = (text for text, token in vocab.items() if token in {270, 280})
    swapped = vocab | {first: vocab[second], second: vocab[first]}
    with pytest.raises(InputError, match=r"token \d+ is merged after token \d+; ids have to"):
        parse(content | {"model": content["model"] | {"vocab": swapped}}, eos_text=EOS, where="x")
    content["model"] |= {"merges": []}
    del vocab[next(iter(byte_letters()))]
    with pytest.raises(InputError, match=r"x has no token for byte 33; expected"):
        parse(content, eos_text=EOS, where="x")


def test_missing_or_broken_vocabulary_files_are_named(tmp_path):
    def read():
        return from_files(tmp_path, eos_text=EOS, added_tokens=False)

    with pytest.raises(InputError, match=r"0 files \*vocab.json\[.gz\].*data.tokenizer"):
        read()
    (tmp_path / "vocab.json.gz").write_bytes(b"not gzip")
    with pytest.raises(InputError, match=r"vocab\.json\.gz cannot be read"):
        read()
    (tmp_path / "vocab.json.gz").unlink()
    (tmp_path / "vocab.json").write_text('{"a": 0}', encoding="utf-8")
    (tmp_path / "merges.txt").write_text("a b c\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"'a b c' is not two tokens"):
        read()
    (tmp_path / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"has no token .*eos_text.*the last token is 'a'"):
        read()
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"tokenizer\.json is not JSON"):
        read()


@pytest.fixture
def hub(tmp_path):
    """A server that answers as the Hugging Face hub does for one file of one repository."""
    content = json.dumps(published(tmp_path / "made")).encode()

    class Answers(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(b"")

        def do_GET(self):
            self.answer(content)

        def answer(self, body):
            is_there = self.path == f"/some/tokenizer/resolve/{COMMIT}/tokenizer.json"
            self.send_response(200 if is_there else 404)
            self.send_header("X-Repo-Commit", COMMIT)
            if not is_there:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("ETag", '"0123"')
            self.send_header("Content-Length", str(len(content) if is_there else 0))
            self.end_headers()
            self.wfile.write(body if is_there else b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def ask(tmp_path, endpoint, name="some/tokenizer", **environment):
    """`from_hub` in a process of its own: the hub's library reads its settings when imported."""
    script = (
        "import sys, json; from hornbook.tokens.published import from_hub\n"
        "from hornbook.errors import HornbookError\n"
        "try:\n"
        f"    made = from_hub(sys.argv[1], '{COMMIT}', eos_text='{EOS}')\n"
        "    print(json.dumps([made.tokens, made.eos]))\n"
        "except HornbookError as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    known = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "0",  # whatever a test before has set
    }
    done = subprocess.run(
        [sys.executable, "-c", script, name],
        env=os.environ | known | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_name_on_the_hub_is_fetched_once_and_then_read_without_a_network(tmp_path, hub):
    first = ask(tmp_path, hub)
    assert json.loads(first)[0] > 256
    assert ask(tmp_path, hub, HF_HUB_OFFLINE="1") == first


def test_a_hub_that_cannot_be_reached_or_has_no_such_name_is_told_with_what_to_do(tmp_path, hub):
    told = ask(tmp_path, hub, HF_HUB_OFFLINE="1")
    assert re.search(r"InputError .*some/tokenizer at 0123.* not in this machine's", told)
    assert "tokens.tokenizer.kind=files data.tokenizer=FOLDER" in told
    assert "cannot be fetched" in ask(tmp_path, hub, name="other/name")
    assert "cannot be reached" in ask(tmp_path, "http://127.0.0.1:9")


def test_a_branch_is_no_commit(tmp_path):
    values = conf("tokens")
    values["tokenizer"] |= {"kind": "hub", "hub": {"name": "a/b", "revision": "main"}}
    run = made_run(tmp_path, "tokenizer", reads=[], params={"tokens": values})
    from hornbook.tokens.config import Tokenizer

    with pytest.raises(ConfigError, match=r"hub.revision=main of a/b: expected a commit of 40"):
        run.section("tokens.tokenizer", Tokenizer)
