"""The stage on good, damaged and empty files."""

import gzip
import json
import re
from pathlib import Path

import pytest

from hornbook.artifacts import read_documents, read_json, read_table
from hornbook.errors import ConfigError, InputError
from hornbook.web.corpus import ORDER, web_corpus
from tests.made_run import conf, file_bytes, made_run
from tests.web.articles import STORY
from tests.web.test_pages import record

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = "<html><body><article><p>{0} {1}</p><p>Write to a@b.org.</p></article></body></html>"

ROWS = json.dumps({"text": STORY}).encode() + b"\n"


def page(number: int) -> bytes:
    return record(f"http://a/{number}", PAGE.format(STORY, f"Page {number}.").encode())


def made(root, *, workers=1, **changed):
    """A run over `root/in` with the smoke settings."""
    web = conf("web")
    web["corpus"] |= changed
    params = {"web": web, "data": {"web": "in"}}
    return made_run(root, "web_corpus", reads=["in"], params=params, workers=workers)


def put(root, name: str, content: bytes) -> None:
    (root / "in").mkdir(exist_ok=True, parents=True)
    (root / "in" / name).write_bytes(content)


def test_pages_are_kept_masked_without_repeats_and_drops_have_a_reason(tmp_path):
    put(tmp_path, "a.warc", page(1) + page(2) + record("http://a/3", b"", status="404 Gone"))
    put(tmp_path, "b.warc.gz", gzip.compress(page(2)) + gzip.compress(page(4)))
    put(tmp_path, "c.html", b"<p>A page of one sentence has too few words to be of use to you.</p>")
    put(tmp_path, "notes.txt", b"no input")
    run = made(tmp_path)
    web_corpus(run)
    rows = list(read_documents(run.out))
    assert [row["source"] for row in rows] == ["http://a/1", "http://a/2", "http://a/4"]
    assert all("<email>" in row["text"] and "@" not in row["text"] for row in rows)
    summary = read_json(run.out / "summary.json")
    assert summary["dropped"] == {"exact_duplicate": 1, "not_ok": 1, "too_few_words": 1}
    assert (summary["rows"], summary["masked"], summary["files"]) == (3, 3, 3)
    assert read_table(run.out / "dropped.parquet").num_rows == 2


def test_the_number_of_workers_changes_no_byte_and_a_second_run_finds_finished_files(tmp_path):
    body = b"".join(page(number) for number in range(70))
    found = []
    for name, workers in (("one", 1), ("two", 2)):
        put(tmp_path / name, "a.warc", body)
        run = made(tmp_path / name, workers=workers)
        web_corpus(run)
        found.append(file_bytes(run.out))
    assert found[0] == found[1]
    before = file_bytes(run.out)
    web_corpus(run)
    assert file_bytes(run.out) == before


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("zero.warc.gz", b"", r"zero\.warc\.gz is empty; replace it"),
        ("zero.warc", b"", r"zero\.warc is empty; replace it"),
        ("zero.parquet", b"", r"zero\.parquet is empty; replace it"),
        ("zero.jsonl", b"", r"zero\.jsonl is empty; replace it"),
        ("noise.warc.gz", b"\x1f\x8b noise" * 9, r"noise\.warc\.gz yields no page"),
        ("noise.tar.gz", b"noise" * 99, r"noise\.tar\.gz yields no page"),
        ("noise.parquet", b"PAR1 noise", r"noise\.parquet yields no page"),
        (
            "body.jsonl",
            b'{"body": "x"}',
            "no row has text in a column 'text' nor 'content'; replace",
        ),
        ("cut.warc.gz", gzip.compress(page(1))[:60], r"cut\.warc\.gz yields no page"),
        ("part.warc", (page(2) + page(3))[:-99], r"part\.warc breaks off after \d pages"),
        ("part.warc.gz", gzip.compress(page(2)) + gzip.compress(page(3))[:-30], "breaks off after"),
        ("one.warc.gz", gzip.compress(page(2) + page(3))[:-30], "truncated_archive"),
        ("part.jsonl.gz", gzip.compress(ROWS)[:-4], "breaks off after 1 pages"),
    ],
    # not of the bytes, which have the time in them
    ids=lambda one: one if isinstance(one, str) and " " not in one else "",
)
def test_a_file_of_which_nothing_can_be_read_is_named(tmp_path, name, content, told):
    put(tmp_path, "a.warc", page(1))
    put(tmp_path, name, content)
    with pytest.raises(InputError, match=told):
        web_corpus(made(tmp_path))


def test_the_guides_say_what_each_reason_means():
    guides = "".join((DOCS / name).read_text("utf-8") for name in ("web.md", "scale.md"))
    # of runs of words the guide names the first and the last length
    told = {re.sub(r"\d+", "N", word) for word in re.findall(r"`(\w+)`", guides)}
    assert [reason for reason in ORDER if re.sub(r"\d+", "N", reason) not in told] == []


def test_an_unreadable_file_is_passed_over_where_that_is_set(tmp_path):
    put(tmp_path, "a.warc", page(1))
    put(tmp_path, "zero.warc.gz", b"")
    put(tmp_path, "part.warc.gz", gzip.compress(page(2)) + gzip.compress(page(3))[:-30])
    run = made(tmp_path, unreadable_file="skip")
    web_corpus(run)
    summary = read_json(run.out / "summary.json")
    assert (summary["rows"], summary["dropped"]) == (2, {"truncated_archive": 1})


def test_rows_of_a_table_need_text_and_keep_their_address(tmp_path):
    rows = [{"text": STORY, "url": "http://b/1"}, {"content": f"Again: {STORY}"}, {"body": "x"}]
    lines = [json.dumps(row) for row in rows] + ["{broken", "[]"]
    put(tmp_path, "rows.jsonl", "\n".join(lines).encode())
    run = made(tmp_path, languages=["en"])
    web_corpus(run)
    found = list(read_documents(run.out))
    assert [row["source"] for row in found] == ["http://b/1", "rows.jsonl:1"]
    dropped = read_json(run.out / "summary.json")["dropped"]
    assert dropped == {"broken_record": 1, "no_text": 2}


def test_another_language_is_dropped_and_can_be_asked_for(tmp_path):
    german = "Der Zug nach Norden hat heute wieder eine halbe Stunde Aufenthalt. " * 10
    put(tmp_path, "a.jsonl", json.dumps({"text": german}).encode())
    with pytest.raises(InputError, match=r"no page in 1 files passed the rules: .*language"):
        web_corpus(made(tmp_path))


def test_a_folder_without_input_and_an_unknown_setting_are_refused(tmp_path):
    put(tmp_path, "notes.txt", b"x")
    with pytest.raises(InputError, match=r"data\.web=.*no WARC, ARC, WET, HTML, tar"):
        web_corpus(made(tmp_path))
    with pytest.raises(ConfigError, match=r"web\.corpus\.unreadable_file='ignore'"):
        web_corpus(made(tmp_path / "b", unreadable_file="ignore"))
